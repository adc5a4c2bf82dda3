//! Four ways to end what takes too long: a time limit, a cancelled scope, a token that several share, a handle. And what may not be cut short.
//!
//! ```text
//! cargo run --release --example timeout_and_cancel
//! ```

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use corun::channel::bounded;
use corun::net::{TcpListener, TcpStream};
use corun::{CancelToken, Cancelled, cancel_scope, shield, timeout};

const LONG: Duration = Duration::from_secs(3600);

/// Says when it goes, whichever way it goes.
struct Transaction(&'static str);

impl Drop for Transaction {
    fn drop(&mut self) {
        // Destructors may wait, also while a cancelled coroutine unwinds.
        corun::sleep(Duration::from_millis(1));
        println!("   {} is rolled back", self.0);
    }
}

/// A server that accepts, and never answers.
fn silent_server() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    corun::spawn(move || listener.incoming().collect::<io::Result<Vec<_>>>());
    Ok(addr)
}

/// An ordinary function, which knows nothing of time limits.
fn ask(server: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(b"a question\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[corun::main]
fn main() -> io::Result<()> {
    let start = Instant::now();
    let server = silent_server()?;

    println!("1. a time limit around a call, however deep it waits");
    let answer = timeout(Duration::from_millis(50), || {
        let _transaction = Transaction("the question");
        ask(server)
    });
    println!("   {}", answer.expect_err("nobody answers"));

    println!("2. a scope that something in it, or elsewhere, cancels");
    let (sender, receiver) = bounded(1);
    let result = cancel_scope(|token| {
        let token = token.clone();
        corun::spawn(move || {
            corun::sleep(Duration::from_millis(20));
            token.cancel_with("the user has gone");
        });
        receiver.recv()
    });
    println!("   {}", result.expect_err("there is no message"));
    // A receive that was cancelled has not taken anything.
    sender
        .send("late, but not lost")
        .expect("there is a receiver");
    println!("   {}", receiver.recv().expect("there is a message"));

    println!("3. one token for several, and its children");
    let request = CancelToken::new();
    let workers: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let part = request.child();
            corun::spawn(move || {
                part.run(|| {
                    let _transaction = Transaction(name);
                    corun::sleep(LONG);
                })
            })
        })
        .collect();
    corun::sleep(Duration::from_millis(20));
    request.cancel();
    for worker in workers {
        let ended: Result<(), Cancelled> = worker.join().expect("no panic");
        ended.expect_err("it was cancelled");
    }

    println!("4. a coroutine, by its handle, and what may not be cut short");
    let (started, running) = bounded(0);
    let worker = corun::spawn(move || {
        shield(|| {
            started.send(()).expect("it is waited for");
            corun::sleep(Duration::from_millis(20));
            println!("   saved");
        });
        corun::sleep(LONG);
    });
    running.recv().expect("it is about to start");
    worker.cancel();
    let payload = worker.join().expect_err("it was cancelled");
    println!("   ended by a cancellation: {}", payload.is::<Cancelled>());

    assert!(start.elapsed() < Duration::from_secs(10));
    Ok(())
}
