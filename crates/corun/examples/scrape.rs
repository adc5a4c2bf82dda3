//! 1,000 pages fetched, 50 at a time, and added up in order; with a local server to fetch them from. `httparse` reads both sides of HTTP.
//!
//! ```text
//! cargo run --release --example scrape
//! ```

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::net::{TcpListener, TcpStream};
use corun::{map_concurrent, timeout, try_map_concurrent};

const PAGES: usize = 1_000;
const AT_A_TIME: usize = 50;
/// How long the server thinks about each page.
const THOUGHT: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections the server has at the moment, and had at most.
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The head of a message, up to the empty line.
fn read_head(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if from.by_ref().take(8192).read_until(b'\n', &mut head)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

/// The page `/N` has N words.
fn serve(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let head = read_head(&mut reader)?;
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(&head).map_err(invalid)?;
    let number = request.path.and_then(|path| path[1..].parse().ok());
    corun::sleep(THOUGHT);
    let (status, body) = match number {
        Some(count) => ("200 OK", "word ".repeat(count)),
        None => ("404 Not Found", String::new()),
    };
    let length = body.len();
    write!(
        &stream,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn start_server() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    corun::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream?;
            corun::spawn(move || {
                let connections = CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1;
                MOST.fetch_max(connections, Ordering::Relaxed);
                // Who asks may have been cancelled: then there is nobody to tell.
                let _ = serve(stream);
                CONNECTIONS.fetch_sub(1, Ordering::Relaxed);
            });
        }
        io::Result::Ok(())
    });
    Ok(addr)
}

/// One page, in plain blocking Rust.
fn fetch(url: &str) -> io::Result<String> {
    let (host, path) = (url.strip_prefix("http://"))
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| invalid("not a URL of this program's"))?;
    let stream = TcpStream::connect(host)?;
    write!(
        &stream,
        "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )?;
    let mut reader = BufReader::new(&stream);
    let head = read_head(&mut reader)?;
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&head).map_err(invalid)?;
    if response.code != Some(200) {
        return Err(ErrorKind::NotFound.into());
    }
    let mut page = String::new();
    reader.read_to_string(&mut page)?;
    Ok(page)
}

fn words(url: &str) -> io::Result<usize> {
    let page = timeout(PATIENCE, || fetch(url))??;
    Ok(page.split_whitespace().count())
}

#[corun::main]
fn main() -> io::Result<()> {
    let server = start_server()?;
    let urls: Vec<String> = (0..PAGES).map(|n| format!("http://{server}/{n}")).collect();

    let start = Instant::now();
    let counts = map_concurrent(&urls, AT_A_TIME, |url| words(url));
    let elapsed = start.elapsed();
    for (number, count) in counts.into_iter().enumerate() {
        // In the order of the URLs, whichever was first.
        assert_eq!(count?, number);
    }
    let one_by_one = THOUGHT * PAGES as u32;
    println!(
        "{PAGES} pages in {elapsed:.2?}; one by one it would have been {one_by_one:.0?} at least"
    );
    // What the server has sent it may take a moment to forget.
    println!(
        "{} connections at a time, at most",
        MOST.load(Ordering::Relaxed)
    );

    // The first that is missing ends the rest.
    let start = Instant::now();
    let mut links = urls;
    links.insert(100, format!("http://{server}/no-number"));
    let result = try_map_concurrent(&links, AT_A_TIME, |url| words(url));
    let error = result.expect_err("one is missing");
    println!("with a dead link: {error}, after {:.2?}", start.elapsed());
    Ok(())
}
