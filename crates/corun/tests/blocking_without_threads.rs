//! When the system gives no thread for a blocking call, the caller learns why and what to do; nothing hangs.
#![cfg(target_os = "linux")]

mod child;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Leaves the process address space for small things but not for the stack of another thread.
fn forbid_threads() {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split_whitespace().next().unwrap().parse().unwrap();
    let limit = pages * 4096 + (1 << 20);
    let limit = libc::rlimit {
        rlim_cur: limit,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: a valid structure.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

fn allow_threads() {
    let limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: a valid structure.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

#[test]
fn an_error_that_says_what_to_do() {
    if let Some(output) = child::run("an_error_that_says_what_to_do", &[]) {
        assert!(output.status.success(), "{}", child::text(&output));
        return;
    }
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
}
