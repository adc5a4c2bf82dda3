//! Entries on real sockets, used by plain threads.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(all(corun_portable, corun_one_shot))]
use super::entry::Refusal;
use super::entry::{Direction, Entry, Ready};
use super::poller::Reactor;
use super::turn::Turn;
use super::wait_list::Waiter;
use crate::cancel::limit::Limit;

/// Runs `body` with a socket pair whose first end is watched by a reactor that a thread polls.
fn with_entry(body: impl FnOnce(&Entry, &UnixStream, UnixStream)) {
    let reactor = Arc::new(Reactor::new().unwrap());
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let entry = Box::new(Entry::new(near.as_raw_fd(), Direction::Read));
    entry.settle_at(&reactor).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let poller = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                reactor.poll(None).unwrap();
            }
        });
        body(&entry, &near, far);
        done.store(true, Ordering::Release);
        reactor.wake();
        poller.join().unwrap();
    });
    let home = entry.leave_home().unwrap();
    // SAFETY: from a box, used by nobody any more, and `near` is open.
    unsafe { home.bury(Box::into_raw(entry)) };
}

fn read_byte(entry: &Entry, mut socket: &UnixStream) -> u8 {
    let mut turn = Turn::new(entry, Direction::Read);
    let mut byte = [0];
    while let Some(seen) = turn.wait(&Limit::masked(None)).unwrap() {
        match socket.read(&mut byte) {
            Ok(n) => {
                assert_eq!(n, 1);
                turn.finish(None);
                return byte[0];
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                entry.clear(Direction::Read, seen);
            }
        }
    }
    unreachable!("no deadline");
}

#[test]
fn every_byte_reaches_one_of_several_readers() {
    with_entry(|entry, near, mut far| {
        let got = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let byte = read_byte(entry, near);
                        got.lock().unwrap().push(byte);
                    }
                });
            }
            for n in 0..8000u32 {
                far.write_all(&[n as u8]).unwrap();
            }
        });
        let mut sum = [0; 256];
        got.lock()
            .unwrap()
            .iter()
            .for_each(|byte| sum[usize::from(*byte)] += 1);
        assert_eq!(got.lock().unwrap().len(), 8000);
        assert!(sum.iter().all(|count| (31..=32).contains(count)));
    });
}

#[test]
fn a_deadline_takes_the_waiter_out_and_leaves_the_others() {
    with_entry(|entry, near, mut far| {
        thread::scope(|scope| {
            let reader = scope.spawn(|| read_byte(entry, near));
            let start = Instant::now();
            let mut turn = Turn::new(entry, Direction::Read);
            let deadline = start + Duration::from_millis(5);
            assert!(turn.wait(&Limit::masked(Some(deadline))).unwrap().is_none());
            assert!(Instant::now() >= deadline);
            turn.finish(None);
            far.write_all(&[7]).unwrap();
            assert_eq!(reader.join().unwrap(), 7);
        });
        entry.dispatch(Ready::READ);
        assert!(
            entry.look(Direction::Read).is_some(),
            "somebody still waits"
        );
    });
}

#[test]
fn deadlines_that_race_with_events_lose_no_byte() {
    with_entry(|entry, near, mut far| {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Acquire) {
                        let mut turn = Turn::new(entry, Direction::Read);
                        let _ = turn
                            .wait(&Limit::masked(Some(
                                Instant::now() + Duration::from_micros(20),
                            )))
                            .unwrap();
                        // Its turn or not, it does not read: the next one must get the turn.
                    }
                });
            }
            for n in 0..2000u32 {
                far.write_all(&[n as u8]).unwrap();
                assert_eq!(read_byte(entry, near), n as u8);
            }
            done.store(true, Ordering::Release);
        });
    });
}

/// Whichever comes first, the end of the reactor or the end of the descriptor.
#[test]
fn an_entry_that_has_left_its_reactor_is_registered_nowhere() {
    for leaves_first in [false, true] {
        let reactors = [(); 2].map(|()| Arc::new(Reactor::new().unwrap()));
        let (near, _far) = UnixStream::pair().unwrap();
        let entry = Entry::new(near.as_raw_fd(), Direction::Read);
        entry.settle_at(&reactors[0]).unwrap();
        if leaves_first {
            let home = entry.leave_home().unwrap();
            // Comes to the reactor's list of entries before whoever leaves does.
            home.shutdown();
            home.forsake(&entry);
        } else {
            reactors[0].shutdown();
            assert!(entry.leave_home().is_none());
        }
        assert_eq!(reactors[0].descriptors(), 0);
        entry.settle_at(&reactors[1]).unwrap();
        assert_eq!(reactors[1].descriptors(), 0);
        assert!(
            entry.look(Direction::Read).is_some(),
            "who waits may try again"
        );
    }
}

/// One whose reactor has stopped is registered by the next one that waits.
#[test]
fn an_orphan_finds_a_home() {
    let reactors = [(); 2].map(|()| Arc::new(Reactor::new().unwrap()));
    let (near, _far) = UnixStream::pair().unwrap();
    let entry = Box::new(Entry::new(near.as_raw_fd(), Direction::Read));
    for reactor in &reactors {
        entry.settle_at(reactor).unwrap();
        assert_eq!(reactor.descriptors(), 1);
        reactor.shutdown();
        assert_eq!(reactor.descriptors(), 0);
    }
    assert!(entry.leave_home().is_none());
}

/// Two wait for the descriptor of a reactor that stops. The first finds what it wants and no more; of what comes then no reactor tells the second.
#[test]
fn a_short_count_of_an_orphan_leaves_nobody_behind() {
    let reactor = Arc::new(Reactor::new().unwrap());
    let (near, _far) = UnixStream::pair().unwrap();
    let entry = Box::new(Entry::new(near.as_raw_fd(), Direction::Read));
    entry.settle_at(&reactor).unwrap();
    let mut waker = Waker::noop().clone();
    let waiters = [(); 2].map(|()| Waiter::for_task(&waker));
    for waiter in &waiters {
        // SAFETY: it stays where it is until it has its turn.
        let seen = unsafe { entry.enqueue_task(Direction::Read, waiter, false) };
        assert!(seen.unwrap().is_none());
    }
    reactor.shutdown();
    for waiter in &waiters {
        assert!(entry.has_come(waiter, &mut waker));
        entry.release(Direction::Read, Some(entry.seen()));
    }
}

/// Who joins while there is something to do has asked for no event where one has to ask; who has the turn finds nothing, and goes.
#[test]
fn who_gives_up_a_turn_leaves_nobody_without_an_event() {
    let reactor = Arc::new(Reactor::new().unwrap());
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let entry = Box::new(Entry::new(near.as_raw_fd(), Direction::Read));
    entry.settle_at(&reactor).unwrap();
    let mut waker = Waker::noop().clone();
    let waiters = [(); 2].map(|()| Waiter::for_task(&waker));
    for waiter in &waiters {
        // SAFETY: it stays where it is until it has its turn.
        let seen = unsafe { entry.enqueue_task(Direction::Read, waiter, false) };
        assert!(seen.unwrap().is_none());
        if ptr::eq(waiter, &waiters[0]) {
            far.write_all(&[1]).unwrap();
            while !entry.has_come(waiter, &mut waker) {
                reactor.poll(Some(Duration::from_secs(10))).unwrap();
            }
        }
    }
    near.read_exact(&mut [0]).unwrap();
    entry.clear(Direction::Read, entry.seen());
    entry.release(Direction::Read, None);
    far.write_all(&[2]).unwrap();
    reactor.poll(Some(Duration::from_secs(10))).unwrap();
    assert!(entry.has_come(&waiters[1], &mut waker));
    entry.release(Direction::Read, None);
    drop(entry.leave_home());
    reactor.forsake(&entry);
}

/// Two wait to read. When `body` has the reactor forsake the entry, that stands for any reason why the system may tell of no event.
#[cfg(all(corun_portable, corun_one_shot))]
fn with_two_who_wait(body: impl FnOnce(&Reactor, &Entry, &[Waiter; 2])) {
    let reactor = Arc::new(Reactor::new().unwrap());
    let (near, _far) = UnixStream::pair().unwrap();
    let entry = Box::new(Entry::new(near.as_raw_fd(), Direction::Read));
    entry.settle_at(&reactor).unwrap();
    entry.clear(Direction::Write, entry.seen());
    let waiters = [(); 2].map(|()| Waiter::for_task(Waker::noop()));
    for waiter in &waiters {
        // SAFETY: it stays where it is until it has its turn.
        let seen = unsafe { entry.enqueue_task(Direction::Read, waiter, false) };
        assert!(seen.unwrap().is_none());
    }
    body(&reactor, &entry, &waiters);
    drop(entry.leave_home());
}

/// They have to try again, and who would wait once more is told the error.
#[cfg(all(corun_portable, corun_one_shot))]
fn assert_told(entry: &Entry, waiters: &[Waiter]) {
    for waiter in waiters {
        assert!(entry.has_come(waiter, &mut Waker::noop().clone()));
        entry.clear(Direction::Read, entry.seen());
        // SAFETY: as it is refused, it is not linked.
        let refused = unsafe { entry.enqueue_task(Direction::Read, waiter, true) };
        assert!(matches!(refused, Err(Refusal::System(_))));
        entry.release(Direction::Read, None);
    }
}

/// Who asks waits for the other direction, whose event is asked for together with theirs.
#[cfg(all(corun_portable, corun_one_shot))]
#[test]
fn an_event_that_cannot_be_asked_for_is_an_error_to_all_who_wait() {
    with_two_who_wait(|reactor, entry, waiters| {
        reactor.forsake(entry);
        let another = Waiter::for_task(Waker::noop());
        // SAFETY: as it is refused, it is not linked.
        let refused = unsafe { entry.enqueue_task(Direction::Write, &another, false) };
        assert!(matches!(refused, Err(Refusal::System(_))));
        assert!(!another.is_linked());
        assert_told(entry, waiters);
    });
    with_two_who_wait(|reactor, entry, waiters| {
        reactor.forsake(entry);
        let refused = entry.join_herd(Direction::Write, Waker::noop());
        assert!(matches!(refused, Err(Refusal::System(_))));
        assert_told(entry, waiters);
    });
}

#[cfg(all(corun_portable, corun_one_shot))]
#[test]
fn an_event_that_cannot_be_asked_for_anew_is_an_error_to_all_who_wait() {
    with_two_who_wait(|reactor, entry, waiters| {
        reactor.forsake(entry);
        entry.dispatch(Ready::WRITE);
        assert_told(entry, waiters);
    });
    with_two_who_wait(|reactor, entry, waiters| {
        entry.dispatch(Ready::READ);
        entry.clear(Direction::Read, entry.seen());
        reactor.forsake(entry);
        // The first's turn: it gives it up.
        entry.release(Direction::Read, None);
        assert_told(entry, &waiters[1..]);
    });
}

#[test]
fn a_clear_that_comes_after_an_event_does_nothing() {
    let entry = Entry::new(0, Direction::Write);
    let seen = entry.look(Direction::Read).unwrap();
    entry.dispatch(Ready::READ);
    entry.clear(Direction::Read, seen);
    assert!(entry.look(Direction::Read).is_some());
    let seen = entry.look(Direction::Read).unwrap();
    entry.clear(Direction::Read, seen);
    assert!(entry.look(Direction::Read).is_none());
}

#[test]
fn after_the_end_of_file_a_short_count_proves_nothing() {
    let entry = Entry::new(0, Direction::Write);
    let mut ready = Ready::READ;
    ready |= Ready::UNUSUAL;
    entry.dispatch(ready);
    let seen = entry.look(Direction::Read).unwrap();
    entry.drained(Direction::Read, seen);
    assert!(entry.look(Direction::Read).is_some());
}
