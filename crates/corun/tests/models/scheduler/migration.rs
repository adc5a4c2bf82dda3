//! `migrant.rs`, with the real `signal.rs` and `future/state.rs`: nobody continues a migratable coroutine before the switch away from it is over, no
//! wake-up of it is lost, it is woken once for each wait, and a cancellation finds its wait or is found by it.

use std::cell::Cell;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::cancel::levels::{Innermost, blindly};
use crate::check;
use crate::checker::sync::Mutex;
use crate::checker::thread;
use crate::coroutine::local_map::LocalMap;
use crate::coroutine::outcome::JoinRef;
use crate::coroutine::task::{Control, Meta, MetaInit, TaskRef};
use crate::future::task::{Blank, with};
use crate::primitive::{Mistake, with_mistake};
use crate::sync::Data;

use super::migrant::{Migrant, end_wait};
use super::signal::Signal;
use super::worker::{Shared, as_migrant};

/// What is done wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// Who wakes puts the coroutine in line at once, whether it has switched away or not.
    NoCommit,
    /// The wait does not look for what was cancelled before it was published.
    NoLook,
    /// The wait is not taken back.
    StaysPublished,
}

/// A signal's address in the list that it waits in.
#[derive(Default)]
struct List(Mutex<Option<Address>>);

struct Address(*const Signal);

// SAFETY: signals are made to be notified from other threads.
unsafe impl Send for Address {}

impl List {
    fn take(&self) -> Option<Address> {
        self.0.lock().unwrap().take()
    }
}

/// How the wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ended {
    Notified,
    Cut,
}

/// A migratable coroutine that waits once, in halves: a poll continues it.
struct Coroutine {
    wrong: Wrong,
    list: Arc<List>,
    /// Its stack: touched when it is continued, and until the switch away from it is over.
    stack: Arc<Data>,
    task: Arc<Mutex<Option<TaskRef>>>,
    signal: Option<Box<Signal>>,
}

impl Coroutine {
    /// It is left, or told: what comes after the switch, if there was one.
    fn end(&mut self, task: TaskRef) -> Ended {
        if self.wrong != Wrong::StaysPublished {
            end_wait(task, true);
        }
        self.stack.add();
        let signal = self.signal.take().unwrap();
        let linked = self.list.take().is_some();
        let ended = if signal.is_notified() {
            assert!(!linked);
            Ended::Notified
        } else {
            Ended::Cut
        };
        drop(signal);
        ended
    }
}

impl Future for Coroutine {
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Ended> {
        let this = self.get_mut();
        let task = this.task.lock().unwrap().unwrap();
        if this.signal.is_some() {
            return Poll::Ready(this.end(task));
        }
        this.stack.add();
        let wrong = this.wrong;
        let mut wait = || {
            as_migrant(task, || {
                let signal = this.signal.insert(Box::new(Signal::new()));
                *this.list.0.lock().unwrap() = Some(Address(ptr::from_ref::<Signal>(signal)));
                signal.wait_within(None, true)
            })
        };
        let waited = match wrong {
            Wrong::NoLook => blindly(wait),
            _ => wait(),
        };
        match waited {
            Some(_) => Poll::Ready(this.end(task)),
            None => {
                // The switch saves the context.
                this.stack.add();
                Poll::Pending
            }
        }
    }
}

struct Setting {
    home: Arc<Shared>,
    list: Arc<List>,
    task: TaskRef,
    join: JoinRef<Ended>,
    _control: Box<Control>,
}

impl Setting {
    fn new(wrong: Wrong) -> Setting {
        let (home, list) = (Arc::new(Shared::new()), Arc::new(List::default()));
        let of_task = Arc::new(Mutex::new(None));
        let mut meta = Meta::new(Location::caller());
        meta.migrant = Some(Migrant::new());
        let coroutine = Coroutine {
            wrong,
            list: Arc::clone(&list),
            stack: Arc::default(),
            task: Arc::clone(&of_task),
            signal: None,
        };
        let meta = MetaInit::Full(Box::new(meta));
        let (task, join) = with(coroutine, |vtable| {
            Ok(Blank::new(vtable, 1, meta, &home, 0))
        })
        .unwrap();
        let control = Box::new(Control {
            task: Cell::new(Some(task)),
            stack: Cell::new(None),
            locals: LocalMap::new(),
            innermost: Innermost,
            callbacks: Cell::new(ptr::null()),
        });
        task.migrant().unwrap().control.set(&raw const *control);
        *of_task.lock().unwrap() = Some(task);
        // One of its own, as `Migrants::begin` gives it.
        task.retain();
        home.line_up(task);
        Setting {
            home,
            list,
            task,
            join,
            _control: control,
        }
    }

    fn worker(&self, polls: usize) -> thread::JoinHandle<()> {
        let home = Arc::clone(&self.home);
        thread::spawn(move || (0..polls).for_each(|_| _ = home.poll_one()))
    }

    fn notifier(&self, wrong: Wrong) -> thread::JoinHandle<()> {
        let (list, home, task) = (Arc::clone(&self.list), Arc::clone(&self.home), self.task);
        thread::spawn(move || {
            let wakeup = {
                let mut list = list.0.lock().unwrap();
                list.take().and_then(|address| {
                    // SAFETY: in the list, hence alive.
                    unsafe { Signal::claim(address.0) }
                })
            };
            match wakeup {
                Some(_) if wrong == Wrong::NoCommit => home.line_up(task),
                Some(wakeup) => wakeup.wake(),
                None => {}
            }
        })
    }

    fn canceller(&self) -> thread::JoinHandle<()> {
        let task = self.task;
        thread::spawn(move || crate::cancel::nudge::cancel(task))
    }

    /// When all is quiet.
    fn finish(mut self) -> Option<Ended> {
        while self.home.poll_one() {}
        let ended = self.join.take();
        // What loom finds while it is polled is caught there.
        let ended = ended.map(|outcome| outcome.unwrap_or_else(|payload| resume_unwind(payload)));
        if ended.is_some() {
            self.task.release();
        }
        self.join.task.release();
        ended
    }
}

/// Two workers and one who wakes it.
fn woken(wrong: Wrong) {
    check(2, move || {
        let setting = Setting::new(wrong);
        let threads = [
            setting.worker(1),
            setting.worker(1),
            setting.notifier(wrong),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        // It may have come before there was anything to wake.
        if setting.list.0.lock().unwrap().is_some() || setting.join.task.ended().is_none() {
            while setting.home.poll_one() {}
            setting.notifier(wrong).join().unwrap();
        }
        assert_eq!(setting.finish(), Some(Ended::Notified));
    });
}

#[test]
fn a_migratable_coroutine_is_woken_and_never_continued_while_it_runs() {
    woken(Wrong::Nothing);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic]
fn without_the_commit_it_is() {
    woken(Wrong::NoCommit);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_its_stack_is_not_what_it_left() {
    with_mistake(Mistake::Relaxed, || woken(Wrong::Nothing));
}

/// It is cancelled while it begins to wait, and nobody else wakes it.
fn cancelled(wrong: Wrong) {
    check(3, move || {
        let setting = Setting::new(wrong);
        let threads = [setting.worker(2), setting.canceller()];
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(setting.finish(), Some(Ended::Cut));
    });
}

#[test]
fn a_cancellation_finds_the_wait_or_is_found() {
    cancelled(Wrong::Nothing);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic]
fn one_that_is_not_looked_for_is_not_found() {
    cancelled(Wrong::NoLook);
}

/// It is cancelled and notified at once: one of the two wakes it, and it goes on once.
fn cancelled_and_notified(wrong: Wrong) {
    check(2, move || {
        let setting = Setting::new(wrong);
        let threads = [
            setting.worker(2),
            setting.canceller(),
            setting.notifier(Wrong::Nothing),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(setting.finish().is_some(), "it is woken");
    });
}

#[test]
fn of_a_cancellation_and_a_notification_one_counts() {
    cancelled_and_notified(Wrong::Nothing);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic]
fn a_wait_that_stays_published_is_cut_short_after_its_end() {
    cancelled_and_notified(Wrong::StaysPublished);
}
