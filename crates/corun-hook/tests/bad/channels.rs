//! Channels that take the coroutines of a worker for one thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::{in_child, let_others_wait, on_one_worker};

#[test]
fn a_wait_that_its_own_worker_cannot_end_is_reported() {
    let output = in_child(
        "channels::a_wait_that_its_own_worker_cannot_end_is_reported",
        || {
            on_one_worker(|| {
                let (tell, told) = mpsc::channel();
                let receiver = corun::Builder::new().name("receiver".into());
                let receiver = receiver.spawn(move || (told.recv(), told.recv())).unwrap();
                let_others_wait();
                tell.send("from a coroutine").unwrap();
                // Time for the report.
                thread::sleep(Duration::from_secs(4));
                assert!(!receiver.is_finished());
                let other = thread::spawn(move || tell.send("from a thread").unwrap());
                assert_eq!(
                    receiver.join().unwrap(),
                    (Ok("from a coroutine"), Ok("from a thread"))
                );
                other.join().unwrap();
            });
        },
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the coroutine receiver (number"), "{said}");
    assert_eq!(said.matches("corun-hook:").count(), 1, "{said}");
}

#[test]
fn other_long_waits_are_not_reported() {
    let output = in_child("channels::other_long_waits_are_not_reported", || {
        on_one_worker(|| {
            let (flag, until) = (AtomicBool::new(false), Duration::from_secs(3));
            corun::scope(|scope| {
                let parked = scope.spawn(|| {
                    while !flag.load(Ordering::SeqCst) {
                        thread::park();
                    }
                });
                thread::sleep(until);
                flag.store(true, Ordering::SeqCst);
                thread::current().unpark();
                parked.join().unwrap();
            });
        });
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("corun-hook:"), "{said}");
}

#[test]
fn another_worker_or_thread_ends_it() {
    in_child("channels::another_worker_or_thread_ends_it", || {
        on_one_worker(|| {
            let (ask, asked) = mpsc::channel();
            let (tell, told) = mpsc::sync_channel(0);
            let server = thread::spawn(move || {
                while let Ok(number) = asked.recv() {
                    tell.send(number + 1).unwrap();
                }
            });
            let clients = corun::spawn(move || {
                for number in 0..1000 {
                    ask.send(number).unwrap();
                    assert_eq!(told.recv(), Ok(number + 1));
                }
            });
            clients.join().unwrap();
            server.join().unwrap();
        });
    });
}
