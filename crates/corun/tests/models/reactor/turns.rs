//! `entry.rs`, `turn.rs`, `task_turn.rs`, `herd.rs`, `wait_list.rs`: no byte that has arrived is left lying while somebody waits to read.
//!
//! The kernel is a count of bytes; each that arrives is an event, dispatched after it has arrived. A waiter who is left behind stays
//! parked, which loom reports as a deadlock.

use std::mem;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use crate::checker::sync::atomic::AtomicUsize;
use crate::checker::sync::atomic::Ordering::SeqCst;
use crate::checker::thread;

use super::entry::{Direction, Entry, Ready};
use super::task_turn::TaskTurn;
use super::turn::Turn;
use crate::cancel::limit::Limit;
use crate::check;

/// Mistakes in what a reader does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Omission {
    None,
    /// It clears what it sees after its operation, not what it saw before.
    LookBefore,
    /// It does not give its turn on.
    HandOn,
}

struct Socket {
    entry: Entry,
    bytes: AtomicUsize,
}

impl Socket {
    /// Registered, with nothing to read.
    fn new() -> Arc<Socket> {
        let entry = Entry::new(0, Direction::Read);
        entry
            .settle_at(&Arc::new(super::stand_ins::Reactor))
            .unwrap();
        Arc::new(Socket {
            entry,
            bytes: AtomicUsize::new(0),
        })
    }

    fn arrive(&self, count: usize) {
        self.bytes.fetch_add(count, SeqCst);
        self.entry.dispatch(Ready::READ);
    }

    /// A read that would block, or took one byte; and whether it was a short one, after which nothing is left.
    fn try_read(&self) -> Option<bool> {
        let taken = self
            .bytes
            .fetch_update(SeqCst, SeqCst, |bytes| bytes.checked_sub(1));
        taken.ok().map(|before| before == 1)
    }

    /// Reads one byte, as `Source::run_in_turn` does.
    fn read(&self, omission: Omission) {
        let mut turn = Turn::new(&self.entry, Direction::Read);
        loop {
            let seen = turn.wait(&Limit::new(None)).unwrap().expect("no deadline");
            let result = self.try_read();
            let seen = match omission {
                Omission::LookBefore => self.entry.seen(),
                _ => seen,
            };
            match result {
                Some(_) if omission == Omission::HandOn => return mem::forget(turn),
                Some(short) => return turn.finish(short.then_some(seen)),
                None => self.entry.clear(Direction::Read, seen),
            }
        }
    }

    /// Reads one byte, trying first, as `Source::run` does.
    fn try_and_read(&self, omission: Omission) {
        if let Some(seen) = self.entry.look(Direction::Read) {
            match self.try_read() {
                Some(true) => return self.entry.drained(Direction::Read, seen),
                Some(false) => return,
                None => self.entry.clear(Direction::Read, seen),
            }
        }
        self.read(omission);
    }

    /// Reads one byte as a task, as `Operation` does.
    fn read_as_task(&self) {
        let waker = Unpark::current();
        let mut turn = TaskTurn::new(&self.entry, Direction::Read);
        let mut seen = None;
        loop {
            if let Some(seen) = seen {
                match self.try_read() {
                    Some(short) => return turn.finish(short.then_some(seen)),
                    None => self.entry.clear(Direction::Read, seen),
                }
            }
            // SAFETY: it stays in this frame.
            seen = unsafe { turn.wait(&waker) }.expect("there is a reactor");
            while seen.is_none() {
                seen = turn.poll(&waker);
                if seen.is_none() {
                    thread::park();
                }
            }
        }
    }

    /// Begins to wait as a task, and gives up.
    fn drop_task(&self) {
        let mut turn = TaskTurn::new(&self.entry, Direction::Read);
        // SAFETY: it stays in this frame.
        let _ = unsafe { turn.wait(Waker::noop()) };
    }

    /// Reads one byte as one of a herd, as `Source::poll` does.
    fn read_in_herd(&self) {
        let waker = Unpark::current();
        loop {
            if let Some(seen) = self.entry.look(Direction::Read) {
                match self.try_read() {
                    Some(true) => return self.entry.drained(Direction::Read, seen),
                    Some(false) => return,
                    None => self.entry.clear(Direction::Read, seen),
                }
            }
            let seen = self.entry.join_herd(Direction::Read, &waker);
            if seen.expect("there is a reactor").is_none() {
                thread::park();
            }
        }
    }

    /// Waits, gives up at once, and does not read even if its turn has come by then.
    fn give_up(&self) {
        let mut turn = Turn::new(&self.entry, Direction::Read);
        let _ = turn.wait(&Limit::new(Some(Instant::now()))).unwrap();
    }
}

/// Wakes the thread that polls.
struct Unpark(thread::Thread);

impl Unpark {
    fn current() -> Waker {
        Waker::from(Arc::new(Unpark(thread::current())))
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Two who do what they do while one event brings `bytes`.
fn two(roles: [fn(&Socket); 2], bytes: usize) {
    check(2, move || {
        let socket = Socket::new();
        let others = roles.map(|role| {
            let socket = Arc::clone(&socket);
            thread::spawn(move || role(&socket))
        });
        socket.arrive(bytes);
        for other in others {
            other.join().unwrap();
        }
    });
}

/// Two readers, and a byte for each that come as one event.
fn two_readers(omission: Omission) {
    check(2, move || {
        let socket = Socket::new();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let socket = Arc::clone(&socket);
                thread::spawn(move || socket.try_and_read(omission))
            })
            .collect();
        socket.arrive(2);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

/// One reader that reads twice, while bytes arrive.
fn one_reader_twice(omission: Omission) {
    check(4, move || {
        let socket = Socket::new();
        let reader = thread::spawn({
            let socket = Arc::clone(&socket);
            move || {
                socket.try_and_read(omission);
                socket.try_and_read(omission);
            }
        });
        socket.arrive(1);
        socket.arrive(1);
        reader.join().unwrap();
    });
}

#[test]
fn two_readers_get_what_arrives() {
    two_readers(Omission::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_reader_that_keeps_its_turn_is_found() {
    two_readers(Omission::HandOn);
}

#[test]
fn one_reader_gets_what_arrives() {
    one_reader_twice(Omission::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_reader_that_looks_too_late_is_found() {
    one_reader_twice(Omission::LookBefore);
}

#[test]
fn who_gives_up_leaves_the_byte_to_the_next() {
    check(2, || {
        let socket = Socket::new();
        let others: Vec<_> = [Socket::give_up as fn(&Socket), |socket: &Socket| {
            socket.read(Omission::None);
        }]
        .into_iter()
        .map(|role| {
            let socket = Arc::clone(&socket);
            thread::spawn(move || role(&socket))
        })
        .collect();
        socket.arrive(1);
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn a_task_and_a_coroutine_get_what_arrives() {
    two(
        [Socket::read_as_task, |socket| socket.read(Omission::None)],
        2,
    );
}

#[test]
fn two_tasks_get_what_arrives() {
    two([Socket::read_as_task; 2], 2);
}

#[test]
fn a_task_that_is_dropped_leaves_the_byte_to_the_next() {
    two([Socket::drop_task, |socket| socket.read(Omission::None)], 1);
}

#[test]
fn a_task_that_is_dropped_leaves_the_byte_to_the_herd() {
    two([Socket::drop_task, Socket::read_in_herd], 1);
}

#[test]
fn a_herd_gets_what_arrives() {
    two([Socket::read_in_herd; 2], 2);
}

#[test]
fn one_of_a_herd_and_a_coroutine_get_what_arrives() {
    two(
        [Socket::read_in_herd, |socket| {
            socket.try_and_read(Omission::None)
        }],
        2,
    );
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_turn_that_is_kept_from_a_herd_is_found() {
    two(
        [Socket::read_in_herd, |socket| socket.read(Omission::HandOn)],
        2,
    );
}
