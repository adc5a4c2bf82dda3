//! When the system gives no thread for a blocking call, the caller learns why and what to do; nothing hangs.
#![cfg(target_os = "linux")]

mod bad;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Leaves the process address space for small things but not for the stack of another thread.
fn forbid_threads() {
    bad::leave_room(1 << 20);
}

fn allow_threads() {
    bad::set_limit(libc::RLIMIT_AS, libc::RLIM_INFINITY);
}

#[test]
fn an_error_that_says_what_to_do() {
    bad::passes_in_child("an_error_that_says_what_to_do", &[], || {
        let runtime = corun::Runtime::builder().workers(1).build().unwrap();
        runtime.block_on(|| {
            // What is set up on first use gets its memory now.
            corun::spawn(|| catch_unwind(|| panic!("once")).is_err())
                .join()
                .unwrap();
            forbid_threads();
            let error = corun::try_blocking(|| ()).unwrap_err();
            let panic = catch_unwind(AssertUnwindSafe(|| corun::blocking(|| ()))).unwrap_err();
            allow_threads();
            let text = error.to_string();
            assert!(
                text.contains("no thread could be started") && text.contains("ulimit -u"),
                "{text}"
            );
            assert_eq!(panic.downcast_ref::<String>(), Some(&text));
            // And once the system has recovered, so has the pool.
            assert_eq!(corun::blocking(|| 5), 5);
            forbid_threads();
            // One thread lives, so calls wait for it.
            corun::scope(|scope| {
                let calls: Vec<_> = (0..20)
                    .map(|i| scope.spawn(move || corun::try_blocking(|| i).unwrap()))
                    .collect();
                for (i, call) in calls.into_iter().enumerate() {
                    assert_eq!(call.join().unwrap(), i);
                }
            });
            allow_threads();
        });
    });
}
