//! A `LocalRuntime` is woken by other threads, whether it waits itself or its host does.
#![cfg(unix)]

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use corun::runtime::LocalRuntime;

/// Waits until the descriptor is readable. Fails after a time that no wake-up takes.
fn wait_readable(runtime: &LocalRuntime) {
    let mut entry = libc::pollfd {
        fd: runtime.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid entry.
    let count = unsafe { libc::poll(&raw mut entry, 1, 20_000) };
    assert_eq!(count, 1, "the descriptor did not become readable");
}

#[test]
fn each_spawn_from_another_thread_ends_the_sleep_of_block_on() {
    let runtime = LocalRuntime::new().unwrap();
    let handle = runtime.handle().clone();
    runtime.block_on(|| {
        let (me, done) = (corun::current(), Arc::new(AtomicU32::new(0)));
        let spawner = thread::spawn({
            let done = Arc::clone(&done);
            move || {
                for n in 0..5 {
                    // Time for the runtime to go to sleep for good. Whether it has done so decides nothing but what is tested.
                    thread::sleep(Duration::from_millis(30));
                    assert_eq!(handle.block_on(|| n), n);
                }
                done.store(1, Ordering::Release);
                me.unpark();
            }
        });
        while done.load(Ordering::Acquire) == 0 {
            corun::park();
        }
        spawner.join().unwrap();
    });
}

#[test]
fn the_descriptor_tells_of_spawns_and_wake_ups_by_other_threads() {
    let runtime = LocalRuntime::new().unwrap();
    let count = Rc::new(Cell::new(0));
    let sleeper = runtime.spawn_local({
        let count = Rc::clone(&count);
        move || {
            for _ in 0..50 {
                corun::park();
                count.set(count.get() + 1);
            }
        }
    });
    runtime.run_until_idle();
    let served = Arc::new(AtomicU32::new(0));
    for round in 1..=50 {
        let (sleeper, handle) = (sleeper.coroutine().clone(), runtime.handle().clone());
        let spawner = thread::spawn({
            let served = Arc::clone(&served);
            move || {
                sleeper.unpark();
                handle.block_on(|| served.fetch_add(1, Ordering::Relaxed))
            }
        });
        let is_done = || count.get() == round && served.load(Ordering::Relaxed) == round;
        while !is_done() {
            if !runtime.poll() && !is_done() {
                wait_readable(&runtime);
            }
        }
        assert_eq!(spawner.join().unwrap(), round - 1);
    }
    sleeper.join().unwrap();
}

#[test]
fn a_spawn_before_the_first_poll_makes_the_descriptor_readable() {
    let runtime = LocalRuntime::new().unwrap();
    let handle = runtime.handle().clone();
    let spawned = thread::spawn(move || handle.spawn(|| 5).join().unwrap());
    wait_readable(&runtime);
    runtime.run_until_idle();
    assert_eq!(spawned.join().unwrap(), 5);
}
