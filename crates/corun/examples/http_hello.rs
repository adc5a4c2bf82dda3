//! A small HTTP/1.1 server: keep-alive, pipelining, request bodies, limits. `httparse` reads the requests.
//!
//! ```text
//! cargo run --release --example http_hello 127.0.0.1:8080
//! curl http://127.0.0.1:8080/
//! ```

use std::io::{self, Read, Write};
use std::process::exit;
use std::time::Duration;

use corun::net::{TcpListener, TcpStream};

/// A request's head may have this many bytes; what is longer is answered with 431.
const LONGEST_HEAD: usize = 8 * 1024;
const MOST_HEADERS: usize = 64;
/// A connection on which nothing arrives for so long is closed.
const PATIENCE: Duration = Duration::from_secs(30);

#[corun::main]
fn main() -> io::Result<()> {
    let Some(addr) = std::env::args().nth(1) else {
        eprintln!("usage: http_hello ADDR        for instance: http_hello 127.0.0.1:8080");
        exit(2);
    };
    let listener = TcpListener::bind(addr)?;
    println!("hello on http://{}/", listener.local_addr()?);
    serve(&listener);
    Ok(())
}

/// Answers everyone who connects, for as long as the program lives.
pub fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => drop(corun::spawn(move || converse(stream))),
            Err(error) => {
                eprintln!("accept: {error}");
                corun::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// One connection. All requests that have arrived are answered with one write.
fn converse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut input, mut output) = (Vec::with_capacity(4096), Vec::with_capacity(1024));
    // Bytes of the present request's body that have yet to arrive; this server has no use for them.
    let mut body = 0;
    loop {
        let mut used = 0;
        let mut go_on = true;
        while go_on {
            let skipped = (input.len() - used).min(body);
            used += skipped;
            body -= skipped;
            if body > 0 || used == input.len() {
                break;
            }
            match parse(&input[used..]) {
                Parsed::Request(request) => {
                    used += request.head;
                    body = request.body;
                    go_on = request.keep_alive;
                    respond(&mut output, &request);
                }
                Parsed::Partial => break,
                Parsed::Bad(status) => {
                    go_on = false;
                    write!(
                        output,
                        "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    )?;
                }
            }
        }
        input.drain(..used);
        stream.write_all(&output)?;
        output.clear();
        if !go_on {
            // Tells the peer that this was all, then lets it finish: closing with unread input would destroy the answer on its way.
            stream.shutdown(std::net::Shutdown::Write)?;
            return io::copy(&mut stream.take(1 << 20), &mut io::sink()).map(drop);
        }
        let mut chunk = [0; 2048];
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            n => input.extend_from_slice(&chunk[..n]),
        }
    }
}

struct Request {
    head: usize,
    body: usize,
    keep_alive: bool,
    /// Answer with the head only, as HEAD asks.
    head_only: bool,
    /// The peer waits for leave to send its body.
    expects_continue: bool,
    found: bool,
}

enum Parsed {
    Request(Request),
    Partial,
    Bad(&'static str),
}

fn parse(input: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(input) {
        Ok(httparse::Status::Complete(head)) if head <= LONGEST_HEAD => head,
        Ok(httparse::Status::Partial) if input.len() < LONGEST_HEAD => return Parsed::Partial,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Parsed::Bad("431 Request Header Fields Too Large");
        }
        Err(_) => return Parsed::Bad("400 Bad Request"),
    };
    let header = |name: &str| {
        let found = request
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| std::str::from_utf8(header.value).unwrap_or("").trim())
    };
    if header("transfer-encoding").is_some() {
        return Parsed::Bad("411 Length Required");
    }
    let body = match header("content-length").map_or(Ok(0), str::parse) {
        Ok(body) => body,
        Err(_) => return Parsed::Bad("400 Bad Request"),
    };
    let connection = |wish: &str| {
        let value = header("connection").unwrap_or("");
        value
            .split(',')
            .any(|token| token.trim().eq_ignore_ascii_case(wish))
    };
    let old = request.version == Some(0);
    Parsed::Request(Request {
        head,
        body,
        keep_alive: if old {
            connection("keep-alive")
        } else {
            !connection("close")
        },
        head_only: request.method == Some("HEAD"),
        expects_continue: !old
            && header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")),
        found: request.path == Some("/"),
    })
}

fn respond(output: &mut Vec<u8>, request: &Request) {
    let (status, text) = match request.found {
        true => ("200 OK", "Hello, world!\n"),
        false => ("404 Not Found", "There is nothing here but /\n"),
    };
    let connection = if request.keep_alive {
        "keep-alive"
    } else {
        "close"
    };
    if request.expects_continue && request.body > 0 {
        output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    write!(
        output,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: {connection}\r\n\r\n{}",
        text.len(),
        if request.head_only { "" } else { text },
    )
    .expect("writing to a Vec cannot fail");
}
