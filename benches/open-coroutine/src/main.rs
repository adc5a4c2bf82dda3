//! What of the blocking world runs on open-coroutine: the same crates and servers as in `real-world/blocking`, each in a process of its own, with a
//! limit on its time.
//!
//! `cargo run --release`, with `LD_LIBRARY_PATH` naming the folder in which cargo has left `libopen_coroutine_hook.so`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use real_world::{MariaDb, Postgres, Redis, raise_descriptor_limit};
use redis::Commands;

const DELAY: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(12);
const NAMES: [&str; 11] = [
    "std::thread::sleep",
    "std::net",
    "std::net by name",
    "std::process",
    "std::sync::Mutex",
    "ureq",
    "tungstenite",
    "redis",
    "r2d2 with redis",
    "mysql",
    "postgres",
];

fn main() {
    raise_descriptor_limit();
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [how, name, count, port] => {
            let (count, port) = (count.parse().unwrap(), port.parse().unwrap());
            let began = Instant::now();
            let right = match how.as_str() {
                "threads" => on_threads(name, count, port),
                _ => in_coroutines(name.clone(), count, port),
            };
            println!("{right} of {count} right in {:.1?}", began.elapsed());
            // Without the end of its runtime, which waits.
            std::process::exit(0);
        }
        _ => all(),
    }
}

/// Starts the servers, and each test.
fn all() {
    let http = slow_server();
    let redis = Redis::start().expect("Debian's redis-server");
    let mariadb = MariaDb::start().expect("Debian's mariadb-server-core");
    let postgres = Postgres::start().expect("Debian's postgresql");
    for name in NAMES {
        let port = match name {
            "redis" | "r2d2 with redis" => redis.port(),
            "mysql" => mariadb.port(),
            "postgres" => postgres.port(),
            "tungstenite" => web_sockets(),
            _ => http,
        };
        let most = if name == "postgres" { 100 } else { 1000 };
        for (how, count) in [("threads", most), ("coroutines", 100), ("coroutines", most)] {
            let said = bounded(&[how, name, &count.to_string(), &port.to_string()]);
            println!("{name}, {count} {how}: {said}");
        }
    }
}

/// What a child says, or how it ends.
fn bounded(arguments: &[&str]) -> String {
    let own = std::env::current_exe().unwrap();
    let mut child = Command::new(own)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut said = String::new();
        let _ = output.read_to_string(&mut said);
        said
    });
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.to_string();
        }
        if began.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            break format!("no end after {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(10));
    };
    let said = reader.join().unwrap();
    // It has a log of its own, on standard output too.
    let last = said.lines().find(|line| line.contains(" right in "));
    last.map_or(status, str::to_owned)
}

fn on_threads(name: &str, count: usize, port: u16) -> usize {
    let members: Vec<_> = (0..count)
        .map(|number| {
            let name = name.to_owned();
            thread::spawn(move || ask(&name, port, number))
        })
        .collect();
    members
        .into_iter()
        .filter_map(|one| one.join().ok())
        .filter(|right| *right)
        .count()
}

fn in_coroutines(name: String, count: usize, port: u16) -> usize {
    let mut config = open_coroutine::Config::default();
    // Two threads, as corun has in its tests, and a coroutine for each task.
    config
        .set_event_loop_size(2)
        .set_max_size(count)
        .set_stack_size(1 << 20);
    open_coroutine::init(config);
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let name = name.clone();
            open_coroutine::task!(move |()| ask(&name, port, number), ())
        })
        .collect();
    let ended = tasks.into_iter().map(|task| task.timeout_join(LIMIT));
    ended
        .filter(|result| matches!(result, Ok(Some(true))))
        .count()
}

/// One member's work; whether the answer is right.
fn ask(name: &str, port: u16, number: usize) -> bool {
    match name {
        "std::thread::sleep" => {
            thread::sleep(DELAY);
            true
        }
        "std::net" => get(("127.0.0.1", port), number),
        "std::net by name" => get(("localhost", port), number),
        "std::process" => Command::new("sleep").arg("0.1").status().unwrap().success(),
        "std::sync::Mutex" => {
            static MUTEX: std::sync::Mutex<usize> = std::sync::Mutex::new(0);
            let mut held = MUTEX.lock().unwrap();
            *held += 1;
            // Held while some of them wait: the others wait for it.
            number >= 20 || get(("127.0.0.1", port), number)
        }
        "ureq" => {
            let answer = ureq::get(format!("http://127.0.0.1:{port}/{number}"))
                .call()
                .unwrap();
            answer.into_body().read_to_string().unwrap() == format!("/{number}")
        }
        "tungstenite" => {
            let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut socket, _) =
                tungstenite::client(format!("ws://127.0.0.1:{port}/"), stream).unwrap();
            socket
                .send(tungstenite::Message::text(number.to_string()))
                .unwrap();
            socket.read().unwrap().into_text().unwrap() == number.to_string()
        }
        "redis" => {
            let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
            let mut connection = client.get_connection().unwrap();
            let nothing: Option<(String, String)> =
                connection.blpop(format!("nothing:{number}"), 0.1).unwrap();
            let echo: usize = redis::cmd("ECHO")
                .arg(number)
                .query(&mut connection)
                .unwrap();
            nothing.is_none() && echo == number
        }
        "r2d2 with redis" => {
            static POOL: std::sync::OnceLock<r2d2::Pool<redis::Client>> =
                std::sync::OnceLock::new();
            let pool = POOL.get_or_init(|| {
                let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
                r2d2::Pool::builder().max_size(100).build(client).unwrap()
            });
            let mut connection = pool.get().unwrap();
            let nothing: Option<(String, String)> =
                connection.blpop(format!("nothing:{number}"), 0.1).unwrap();
            nothing.is_none()
        }
        "mysql" => {
            let options = mysql::OptsBuilder::new()
                .ip_or_hostname(Some("127.0.0.1"))
                .tcp_port(port)
                .user(Some("anybody"))
                .prefer_socket(false);
            let mut connection = mysql::Conn::new(options).unwrap();
            let row: Option<(u8, usize)> = connection
                .query_first(format!("SELECT SLEEP(0.1), {number}"))
                .unwrap();
            row == Some((0, number))
        }
        "postgres" => {
            let config = format!("host=127.0.0.1 port={port} user=postgres");
            let mut client = postgres::Client::connect(&config, postgres::NoTls).unwrap();
            let row = client
                .query_one("SELECT $1::int, pg_sleep(0.1)", &[&(number as i32)])
                .unwrap();
            row.get::<_, i32>(0) == number as i32
        }
        other => panic!("no such name: {other}"),
    }
}

fn get(server: (&str, u16), number: usize) -> bool {
    let mut stream = TcpStream::connect(server).unwrap();
    write!(stream, "GET /{number} HTTP/1.1\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    lines.nth(4).unwrap().unwrap() == format!("/{number}")
}

/// An HTTP server that answers with the path after a while.
fn slow_server() -> u16 {
    listen(|stream| {
        let mut lines = BufReader::new(&stream).lines();
        let first = lines.next().unwrap().unwrap();
        while !lines.next().unwrap().unwrap().is_empty() {}
        let path = first.split(' ').nth(1).unwrap();
        thread::sleep(DELAY);
        let length = path.len();
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
        write!(&stream, "{head}Content-Length: {length}\r\n\r\n{path}\n").unwrap();
    })
}

fn web_sockets() -> u16 {
    listen(|stream| {
        let mut socket = tungstenite::accept(stream).unwrap();
        let message = socket.read().unwrap();
        thread::sleep(DELAY);
        socket.send(message).unwrap();
        while socket.read().is_ok() {}
    })
}

fn listen(serve: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    port
}
