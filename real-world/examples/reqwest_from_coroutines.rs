//! reqwest, which insists on tokio's reactor, from plain coroutines: 1,000 of them ask a slow server at once, on two workers.
//!
//! ```text
//! cargo run --release --example reqwest_from_coroutines
//! ```
//!
//! `corun::tokio::block_on` suspends the coroutine that calls it and nothing else. The server is hyper's, on corun too: it lets each answer wait for
//! 100 ms, so that 1,000 requests one after the other would take 100 s.

use std::convert::Infallible;
use std::error::Error;
use std::time::{Duration, Instant};

use corun::hyper::{Io, Timer};
use corun::net::TcpListener;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;

const REQUESTS: usize = 1_000;
const DELAY: Duration = Duration::from_millis(100);

#[corun::main(workers = 2)]
fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let took = ask(&start_server()?, REQUESTS)?;
    println!("{REQUESTS} requests, each answered after {DELAY:?}: {took:?} in all");
    Ok(())
}

/// As many requests at once; returns how long they took together.
pub fn ask(url: &str, requests: usize) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let began = Instant::now();
    let askers: Vec<_> = (0..requests)
        .map(|number| {
            let client = client.clone();
            let url = format!("{url}{number}");
            corun::spawn(move || {
                // Straight-line code. Each call suspends this coroutine until tokio has what it asks for.
                let response = corun::tokio::block_on(|| client.get(url).send())?;
                let response = response.error_for_status()?;
                corun::tokio::block_on(|| response.text())
            })
        })
        .collect();
    for (number, asker) in askers.into_iter().enumerate() {
        let text = asker.join().expect("no asker panics")?;
        assert_eq!(text, format!("you asked for /{number}\n"));
    }
    Ok(began.elapsed())
}

/// A server that takes its time. Returns its address.
pub fn start_server() -> Result<String, std::io::Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    corun::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let service = service_fn(
                |request: hyper::Request<hyper::body::Incoming>| async move {
                    corun::time::sleep_async(DELAY).await;
                    let text = format!("you asked for {}\n", request.uri().path());
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
                },
            );
            let connection = http1::Builder::new()
                .timer(Timer)
                .serve_connection(Io::new(stream), service);
            corun::spawn_async(connection);
        }
    });
    Ok(url)
}
