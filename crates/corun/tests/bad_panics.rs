//! Panics where they hurt most: in destructors, in results that nobody takes, while others run.

mod child;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

#[corun::test(workers = [1, 2, 8])]
fn in_a_destructor_of_the_coroutine() {
    let result = corun::spawn(|| {
        let _bomb = Bomb("dropped at the end");
        corun::yield_now();
        5
    });
    assert!(result.join().is_err());
    // A local that a destructor panics for: the value is as good as before.
    corun::coroutine_local!(static LOCAL: Bomb = Bomb("a local"));
    let result = corun::spawn(|| LOCAL.with(|bomb| bomb.0.len()));
    assert_eq!(result.join().unwrap(), 7);
    assert_eq!(corun::spawn(|| 6).join().unwrap(), 6);
}

#[corun::test(workers = [1, 2, 8])]
fn of_many_while_others_run() {
    let steps = Arc::new(AtomicUsize::new(0));
    let steady: Vec<_> = (0..20)
        .map(|_| {
            let steps = steps.clone();
            corun::spawn(move || {
                for _ in 0..100 {
                    steps.fetch_add(1, Ordering::Relaxed);
                    corun::yield_now();
                }
            })
        })
        .collect();
    let panicking: Vec<_> = (0..500_usize)
        .map(|i| {
            corun::spawn(move || {
                for _ in 0..i % 5 {
                    corun::yield_now();
                }
                resume_unwind(Box::new(i));
            })
        })
        .collect();
    for (i, handle) in panicking.into_iter().enumerate() {
        let handle: corun::JoinHandle<()> = handle;
        assert_eq!(handle.join().unwrap_err().downcast_ref(), Some(&i));
    }
    for handle in steady {
        handle.join().unwrap();
    }
    assert_eq!(steps.load(Ordering::Relaxed), 2000);
}

#[corun::test(workers = 2)]
fn a_payload_whose_destructor_panics_is_the_joiners() {
    let payload = corun::spawn(|| resume_unwind(Box::new(Bomb("a payload"))))
        .join()
        .map(|(): ()| ())
        .unwrap_err();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(payload))).is_err());
}

/// Runs the test of that name in a child, which must be ended by SIGABRT, having said `words`.
#[cfg(unix)]
fn aborts(name: &str, words: &str) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let Some(output) = child::run(name, &[]) else {
        return false;
    };
    let text = child::text(&output);
    assert!(
        output.status.signal() == Some(libc::SIGABRT) && text.contains(words),
        "{text}"
    );
    true
}

#[cfg(unix)]
#[test]
fn a_second_panic_while_unwinding_ends_the_process_as_with_threads() {
    if aborts(
        "a_second_panic_while_unwinding_ends_the_process_as_with_threads",
        "coroutine 'twice'",
    ) {
        return;
    }
    let twice = corun::Builder::new().name("twice".into()).spawn(|| {
        let _bomb = Bomb("second");
        panic!("first");
    });
    let _ = twice.unwrap().join();
    unreachable!();
}

#[cfg(unix)]
#[test]
fn an_unread_result_that_panics_when_it_is_dropped_ends_the_process_as_with_threads() {
    if aborts(
        "an_unread_result_that_panics_when_it_is_dropped_ends_the_process_as_with_threads",
        "fatal",
    ) {
        return;
    }
    drop(corun::spawn(|| Bomb("nobody reads it")));
    loop {
        std::thread::yield_now();
    }
}
