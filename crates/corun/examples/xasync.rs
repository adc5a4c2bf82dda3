//! Start now, wait only when the value is needed: `xasync` and `xawait`, with no function colour anywhere.
//!
//! ```text
//! cargo run --release --example xasync
//! ```

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use corun::net::{TcpListener, TcpStream};
use corun::{xasync, xawait};

/// An ordinary function: it neither knows nor cares that it may run beside others.
fn ask(service: SocketAddr, question: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(service)?;
    stream.write_all(question.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Answers each question with its length, and takes `delay` to think about it.
fn start_service(delay: Duration) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    corun::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream?;
            corun::spawn(move || -> io::Result<()> {
                let mut question = String::new();
                stream.read_to_string(&mut question)?;
                corun::sleep(delay);
                write!(stream, "{} letters", question.len())
            });
        }
        io::Result::Ok(())
    });
    Ok(addr)
}

#[corun::main]
fn main() -> io::Result<()> {
    let service = start_service(Duration::from_millis(200))?;
    let start = Instant::now();

    // Three calls under way at once. The compiler infers what each of them returns.
    let first = xasync(move || ask(service, "a question"));
    let second = xasync(move || ask(service, "another, somewhat longer question"));
    let third = xasync(move || (1..=20u64).product::<u64>());
    println!(
        "{:>6.1?}  three calls started, none waited for",
        start.elapsed()
    );

    // The work that does not depend on them goes on here.
    println!("{:>6.1?}  20! is {}", start.elapsed(), xawait(third));
    println!("{:>6.1?}  first: {}", start.elapsed(), xawait(first)?);
    println!("{:>6.1?}  second: {}", start.elapsed(), xawait(second)?);

    // A call is a value: it can be made from others, and handed on before it is done.
    let both = xasync(move || {
        let halves = ["left", "right hand"].map(|word| xasync(move || ask(service, word)));
        halves.map(xawait)
    });
    for answer in xawait(both) {
        println!("{:>6.1?}  both: {}", start.elapsed(), answer?);
    }
    assert!(
        start.elapsed() < Duration::from_millis(800),
        "two rounds of 200 ms each, not four calls one after the other"
    );
    Ok(())
}
