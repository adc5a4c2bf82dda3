//! `wrk` and `curl` against the example `http_hello`.

#[path = "../../crates/corun/examples/http_hello.rs"]
#[allow(dead_code)]
mod http_hello;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use real_world::{installed, run};

fn start() -> String {
    let listener = corun::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let addr = listener.local_addr().expect("bound");
    corun::spawn(move || http_hello::serve(&listener));
    addr.to_string()
}

#[test]
fn wrk_sees_no_error() {
    if !installed(&["wrk"]) {
        return;
    }
    let url = format!("http://{}/", start());
    for connections in ["1", "64", "512"] {
        let out = run("wrk", &["-t", "1", "-c", connections, "-d", "2s", &url]);
        let count = out
            .lines()
            .find(|line| line.contains(" requests in "))
            .and_then(|line| {
                let number = line.split_whitespace().next()?;
                number.parse::<u64>().ok()
            });
        assert!(
            count.is_some_and(|count| count > 0),
            "no request was answered:\n{out}"
        );
        assert!(
            !out.contains("Non-2xx") && !out.contains("Socket errors"),
            "{out}"
        );
    }
}

#[test]
fn wrk_may_pipeline() {
    if !installed(&["wrk"]) {
        return;
    }
    let script = std::env::temp_dir().join(format!("corun-pipeline-{}.lua", std::process::id()));
    let lua = "init = function() local one = wrk.format() batch = string.rep(one, 16) end\nrequest = function() return batch end\n";
    fs::write(&script, lua).expect("a script");
    let path = script.to_str().expect("a plain name");
    let out = run(
        "wrk",
        &[
            "-t",
            "1",
            "-c",
            "16",
            "-d",
            "2s",
            "-s",
            path,
            &format!("http://{}/", start()),
        ],
    );
    fs::remove_file(&script).expect("it is there");
    assert!(
        out.contains(" requests in ") && !out.contains("Non-2xx") && !out.contains("Socket errors"),
        "{out}"
    );
}

#[test]
fn curl_keeps_the_connection_and_sends_bodies() {
    if !installed(&["curl"]) {
        return;
    }
    let url = format!("http://{}/", start());
    let quiet = ["-sS", "--max-time", "20", "--noproxy", "*"];
    let curl = |arguments: &[&str]| run("curl", &[&quiet, arguments].concat());

    assert_eq!(curl(&[&url]), "Hello, world!\n");
    assert_eq!(curl(&["--http1.0", &url]), "Hello, world!\n");
    assert!(curl(&["-I", &url]).starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(
        curl(&[
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            &format!("{url}nowhere")
        ]),
        "404"
    );
    let connects = curl(&["-w", "%{num_connects} ", &url, &url, &url]);
    assert_eq!(connects.matches("Hello").count(), 3);
    assert!(
        connects.contains("1 ") && connects.ends_with("0 "),
        "one connection serves three requests: {connects:?}"
    );

    let body = std::env::temp_dir().join(format!("corun-body-{}", std::process::id()));
    fs::write(&body, vec![b'x'; 300_000]).expect("a body");
    let data = format!("@{}", body.display());
    assert_eq!(
        curl(&[
            "--data-binary",
            &data,
            "-H",
            "Expect: 100-continue",
            &url,
            "-w",
            "%{http_code}"
        ]),
        "Hello, world!\n200"
    );
    assert_eq!(
        curl(&["--data-binary", &data, "-H", "Expect:", &url, &url]),
        "Hello, world!\n".repeat(2)
    );
    fs::remove_file(&body).expect("it is there");
}

/// Sends `request` and returns all that comes back until the server closes.
fn exchange(addr: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).expect("connect");
    stream.write_all(request).expect("write");
    stream.shutdown(Shutdown::Write).expect("shutdown");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

#[test]
fn a_request_may_arrive_in_any_pieces() {
    let addr = start();
    let request = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nabcdeGET /no HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let whole = exchange(&addr, request);
    assert_eq!(
        (
            whole.matches("200 OK").count(),
            whole.matches("404 Not Found").count()
        ),
        (1, 1)
    );
    let mut stream = TcpStream::connect(&addr).expect("connect");
    stream.set_nodelay(true).expect("nodelay");
    for byte in request {
        stream.write_all(&[*byte]).expect("write");
    }
    let mut pieces = String::new();
    stream.read_to_string(&mut pieces).expect("read");
    assert_eq!(whole, pieces);
}

#[test]
fn what_is_no_request_is_refused() {
    let addr = start();
    assert!(exchange(&addr, b"\x16\x03\x01 nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    assert!(exchange(&addr, long.as_bytes()).starts_with("HTTP/1.1 431 "));
    assert!(
        exchange(
            &addr,
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        .starts_with("HTTP/1.1 411 ")
    );
    assert_eq!(exchange(&addr, b""), "");
}
