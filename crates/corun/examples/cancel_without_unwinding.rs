//! Cancellation as a value: for code that would rather be told than be left, and for programs that are compiled with `panic = "abort"`, where
//! nothing can be left by unwinding.
//!
//! ```text
//! cargo run --release --example cancel_without_unwinding
//! ```

use std::io;
use std::time::Duration;

use corun::channel::{select, unbounded};
use corun::net::TcpListener;
use corun::{CancelToken, Cancelled};

#[corun::main]
fn main() -> io::Result<()> {
    let token = CancelToken::new();

    // A token is an arm of a `select!`.
    let (jobs, waiting) = unbounded::<u32>();
    let worker = corun::spawn({
        let token = token.child();
        move || -> Result<(), Cancelled> {
            loop {
                select! {
                    recv(waiting) -> job => println!("job {job:?}"),
                    recv(token.done()) -> _ => return token.check(),
                }
            }
        }
    });
    // A pause that ends early.
    let poller = corun::spawn({
        let token = token.child();
        move || -> Result<(), Cancelled> {
            loop {
                token.sleep(Duration::from_secs(60))?;
            }
        }
    });
    // A computation that asks now and then.
    let miner = corun::spawn({
        let token = token.child();
        move || -> Result<u64, Cancelled> {
            for number in 0.. {
                token.check()?;
                corun::checkpoint();
                if number == u64::MAX {
                    return Ok(number);
                }
            }
            unreachable!()
        }
    });
    // Where nothing unwinds, sockets return the cancellation of what they run in as an error; where it does, `run` is left.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = corun::spawn({
        let token = token.child();
        move || match token.run(|| listener.accept()) {
            Ok(Err(error)) => error.to_string(),
            Ok(Ok(_)) => "a client came".into(),
            Err(cancelled) => cancelled.to_string(),
        }
    });

    jobs.send(1).expect("the worker lives");
    corun::sleep(Duration::from_millis(20));
    token.cancel_with("the shop closes");
    println!("worker: {}", worker.join().expect("no panic").unwrap_err());
    println!("poller: {}", poller.join().expect("no panic").unwrap_err());
    println!("miner: {}", miner.join().expect("no panic").unwrap_err());
    let ended = server.join().expect("no panic");
    println!("server: {ended}");
    assert_eq!(ended, "cancelled: the shop closes");
    Ok(())
}
