//! A `LocalRuntime` driven by a loop of the host's, which waits for its descriptor, and what happens when it is dropped early.
#![cfg(unix)]

use std::cell::{Cell, RefCell};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use corun::runtime::LocalRuntime;

/// Waits as a host does that knows of nothing but the descriptor.
fn wait(runtime: &LocalRuntime) {
    let mut entry = libc::pollfd {
        fd: runtime.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid entry. A minute is for ever here.
    let ready = unsafe { libc::poll(&raw mut entry, 1, 60_000) };
    assert_eq!(ready, 1, "the descriptor did not become readable");
}

/// The host's loop. Returns how often it has polled.
fn drive(runtime: &LocalRuntime, done: impl Fn() -> bool) -> usize {
    let mut polls = 0;
    loop {
        while runtime.poll() {
            polls += 1;
        }
        if done() {
            return polls;
        }
        wait(runtime);
        polls += 1;
    }
}

#[test]
#[cfg(target_os = "linux")]
fn timers_make_the_descriptor_readable() {
    let runtime = LocalRuntime::new().unwrap();
    let order = Rc::new(RefCell::new(Vec::new()));
    let start = Instant::now();
    for ms in [30, 10, 20] {
        let order = Rc::clone(&order);
        runtime.spawn_local(move || {
            corun::sleep_until(start + Duration::from_millis(ms));
            assert!(start.elapsed() >= Duration::from_millis(ms));
            order.borrow_mut().push(ms);
        });
    }
    let polls = drive(&runtime, || order.borrow().len() == 3);
    assert_eq!(*order.borrow(), [10, 20, 30]);
    // It waited, and did not spin.
    assert!(polls < 100, "{polls}");
    assert_eq!(runtime.next_deadline(), None);
}

#[test]
#[cfg(target_os = "linux")]
fn sockets_make_the_descriptor_readable() {
    let runtime = LocalRuntime::new().unwrap();
    let socket = corun::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let reader = runtime.spawn_local(move || {
        let mut buffer = [0; 16];
        let count = socket.recv(&mut buffer).unwrap();
        buffer[..count].to_vec()
    });
    runtime.run_until_idle();
    assert!(!reader.is_finished());
    let sender = std::thread::spawn(move || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"hello", address).unwrap();
    });
    drive(&runtime, || reader.is_finished());
    assert_eq!(reader.join().unwrap(), b"hello");
    sender.join().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn wake_ups_by_other_threads_make_the_descriptor_readable() {
    let runtime = LocalRuntime::new().unwrap();
    let sleeper = runtime.spawn_local(|| (0..100).for_each(|_| corun::park()));
    let waker = std::thread::spawn({
        let sleeper = sleeper.coroutine().clone();
        move || {
            while sleeper.state() != corun::State::Completed {
                sleeper.unpark();
                std::thread::yield_now();
            }
        }
    });
    drive(&runtime, || sleeper.is_finished());
    waker.join().unwrap();
    sleeper.join().unwrap();
}

#[test]
fn two_of_them_on_one_thread_keep_apart() {
    let (first, second) = (LocalRuntime::new().unwrap(), LocalRuntime::new().unwrap());
    let turns = Rc::new(RefCell::new(String::new()));
    for (runtime, letter) in [(&first, 'a'), (&second, 'b')] {
        let turns = Rc::clone(&turns);
        runtime.spawn_local(move || {
            for _ in 0..3 {
                turns.borrow_mut().push(letter);
                corun::park();
            }
        });
    }
    first.run_until_idle();
    assert_eq!(*turns.borrow(), "a");
    second.run_until_idle();
    assert_eq!(*turns.borrow(), "ab");
    assert!(!first.poll() && !second.poll());
}

#[test]
fn it_cannot_be_driven_from_inside() {
    let runtime = Rc::new(LocalRuntime::new().unwrap());
    let inside = Rc::clone(&runtime);
    let refused = runtime.block_on(move || {
        let poll = catch_unwind(AssertUnwindSafe(|| inside.poll())).is_err();
        let block_on = catch_unwind(AssertUnwindSafe(|| inside.block_on(|| ()))).is_err();
        poll && block_on
    });
    assert!(refused);
}

#[test]
fn inside_a_coroutine_of_another_runtime() {
    let sum = corun::spawn(|| {
        let local = LocalRuntime::new().unwrap();
        let shared = Rc::new(Cell::new(0));
        let sum = local.block_on(|| {
            let others: Vec<_> = (1..=10)
                .map(|n| {
                    let shared = Rc::clone(&shared);
                    corun::spawn_local(move || {
                        corun::sleep(Duration::from_micros(n));
                        shared.set(shared.get() + n);
                    })
                })
                .collect();
            others.into_iter().for_each(|other| other.join().unwrap());
            shared.get()
        });
        // Back on the outer runtime.
        corun::yield_now();
        sum
    });
    assert_eq!(sum.join().unwrap(), 55);
}

struct Noisy(Rc<Cell<u32>>);

impl Drop for Noisy {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn dropped_early_it_drops_what_has_not_started_and_leaves_what_is_suspended() {
    let drops = Rc::new(Cell::new(0));
    let runtime = LocalRuntime::new().unwrap();
    let suspended = runtime.spawn_local({
        let noisy = Noisy(Rc::clone(&drops));
        move || {
            corun::park();
            drop(noisy);
        }
    });
    runtime.run_until_idle();
    let unstarted = runtime.spawn_local({
        let noisy = Noisy(Rc::clone(&drops));
        move || drop(noisy)
    });
    let handle = runtime.handle().clone();
    drop(runtime);
    // The closure that never ran is gone, and its handle says so; a stack that was not unwound is left alone.
    assert_eq!(drops.get(), 1);
    assert!(unstarted.join().is_err());
    assert!(!suspended.is_finished());
    suspended.coroutine().unpark();
    assert_eq!(drops.get(), 1);
    let refused = corun::Builder::new().spawn_on(&handle, || ());
    assert!(refused.is_err());
}
