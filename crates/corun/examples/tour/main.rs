//! A tour of corun in about a minute: what it does, and how well it does it on this machine.
//!
//! ```text
//! cargo run --release --example tour
//! ```

mod coroutines;
#[path = "../echo_proxy.rs"]
#[allow(dead_code)]
mod echo_proxy;
#[path = "../echo_server.rs"]
#[allow(dead_code)]
mod echo_server;
mod epoll;
mod load;
mod proxy;
mod report;
mod sockets;
mod system;

use std::io;
use std::time::{Duration, Instant};

use report::{Report, thousands};

const CROWD: usize = 100_000;
const CLIENTS: u64 = 1_000;
const MESSAGES: u64 = 20;
const TIMERS: u64 = 100_000;
const PAGE: u64 = 4096;

#[corun::main]
fn main() -> io::Result<()> {
    let descriptors = system::raise_descriptor_limit();
    let mut report = Report::new(7);

    report.chapter(&format!(
        "{} coroutines: created, parked, woken, joined",
        thousands(CROWD as u64)
    ));
    let progress = |parked| report.say(format!("{:>9} parked so far", thousands(parked as u64)));
    let crowd = coroutines::crowd(CROWD, progress);
    let overhead = crowd.bytes.saturating_sub(PAGE);
    report.say(format!(
        "all parked after {:.2?} each, with {} bytes each",
        crowd.create,
        thousands(crowd.bytes)
    ));
    report.say(format!(
        "all woken and joined after {:.2?} each",
        crowd.wake
    ));

    // Half of what is free, at 5 KB each, and no more than a million.
    let many = (system::free_memory() / 2 / 5_000).clamp(CROWD as u64 + 1, 1_000_000) as usize;
    report.chapter(&format!(
        "{} at once, as this machine's memory allows",
        thousands(many as u64)
    ));
    let progress = |parked| report.say(format!("{:>9} parked so far", thousands(parked as u64)));
    let larger = coroutines::crowd(many, progress);
    report.say(format!(
        "all parked after {:.2?} each, woken and joined after {:.2?} each",
        larger.create, larger.wake
    ));

    report.chapter("A scope whose coroutines borrow from the stack of the one that waits for them");
    let start = Instant::now();
    let sum = coroutines::borrow();
    assert_eq!(sum, 500_000_500_000);
    report.say(format!(
        "the sum of a million numbers in eight parts is {}, after {:.2?}",
        thousands(sum),
        start.elapsed()
    ));

    report.chapter(&format!(
        "A storm of {} timers within a second",
        thousands(TIMERS)
    ));
    let storm = coroutines::storm(TIMERS);
    report.say(format!(
        "{} early; late by {:.1?} in the median, {:.1?} at worst",
        storm.early, storm.median, storm.worst
    ));
    assert_eq!(storm.early, 0, "a sleep never ends early");

    report.chapter("A switch from one coroutine to the next, 1,000 of them on one worker");
    let switch = corun::blocking(|| coroutines::switch(1_000))?;
    report.say(format!("{switch:.1?} each"));

    report.chapter(&format!(
        "A TCP echo server with {} clients, then with a proxy between them",
        thousands(CLIENTS)
    ));
    if descriptors < CLIENTS * 5 {
        report.say(format!(
            "left out: it needs {} descriptors, and {descriptors} are allowed here",
            CLIENTS * 5
        ));
    } else {
        let (server, proxy) = sockets::start_servers()?;
        for (addr, way) in [(server, "directly"), (proxy, "through the proxy")] {
            let time = sockets::clients(addr, CLIENTS, MESSAGES)?;
            let rate = (CLIENTS * MESSAGES) as f64 / time.as_secs_f64();
            report.say(format!(
                "{way}: every byte came back, {} messages there and back per second",
                thousands(rate as u64)
            ));
        }
    }

    report.chapter(
        "The proxy against one over raw epoll, in turns (1 worker; 8-byte messages there and back)",
    );
    report.figure(
        "create a coroutine, until it is parked",
        "< 10 µs",
        format!("{:.2?}", crowd.create),
        crowd.create < Duration::from_micros(10),
    );
    report.figure(
        "switch",
        "< 1 µs",
        format!("{switch:.1?}"),
        switch < Duration::from_micros(1),
    );
    let met = overhead < PAGE;
    report.figure(
        "memory beyond the touched stack page",
        "< 4 KiB",
        format!("{} bytes", thousands(overhead)),
        met,
    );
    report.figure(
        "coroutines at once",
        "> 100,000",
        thousands(many as u64),
        many > 100_000,
    );
    corun::blocking(|| proxy::compare(&mut report, descriptors))?;

    report.table();
    Ok(())
}
