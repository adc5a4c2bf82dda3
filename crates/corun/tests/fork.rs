//! `fork` in a program that uses corun: what the child may do, and that the parent does not notice.
#![cfg(unix)]

mod child;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Forks; in the child runs `f` and returns `None`, in the parent the child's exit status.
///
/// # Safety
/// This process may have several threads, so `f` is for what corun allows in such a child.
unsafe fn fork(f: impl FnOnce()) -> Option<i32> {
    // SAFETY: as the caller says.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        f();
        return None;
    }
    let mut status = 0;
    // SAFETY: waits for the child from above.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    Some(if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        -1
    })
}

/// Each test runs in a process of its own, because its child leaves by `exit`, with what that flushes and runs.
macro_rules! forking {
    ($(fn $name:ident() $body:block)*) => {$(
        #[test]
        fn $name() {
            for workers in ["1", "2", "8"] {
                if let Some(output) = child::run(stringify!($name), &[("CORUN_WORKERS", workers)]) {
                    assert!(output.status.success(), "{workers} workers: {}", child::text(&output));
                    continue;
                }
                $body
                break;
            }
        }
    )*};
}

forking! {
    fn a_coroutine_goes_on_as_a_plain_thread() {
        let others = Arc::new(AtomicU32::new(0));
        let parent = corun::spawn(move || {
            for _ in 0..10 {
                let others = others.clone();
                corun::spawn(move || loop {
                    others.fetch_add(1, Ordering::Relaxed);
                    corun::yield_now();
                });
            }
            while others.load(Ordering::Relaxed) < 100 {
                corun::yield_now();
            }
            // SAFETY: the child does what corun allows.
            let status = unsafe { fork(|| {
                let before = others.load(Ordering::Relaxed);
                let start = Instant::now();
                corun::sleep(Duration::from_millis(5));
                assert!(start.elapsed() >= Duration::from_millis(5));
                for _ in 0..10 {
                    corun::yield_now();
                }
                assert_eq!(corun::blocking(|| 1), 1);
                assert_eq!(others.load(Ordering::Relaxed), before, "no other coroutine runs here");
            }) };
            // The child's closure returns here, and with it the child's process ends, with success.
            let Some(status) = status else { return };
            assert_eq!(status, 0);
            // The parent goes on as before.
            assert_eq!(corun::spawn(|| 3).join().unwrap(), 3);
        });
        parent.join().unwrap();
    }

    fn the_default_runtime_is_made_anew() {
        // QEMU fails an assertion of its own when the child of a fork starts a thread.
        if child::is_emulated() {
            return;
        }
        assert_eq!(corun::spawn(|| 1).join().unwrap(), 1);
        for from_coroutine in [false, true] {
            let body = move || {
                // SAFETY: the child does what corun allows.
                let status = unsafe { fork(|| {
                    let sum: u32 = (0..100).map(|n| corun::spawn(move || n)).map(|handle| handle.join().unwrap()).sum();
                    let slept = corun::spawn(|| corun::sleep(Duration::from_millis(1)));
                    let blocked = corun::spawn(|| corun::blocking(|| 7));
                    let right = sum == 4950 && slept.join().is_ok() && blocked.join().unwrap() == 7;
                    std::process::exit(if right { 42 } else { 1 });
                }) };
                assert_eq!(status, Some(42));
            };
            if from_coroutine { corun::spawn(body).join().unwrap() } else { body() }
        }
        assert_eq!(corun::spawn(|| 2).join().unwrap(), 2);
    }

    fn a_new_runtime_may_be_made_and_the_old_one_dropped() {
        // QEMU fails an assertion of its own when the child of a fork starts a thread.
        if child::is_emulated() {
            return;
        }
        let old = corun::Runtime::new().unwrap();
        old.block_on(|| ());
        // SAFETY: the child does what corun allows.
        let status = unsafe { fork(|| {
            let new = corun::Runtime::builder().workers(2).build().unwrap();
            let right = new.block_on(|| corun::spawn(|| 5).join().unwrap()) == 5;
            new.shutdown(Duration::from_secs(10)).unwrap();
            // Its threads are in the parent.
            drop(old);
            std::process::exit(if right { 42 } else { 1 });
        }) };
        assert_eq!(status, Some(42));
    }

    fn a_panic_in_the_child_stays_there() {
        let parent = corun::spawn(|| {
            // SAFETY: the child does what corun allows.
            let status = unsafe { fork(|| panic!("in the child")) };
            assert_eq!(status, Some(0), "as with the last thread of a process, the panic ends the thread only");
        });
        parent.join().unwrap();
    }

    fn sockets_work_on_both_sides() {
        use corun::net::unix::UnixStream;
        let parent = corun::spawn(|| {
            let (mut here, there) = UnixStream::pair().unwrap();
            let echo = corun::spawn({
                let mut there = there.try_clone().unwrap();
                move || {
                    let mut byte = [0];
                    there.read_exact(&mut byte).unwrap();
                    there.write_all(&byte).unwrap();
                    there
                }
            });
            // Both ends get registered with the parent's reactors.
            let mut byte = [0];
            here.write_all(&[1]).unwrap();
            here.read_exact(&mut byte).unwrap();
            let echoed = echo.join().unwrap();
            let reader = corun::spawn({
                let mut here = here.try_clone().unwrap();
                move || {
                    let mut byte = [0];
                    here.read_exact(&mut byte).unwrap();
                    byte[0]
                }
            });
            for _ in 0..10 {
                corun::yield_now();
            }
            let mut ends = Some((here, there, echoed));
            // SAFETY: the child does what corun allows.
            let status = unsafe { fork(|| {
                // A pair of the child's own, used by blocking, and the parent's ends dropped.
                let (mut a, mut b) = UnixStream::pair().unwrap();
                a.write_all(&[5]).unwrap();
                let mut byte = [0];
                b.read_exact(&mut byte).unwrap();
                assert_eq!(byte, [5]);
                a.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
                assert!(a.read(&mut byte).is_err());
                drop(ends.take());
                std::process::exit(42);
            }) };
            assert_eq!(status, Some(42));
            // The reader in the parent is still served.
            ends.as_mut().unwrap().2.write_all(&[9]).unwrap();
            assert_eq!(reader.join().unwrap(), 9);
        });
        parent.join().unwrap();
    }
}
