//! An HTTP/1.1 server by hyper, on corun: an async task for each connection, and coroutines where an answer takes blocking code.
//!
//! ```text
//! cargo run --release --example hyper_server 127.0.0.1:8080
//! curl http://127.0.0.1:8080/
//! curl http://127.0.0.1:8080/coroutine
//! curl --data 'as it came' http://127.0.0.1:8080/echo
//! ```

use std::io;
use std::process::exit;
use std::time::Duration;

use corun::hyper::{Io, Timer};
use corun::net::{TcpListener, TcpStream};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};

/// A connection whose next request does not arrive within this time is closed.
const PATIENCE: Duration = Duration::from_secs(30);

#[corun::main]
fn main() -> io::Result<()> {
    let Some(addr) = std::env::args().nth(1) else {
        eprintln!("usage: hyper_server ADDR        for instance: hyper_server 127.0.0.1:8080");
        exit(2);
    };
    let listener = TcpListener::bind(addr)?;
    println!("hyper on http://{}/", listener.local_addr()?);
    serve(&listener);
    Ok(())
}

/// Answers everyone who connects, for as long as the program lives. It runs in a coroutine, so that it may block; in an async task it would
/// await `accept_async`.
pub fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => drop(corun::spawn_async(converse(stream))),
            Err(error) => {
                eprintln!("accept: {error}");
                corun::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// One connection, which hyper serves: keep-alive, pipelining, bodies of any kind, limits.
async fn converse(stream: TcpStream) {
    // It would matter for answers in several pieces only.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(Timer)
        .header_read_timeout(PATIENCE)
        .serve_connection(Io::new(stream), service_fn(answer));
    if let Err(error) = connection.await
        && !error.is_incomplete_message()
        && !error.is_timeout()
    {
        eprintln!("connection: {error}");
    }
}

async fn answer(request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/") => (StatusCode::OK, "Hello, world!\n".into()),
        (&Method::GET, "/coroutine") => {
            // What blocks is for a coroutine. Its handle is a future.
            let greeting = corun::spawn(|| {
                corun::sleep(Duration::from_millis(10));
                "Hello from a coroutine!\n"
            });
            match greeting.await {
                Ok(text) => (StatusCode::OK, text.into()),
                Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "It panicked\n".into()),
            }
        }
        (&Method::POST, "/echo") => (
            StatusCode::OK,
            request.into_body().collect().await?.to_bytes(),
        ),
        _ => (StatusCode::NOT_FOUND, "There is nothing here\n".into()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}
