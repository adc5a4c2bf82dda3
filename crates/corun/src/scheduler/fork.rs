//! What a fork does to the runtimes: see `platform/fork.rs` for what holds in the child.

use std::cell::RefCell;
use std::ptr;
use std::sync::{MutexGuard, Once};

use super::lock_mutex;
use super::shared::{FREE_SEATS, Seat};
use super::worker::Worker;
use crate::platform::fork::{self, Hook};
use crate::runtime::GLOBAL;

/// The locks that do not belong to one runtime, in the order in which they are taken everywhere.
type Guards = (
    MutexGuard<'static, ()>,
    MutexGuard<'static, Vec<&'static Seat>>,
);

thread_local! {
    /// Held by the thread that forks, from before to after.
    static HELD: RefCell<Option<Guards>> = const { RefCell::new(None) };
}

static HOOK: Hook = Hook {
    prepare,
    release,
    child,
};

/// Prepares the process for forks. For each runtime that is made; the first does it.
pub(super) fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| fork::add(&HOOK));
}

fn prepare() {
    let guards = (GLOBAL.hold(), lock_mutex(&FREE_SEATS));
    // A thread that is ending has no place to keep them, and forks without.
    let _ = HELD.try_with(|held| held.replace(Some(guards)));
}

fn release() {
    let _ = HELD.try_with(RefCell::take);
}

/// This thread is no worker any more: there is no idle context to go back to that would find its reactor its own, and no other worker.
fn child() {
    Worker::enter_thread(ptr::null());
    GLOBAL.forget();
}
