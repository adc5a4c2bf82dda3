//! `raw_rwlock.rs`: readers or a writer, and who waits gets in.

use std::sync::Arc;

use crate::checker::thread;

use super::Data;
use super::raw_rwlock::RawRwLock;
use crate::cancel::limit::with_deadline;
use crate::check;
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::worker::{Shared, Worker};

type Guarded = Arc<(RawRwLock, Data)>;

fn write(guarded: &Guarded) {
    guarded.0.write();
    guarded.1.add();
    // SAFETY: locked above.
    unsafe { guarded.0.unlock_write() };
}

fn read(guarded: &Guarded) -> u32 {
    guarded.0.read();
    let value = guarded.1.get();
    // SAFETY: locked above.
    unsafe { guarded.0.unlock_read() };
    value
}

fn spawn<T: Send + 'static>(
    guarded: &Guarded,
    f: impl FnOnce(&Guarded) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let guarded = Arc::clone(guarded);
    thread::spawn(move || f(&guarded))
}

fn both_write_and_read() {
    check(3, || {
        let guarded = Guarded::new((RawRwLock::new(), Data::default()));
        let both = |guarded: &Guarded| {
            write(guarded);
            assert!((1..=2).contains(&read(guarded)));
        };
        let other = spawn(&guarded, both);
        both(&guarded);
        other.join().unwrap();
        assert_eq!(read(&guarded), 2);
    });
}

#[test]
fn readers_and_writers_exclude_each_other() {
    both_write_and_read();
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_they_do_not() {
    with_mistake(Mistake::Relaxed, both_write_and_read);
}

#[test]
fn readers_share() {
    check(3, || {
        let guarded = Guarded::new((RawRwLock::new(), Data::default()));
        guarded.0.read();
        // They would wait for ever.
        for other in [spawn(&guarded, read), spawn(&guarded, read)] {
            assert_eq!(other.join().unwrap(), 0);
        }
        // SAFETY: locked above.
        unsafe { guarded.0.unlock_read() };
    });
}

#[test]
fn a_downgraded_writer_reads_what_it_wrote() {
    check(2, || {
        let guarded = Guarded::new((RawRwLock::new(), Data::default()));
        let writer = spawn(&guarded, write);
        guarded.0.write();
        let before = guarded.1.get();
        guarded.1.add();
        // SAFETY: locked above.
        unsafe { guarded.0.downgrade() };
        assert_eq!(guarded.1.get(), before + 1);
        // SAFETY: downgraded above.
        unsafe { guarded.0.unlock_read() };
        writer.join().unwrap();
        assert_eq!(read(&guarded), 2);
    });
}

/// A writer's deadline comes at any time: it has written, or it has gone, and stands in nobody's way.
fn a_writer_gives_up() {
    check(3, || {
        let guarded = Guarded::new((RawRwLock::new(), Data::default()));
        let shared = Arc::new(Shared::new());
        guarded.0.read();
        let writer = thread::spawn({
            let (guarded, shared) = (Arc::clone(&guarded), Arc::clone(&shared));
            move || {
                let mut written = None;
                Worker::run(&shared, || written = with_deadline(|| write(&guarded)));
                u32::from(written.is_some())
            }
        });
        shared.fire();
        assert_eq!(guarded.1.get(), 0);
        // SAFETY: locked above.
        unsafe { guarded.0.unlock_read() };
        let seen = read(&guarded);
        let written = writer.join().unwrap();
        assert!(seen <= written);
        assert_eq!(read(&guarded), written);
    });
}

#[test]
fn a_writer_that_gives_up_stops_nobody() {
    a_writer_gives_up();
}

/// Loom alone does not find it (`blind_spot.rs`).
#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_loads_it_leaves_what_is_not_there_yet() {
    with_mistake(Mistake::RelaxedLoads, a_writer_gives_up);
}
