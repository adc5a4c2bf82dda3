//! The example `hyper_server`, driven by `wrk`, `curl` and hyper's own client.

#[path = "../../examples/hyper_server.rs"]
#[allow(dead_code)]
mod hyper_server;

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::hyper::{Executor, Io, Timer};
use corun::net::{TcpListener, TcpStream};
use corun::sync::Notify;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Executor as _, Timer as _};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use real_world::{installed, run};

use crate::{raise_descriptor_limit, runtime};

fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let addr = listener.local_addr().expect("bound");
    corun::spawn(move || hyper_server::serve(&listener));
    addr.to_string()
}

#[test]
fn wrk_sees_no_error() {
    if !installed(&["wrk"]) {
        return;
    }
    let address = start();
    for (connections, path) in [("1", ""), ("64", ""), ("512", ""), ("64", "coroutine")] {
        let url = format!("http://{address}/{path}");
        let out = run("wrk", &["-t", "1", "-c", connections, "-d", "1s", &url]);
        assert!(
            out.contains(" requests in ") && !out.contains("\n  0 requests in "),
            "no request was answered:\n{out}"
        );
        assert!(
            !out.contains("Non-2xx") && !out.contains("Socket errors"),
            "{out}"
        );
    }
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
        curl(&[&format!("{url}coroutine")]),
        "Hello from a coroutine!\n"
    );
    let nowhere = format!("{url}nowhere");
    let status = ["-o", "/dev/null", "-w", "%{http_code}", &nowhere];
    assert_eq!(curl(&status), "404");
    let connects = curl(&["-w", "%{num_connects} ", &url, &url, &url]);
    assert_eq!(connects.matches("Hello").count(), 3);
    assert!(
        connects.contains("1 ") && connects.ends_with("0 "),
        "one connection serves three requests: {connects:?}"
    );

    // Larger than the buffers of both sides, and sent in both of HTTP's ways.
    let body = std::env::temp_dir().join(format!("corun-hyper-body-{}", std::process::id()));
    fs::write(&body, vec![b'x'; 3_000_000]).expect("a body");
    let (data, echo) = (format!("@{}", body.display()), format!("{url}echo"));
    for header in ["Expect: 100-continue", "Transfer-Encoding: chunked"] {
        let back = curl(&["--data-binary", &data, "-H", header, &echo]);
        assert!(back.len() == 3_000_000 && back.bytes().all(|byte| byte == b'x'));
    }
    fs::remove_file(&body).expect("it is there");
}

/// Asks for a path by hyper's client, on a connection of its own.
async fn ask(address: SocketAddr, path: String) -> (StatusCode, Bytes) {
    let stream = TcpStream::connect_async(address).await.expect("connect");
    let handshake = hyper::client::conn::http1::handshake(Io::new(stream));
    let (mut sender, connection) = handshake.await.expect("hyper's handshake");
    Executor.execute(async { connection.await.expect("the connection ends well") });
    let request = Request::get(path).header("host", "localhost");
    let request = request.body(Empty::<Bytes>::new()).expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    let status = response.status();
    let body = response.into_body().collect().await.expect("its body");
    (status, body.to_bytes())
}

/// All requests are under way before the first is answered.
#[test]
fn a_thousand_requests_at_once() {
    const MANY: usize = 1_000;
    raise_descriptor_limit();
    for workers in [1, 2, 8] {
        let meeting = Arc::new((AtomicUsize::new(0), Notify::new()));
        let answer = move |request: Request<Incoming>| {
            let meeting = Arc::clone(&meeting);
            async move {
                let (arrived, complete) = &*meeting;
                let all_here = complete.notified();
                if arrived.fetch_add(1, Ordering::SeqCst) + 1 == MANY {
                    complete.notify_waiters();
                }
                all_here.await;
                let text = format!("answer to {}", request.uri().path());
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
            }
        };
        let runtime = runtime(workers);
        runtime.block_on(move || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
            let address = listener.local_addr().expect("bound");
            corun::spawn(move || {
                for _ in 0..MANY {
                    let (stream, _) = listener.accept().expect("accept");
                    let connection = hyper::server::conn::http1::Builder::new()
                        .timer(Timer)
                        .serve_connection(Io::new(stream), service_fn(answer.clone()));
                    corun::spawn_async(connection);
                }
            });
            // Half of them are coroutines, half async tasks.
            let askers: Vec<_> = (0..MANY)
                .map(|number| {
                    let asking = ask(address, format!("/{number}"));
                    if number % 2 == 0 {
                        corun::spawn(move || corun::block_on(asking))
                    } else {
                        corun::spawn_async(asking)
                    }
                })
                .collect();
            for (number, asker) in askers.into_iter().enumerate() {
                let (status, body) = asker.join().expect("no asker panics");
                assert_eq!(status, StatusCode::OK);
                assert_eq!(body, format!("answer to /{number}"));
            }
        });
    }
}

/// hyper's own limit on the time for a request's head, kept by our timer.
#[test]
fn a_client_that_says_nothing_is_sent_away() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("bound");
    let client = std::net::TcpStream::connect(address).expect("connect");
    let (stream, _) = listener.accept().expect("accept");
    let began = Instant::now();
    let nobody = service_fn(|_: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(Timer)
        .header_read_timeout(Duration::from_millis(50))
        .serve_connection(Io::new(stream), nobody);
    let error = corun::block_on(connection).expect_err("nothing was sent");
    assert!(error.is_timeout(), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(50));
    drop(client);
}

/// hyper moves a limit where it can.
#[test]
fn the_timer_moves_its_own_sleeps() {
    let mut sleep = Timer.sleep(Duration::from_secs(3600));
    let soon = Timer.now() + Duration::from_millis(20);
    Timer.reset(&mut sleep, soon);
    corun::block_on(sleep);
    assert!(Timer.now() >= soon);
}
