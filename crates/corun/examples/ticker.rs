//! Steady ticks, three ways: a channel that ticks among other things to wait for, an interval that was missed, and a timer that is put off.
//!
//! ```text
//! cargo run --release --example ticker
//! ```

use std::io::{self, Write};
use std::time::Duration;

use corun::channel::{bounded, select, tick};
use corun::time::{MissedTickBehavior, Timer, interval, now};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Reports that something is under way, until it is done.
fn progress() {
    let (done, result) = bounded(1);
    corun::spawn(move || {
        corun::sleep(ms(330));
        done.send(42)
    });
    let ticker = tick(ms(50));
    print!("a long computation ");
    loop {
        select! {
            recv(ticker) -> _ => {
                print!(".");
                let _ = io::stdout().flush();
            }
            recv(result) -> answer => break println!(" {}", answer.unwrap()),
        }
    }
}

/// What becomes of ticks that nobody was there for: the third takes too long.
fn missed(behavior: MissedTickBehavior) {
    let start = now();
    let mut ticks = interval(ms(40));
    ticks.set_missed_tick_behavior(behavior);
    let mut line = String::new();
    while start.elapsed() < ms(500) {
        ticks.tick();
        // One column for each 10 ms; a tick that finds its place taken comes right behind the one before.
        let column = start.elapsed().as_millis() as usize / 10;
        while line.len() < column {
            line.push('.');
        }
        line.push('|');
        if line.matches('|').count() == 3 {
            corun::sleep(ms(175));
        }
    }
    println!("{:<5}  {line}", format!("{behavior:?}"));
}

/// Barks when nobody has fed it for 60 ms.
fn watchdog() {
    let dog = Timer::new(ms(60));
    let start = now();
    corun::scope(|scope| {
        scope.spawn(|| {
            for pause in [20, 40, 30, 50, 200] {
                corun::sleep(ms(pause));
                if dog.reset(ms(60)) {
                    println!("{:>4} ms  fed", start.elapsed().as_millis());
                } else {
                    dog.stop();
                    println!("{:>4} ms  fed too late", start.elapsed().as_millis());
                }
            }
        });
        dog.wait();
        println!("{:>4} ms  the watchdog barks", start.elapsed().as_millis());
    });
}

#[corun::main]
fn main() {
    progress();
    println!("ticks of 40 ms, of which some are missed:");
    for behavior in [
        MissedTickBehavior::Burst,
        MissedTickBehavior::Delay,
        MissedTickBehavior::Skip,
    ] {
        missed(behavior);
    }
    println!("a watchdog with 60 ms of patience:");
    watchdog();
}
