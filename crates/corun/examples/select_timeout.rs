//! Select and time limits: three replicas answer a question at their own pace; whoever is first wins, but nobody waits for ever.
//!
//! ```text
//! cargo run --release --example select_timeout
//! ```

use std::time::{Duration, Instant};

use corun::channel::{Receiver, RecvTimeoutError, after, bounded, select};

/// Asks a replica that takes this long to answer.
fn ask(name: &'static str, takes: Duration) -> Receiver<&'static str> {
    // Room for the answer, so that a replica whose answer nobody waits for is not kept.
    let (sender, receiver) = bounded(1);
    corun::spawn(move || {
        corun::sleep(takes);
        let _ = sender.send(name);
    });
    receiver
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The first of two answers, or none.
fn first(one: &Receiver<&'static str>, other: &Receiver<&'static str>, limit: Duration) -> String {
    select! {
        recv(one) -> name => format!("{} answers first", name.unwrap()),
        recv(other) -> name => format!("{} answers first", name.unwrap()),
        default(limit) => format!("nobody has answered within {limit:?}"),
    }
}

/// A second question only if the first is not answered soon: most answers come at the price of one question, and no slow replica is felt.
fn hedged(limit: Duration, slow: Duration) -> String {
    let too_late = after(limit);
    let first = ask("the first", slow);
    let patience = after(ms(20));
    select! {
        recv(first) -> name => return format!("{} answers, without help", name.unwrap()),
        recv(patience) -> _ => {}
    }
    let second = ask("the second", ms(15));
    select! {
        recv(first) -> name => format!("{} answers after all", name.unwrap()),
        recv(second) -> name => format!("{} answers in its place", name.unwrap()),
        recv(too_late) -> _ => format!("given up after {limit:?}"),
    }
}

#[corun::main]
fn main() {
    let start = Instant::now();
    let say = |text: String| println!("{:>4} ms  {text}", start.elapsed().as_millis());

    say("two replicas, one of them quick".into());
    say(first(&ask("left", ms(80)), &ask("right", ms(30)), ms(50)));
    say("two slow replicas".into());
    say(first(&ask("left", ms(80)), &ask("right", ms(90)), ms(50)));

    say("asking a second one if the first has said nothing for 20 ms".into());
    say(hedged(ms(100), ms(5)));
    say(hedged(ms(100), ms(25)));
    say(hedged(ms(100), ms(500)));
    say(hedged(ms(30), ms(500)));

    say("one receiver and a limit need no select".into());
    match ask("the slow one", ms(500)).recv_timeout(ms(10)) {
        Ok(name) => say(format!("{name} answers")),
        Err(RecvTimeoutError::Timeout) => say("not within 10 ms".into()),
        Err(RecvTimeoutError::Disconnected) => say("and never will".into()),
    }

    say("a limit for any code, however deep it waits".into());
    match corun::timeout(ms(10), || ask("the slow one", ms(500)).recv()) {
        Ok(answer) => say(format!("{answer:?}")),
        Err(elapsed) => say(format!("{elapsed}")),
    }
}
