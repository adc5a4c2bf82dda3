//! `as_thread`: thread-locals that belong to one coroutine.
#![cfg(target_arch = "x86_64")]

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use crate::common::{check, errno, let_others_wait, on_one_worker, on_workers, set_errno};

/// Starts a coroutine with thread-locals of its own.
fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> corun::JoinHandle<T> {
    // SAFETY: no test returns what refers to thread-locals.
    corun::spawn(move || unsafe { corun_hook::as_thread(body) })
}

struct Counted(u32);

static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Counted {
    fn drop(&mut self) {
        // A destructor may use thread-locals, and wait.
        NUMBER.set(self.0);
        thread::sleep(Duration::from_millis(1));
        assert_eq!(NUMBER.get(), self.0);
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(7) };
    static MADE: RefCell<Vec<Counted>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn thread_locals_are_there_for_one_and_destroyed() {
    on_one_worker(|| {
        NUMBER.set(1000);
        let coroutines: Vec<_> = (0..100)
            .map(|number| {
                spawn(move || {
                    assert_eq!(NUMBER.get(), 7, "in its first state");
                    for round in 0..10 {
                        NUMBER.set(number + round);
                        MADE.with_borrow_mut(|made| {
                            made.push(Counted(number));
                            // Borrowed, while all the others borrow theirs.
                            thread::sleep(Duration::from_millis(1));
                        });
                        assert_eq!(NUMBER.get(), number + round);
                    }
                    MADE.with_borrow(Vec::len)
                })
            })
            .collect();
        for coroutine in coroutines {
            assert_eq!(coroutine.join().unwrap(), 10);
        }
        assert_eq!(DROPPED.load(Ordering::SeqCst), 1000);
        assert_eq!(NUMBER.get(), 1000, "the worker's own");
        assert!(MADE.with_borrow(Vec::is_empty));
    });
}

/// std knows them as threads of their own, with a token each: see `parker.rs` for what it is without.
#[test]
fn each_parks_for_itself() {
    for workers in [1, 2, 8] {
        on_workers(workers, || {
            let (tell, told) = mpsc::channel();
            let coroutines: Vec<_> = (0..50)
                .map(|number| {
                    let tell = tell.clone();
                    spawn(move || {
                        tell.send((number, thread::current())).unwrap();
                        thread::park();
                        tell.send((number, thread::current())).unwrap();
                    })
                })
                .collect();
            let parked: Vec<_> = (0..50).map(|_| told.recv().unwrap()).collect();
            for (number, parked) in parked.iter().rev() {
                parked.unpark();
                let (who, thread) = told.recv().unwrap();
                assert_eq!((who, thread.id()), (*number, parked.id()));
            }
            for coroutine in coroutines {
                coroutine.join().unwrap();
            }
        });
    }
}

/// A channel of std keeps whoever waits in a thread-local.
#[test]
fn channels_of_std() {
    on_one_worker(|| {
        let (first, mut before) = mpsc::sync_channel(0);
        let mut coroutines = Vec::new();
        for _ in 0..100 {
            let (next, after) = mpsc::sync_channel(0);
            coroutines.push(spawn(move || {
                for value in before {
                    next.send(value + 1).unwrap();
                }
            }));
            before = after;
        }
        coroutines.push(spawn(move || {
            (0..20).for_each(|value| first.send(value).unwrap())
        }));
        let last: Vec<u32> = spawn(move || before.iter().collect()).join().unwrap();
        assert_eq!(last, (100..120).collect::<Vec<_>>());
        for coroutine in coroutines {
            coroutine.join().unwrap();
        }
    });
}

#[test]
fn panics_are_counted_for_one() {
    on_one_worker(|| {
        struct Waits;
        impl Drop for Waits {
            fn drop(&mut self) {
                assert!(thread::panicking());
                thread::sleep(Duration::from_millis(5));
                assert!(thread::panicking());
            }
        }
        let failing: Vec<_> = (0..5)
            .map(|number| {
                spawn(move || {
                    let _waits = Waits;
                    MADE.with_borrow_mut(|made| made.clear());
                    std::panic::panic_any(number);
                })
            })
            .collect();
        let watching = spawn(|| {
            for _ in 0..10 {
                assert!(!thread::panicking());
                thread::sleep(Duration::from_millis(1));
            }
        });
        watching.join().unwrap();
        for (number, failing) in failing.into_iter().enumerate() {
            let payload = failing.join().unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&(number as i32)));
        }
        assert!(!thread::panicking());
    });
}

#[test]
fn errno_is_kept_for_one() {
    on_one_worker(|| {
        let coroutines: Vec<_> = (1..50)
            .map(|number| {
                spawn(move || {
                    set_errno(number);
                    for _ in 0..10 {
                        thread::sleep(Duration::from_millis(1));
                        assert_eq!(errno(), number, "what succeeds leaves it alone");
                    }
                    // SAFETY: no such descriptor, and nothing to write to.
                    let failed = check(unsafe { libc::read(-1, std::ptr::null_mut(), 0) });
                    assert_eq!(failed.unwrap_err().raw_os_error(), Some(libc::EBADF));
                })
            })
            .collect();
        for coroutine in coroutines {
            coroutine.join().unwrap();
        }
    });
}

#[test]
fn threads_and_processes_are_started() {
    on_one_worker(|| {
        let coroutines: Vec<_> = (0..10)
            .map(|number| {
                spawn(move || {
                    let thread = thread::spawn(move || {
                        NUMBER.set(number);
                        thread::sleep(Duration::from_millis(1));
                        NUMBER.get()
                    });
                    assert_eq!(thread.join().unwrap(), number);
                    let code = format!("exit {number}");
                    let status = Command::new("sh").args(["-c", &code]).status().unwrap();
                    assert_eq!(status.code(), Some(number as i32));
                    // SAFETY: the child ends at once; the status is ours.
                    unsafe {
                        let child = libc::fork();
                        if child == 0 {
                            libc::_exit(number as i32 + 1);
                        }
                        let mut status = 0;
                        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
                        assert_eq!(libc::WEXITSTATUS(status), number as i32 + 1);
                    }
                })
            })
            .collect();
        for coroutine in coroutines {
            coroutine.join().unwrap();
        }
    });
}

/// To corun it is a plain thread, which blocks; what it blocks in is hooked.
#[test]
fn calls_of_corun_block_no_worker() {
    on_one_worker(|| {
        let (sender, receiver) = corun::channel::bounded(0);
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let receiver = receiver.clone();
                spawn(move || receiver.recv().unwrap())
            })
            .collect();
        let_others_wait();
        let sending = spawn(move || (0..20).for_each(|value| sender.send(value).unwrap()));
        let mut all: Vec<i32> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
        sending.join().unwrap();
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
        spawn(|| corun::sleep(Duration::from_millis(1)))
            .join()
            .unwrap();
    });
}

#[test]
fn a_barrier_of_std_lets_all_through() {
    on_workers(2, || {
        let barrier = Arc::new(Barrier::new(200));
        let coroutines: Vec<_> = (0..200)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                spawn(move || barrier.wait().is_leader())
            })
            .collect();
        let leaders = coroutines.into_iter().map(|one| one.join().unwrap());
        assert_eq!(leaders.filter(|leader| *leader).count(), 1);
    });
}

/// Elsewhere it is nothing but a call.
#[test]
fn it_is_a_call_on_threads_and_inside_of_itself() {
    NUMBER.set(3);
    // SAFETY: a number is returned.
    assert_eq!(unsafe { corun_hook::as_thread(|| NUMBER.get()) }, 3);
    let inner = on_one_worker(|| {
        spawn(|| {
            NUMBER.set(4);
            // SAFETY: a number is returned.
            unsafe { corun_hook::as_thread(|| NUMBER.get()) }
        })
        .join()
        .unwrap()
    });
    assert_eq!(inner, 4);
}
