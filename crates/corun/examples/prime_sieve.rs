//! The prime sieve: each prime that is found becomes a coroutine that lets through only what it does not divide. A number travels along the
//! whole chain of them, over channels without a buffer, before it is known to be prime.
//!
//! ```text
//! cargo run --release --example prime_sieve [COUNT]
//! ```

use std::time::Instant;

use corun::channel::{Receiver, bounded};

/// 2, 3, 4 and so on, for as long as somebody listens.
fn numbers() -> Receiver<u32> {
    let (sender, receiver) = bounded(0);
    corun::spawn(move || (2..).try_for_each(|number| sender.send(number)));
    receiver
}

/// What comes in, without the multiples of `prime`.
fn without_multiples(of: Receiver<u32>, prime: u32) -> Receiver<u32> {
    let (sender, receiver) = bounded(0);
    corun::spawn(move || {
        of.into_iter()
            .filter(|number| number % prime != 0)
            .try_for_each(|number| sender.send(number))
    });
    receiver
}

#[corun::main(workers = 1)]
fn main() {
    let count = std::env::args()
        .nth(1)
        .map_or(2_000, |text| text.parse().expect("a number of primes"));
    let start = Instant::now();
    let mut chain = numbers();
    let mut primes = Vec::new();
    while primes.len() < count {
        let prime = chain.recv().expect("there is always another one");
        primes.push(prime);
        chain = without_multiples(chain, prime);
    }
    let time = start.elapsed();
    // Nobody listens at the end of the chain now: the last filter stops, so the one before it has no listener, and so on to the first.
    drop(chain);

    for line in primes.chunks(12).take(10) {
        let line: Vec<_> = line.iter().map(|prime| format!("{prime:>5}")).collect();
        println!("{}", line.join(" "));
    }
    // The k-th prime was handed on k times; others only as far as their smallest divisor.
    let messages: u64 = (1..=count as u64).sum();
    println!(
        "  ...\nprime number {count} is {}: found by {count} coroutines and more than {messages} messages in {time:.1?}, {:.0} ns each",
        primes.last().unwrap_or(&0),
        time.as_nanos() as f64 / messages.max(1) as f64
    );
}
