//! When the system gives no threads, a runtime says so, leaves nothing behind, and can be made once it does.
#![cfg(target_os = "linux")]

mod bad;

use std::time::Instant;

use bad::{passes_in_child, set_limit};
use corun::{Builder, Runtime};

/// Leaves room for so many MiB of address space more than now. The stack of a thread takes two.
fn leave_room(megabytes: u64) {
    bad::leave_room(megabytes << 20);
}

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_runtime_is_made_whole_or_not_at_all() {
    passes_in_child("a_runtime_is_made_whole_or_not_at_all", &[], || {
        let before = (count("/proc/self/task"), count("/proc/self/fd"));
        // None starts; some start and then one does not.
        for room in [1, 7] {
            leave_room(room);
            let result = Runtime::builder().workers(16).build();
            set_limit(libc::RLIMIT_AS, u64::MAX);
            let error = result.expect_err("there is no room for 16 threads");
            assert!(
                error.raw_os_error().is_some(),
                "the system's own error: {error}"
            );
            let start = Instant::now();
            while (count("/proc/self/task"), count("/proc/self/fd")) != before {
                assert!(
                    start.elapsed().as_secs() < 60,
                    "threads or descriptors of the failed runtime stay"
                );
                std::thread::yield_now();
            }
        }
        let runtime = Runtime::builder().workers(16).build().unwrap();
        assert_eq!(runtime.block_on(|| corun::spawn(|| 5).join().unwrap()), 5);
    });
}

#[test]
fn the_default_runtime_is_tried_again() {
    passes_in_child(
        "the_default_runtime_is_tried_again",
        &[("CORUN_WORKERS", "8")],
        || {
            leave_room(1);
            let error = Builder::new().spawn(|| ()).err();
            let panic = std::panic::catch_unwind(|| drop(corun::spawn(|| ()))).err();
            set_limit(libc::RLIMIT_AS, u64::MAX);
            assert!(
                error
                    .expect("there is no room for a thread")
                    .raw_os_error()
                    .is_some()
            );
            let text = *panic.unwrap().downcast::<String>().unwrap();
            assert!(
                text.starts_with("failed to start the default runtime: "),
                "{text}"
            );
            assert_eq!(corun::spawn(|| 6).join().unwrap(), 6);
        },
    );
}

#[test]
fn a_wrong_variable_is_named() {
    passes_in_child(
        "a_wrong_variable_is_named",
        &[("CORUN_WORKERS", "two")],
        || {
            let error = Builder::new().spawn(|| ()).err().unwrap();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            let expected = "the environment variable CORUN_WORKERS is \"two\"; expected a whole number of worker threads, as in 4";
            assert_eq!(error.to_string(), expected);
            let panic = std::panic::catch_unwind(|| drop(corun::spawn(|| ()))).unwrap_err();
            assert_eq!(
                *panic.downcast::<String>().unwrap(),
                format!("failed to start the default runtime: {expected}")
            );
        },
    );
}
