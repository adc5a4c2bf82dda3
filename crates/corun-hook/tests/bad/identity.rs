//! Bad days of coroutines with thread-locals of their own.
#![cfg(target_arch = "x86_64")]

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::{CHILD, in_child, on_one_worker};

fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX {
        return frame[0];
    }
    deeper(depth + 1) + black_box(frame)[63]
}

/// The handler finds the stack by its address, and needs no thread-locals for it.
#[test]
fn an_overflow_of_the_stack_is_reported_and_ends_the_process() {
    let name = "identity::an_overflow_of_the_stack_is_reported_and_ends_the_process";
    if std::env::var_os(CHILD).is_some() {
        // SAFETY: a number is returned, if anything.
        on_one_worker(|| unsafe { corun_hook::as_thread(|| black_box(deeper(0))) });
        std::process::exit(0);
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert_eq!(child.status.signal(), Some(libc::SIGABRT), "{said}");
    assert!(said.contains("has overflowed"), "{said}");
}

/// The watch thread interrupts it, and finds neither worker nor coroutine by its thread-locals. Others go on.
#[test]
fn one_that_computes_for_long_does_no_harm() {
    let name = "identity::one_that_computes_for_long_does_no_harm";
    let child = in_child(name, || {
        on_one_worker(|| {
            let others = corun::spawn(|| {
                corun::spawn(|| thread::sleep(Duration::from_millis(1)))
                    .join()
                    .unwrap();
            });
            // SAFETY: nothing is returned.
            unsafe {
                corun_hook::as_thread(|| {
                    let start = std::time::Instant::now();
                    while start.elapsed() < Duration::from_millis(200) {
                        black_box(deeper(u64::MAX));
                    }
                    thread::sleep(Duration::from_millis(1));
                });
            }
            others.join().unwrap();
        });
    });
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(!said.contains("panicked"), "{said}");
}
