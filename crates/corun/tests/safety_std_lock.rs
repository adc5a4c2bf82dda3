//! A known violator of the axiom in docs/safety.md: a lock of std, held across a suspension, that a second coroutine of the same worker
//! wants. The worker blocks, and with it the coroutine that would unlock. Each case runs in a process of its own.

mod child;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::{Mutex, Once};
use std::time::Duration;

/// How long nothing has to happen before we believe in a deadlock.
const PATIENCE: Duration = Duration::from_secs(3);
/// Within this time the good case ends on any machine.
const AMPLE: Duration = Duration::from_secs(60);

/// Starts the child and returns whether it comes to its end within a time.
fn ends(mut command: Command, time: Duration) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("about to lock") {
        line.clear();
        assert_ne!(
            out.read_line(&mut line).expect("readable"),
            0,
            "it ended before it came to the lock"
        );
    }
    let (sender, end) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut rest = String::new();
        let _ = out.read_to_string(&mut rest);
        let _ = sender.send(rest);
    });
    let ended = end.recv_timeout(time).is_ok();
    if !ended {
        child.kill().expect("it is our child");
    }
    let status = child.wait().expect("it is our child");
    reader.join().expect("no panic");
    assert_eq!(ended, status.success(), "{status}");
    ended
}

/// Two coroutines of one worker run `critical`, which tells the other one by a yield that it is inside.
fn two_of_one_worker(critical: fn()) {
    let runtime = corun::Runtime::builder()
        .workers(1)
        .build()
        .expect("a runtime");
    runtime.block_on(move || {
        let first = corun::spawn_local(critical);
        let second = corun::spawn_local(critical);
        println!("about to lock");
        first.join().expect("no panic");
        second.join().expect("no panic");
    });
}

#[test]
fn a_mutex_of_std_held_across_a_suspension_is_a_deadlock() {
    static LOCK: Mutex<()> = Mutex::new(());
    if let Some(command) =
        child::command("a_mutex_of_std_held_across_a_suspension_is_a_deadlock", &[])
    {
        assert!(!ends(command, PATIENCE));
        return;
    }
    two_of_one_worker(|| {
        let _guard = LOCK.lock();
        corun::yield_now();
    });
}

#[test]
fn a_once_of_std_that_suspends_is_a_deadlock() {
    static ONCE: Once = Once::new();
    if let Some(command) = child::command("a_once_of_std_that_suspends_is_a_deadlock", &[]) {
        assert!(!ends(command, PATIENCE));
        return;
    }
    two_of_one_worker(|| ONCE.call_once(corun::yield_now));
}

/// The remedy, and the proof that the cases above end for no other reason: no suspension inside.
#[test]
fn a_mutex_of_std_held_for_a_moment_does_no_harm() {
    static LOCK: Mutex<()> = Mutex::new(());
    if let Some(command) = child::command("a_mutex_of_std_held_for_a_moment_does_no_harm", &[]) {
        assert!(ends(command, AMPLE));
        return;
    }
    two_of_one_worker(|| {
        drop(LOCK.lock());
        corun::yield_now();
    });
}
