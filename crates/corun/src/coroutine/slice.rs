//! Giving way, and refusing to.

use crate::cancel::limit::Limit;
use crate::scheduler::worker::Worker;

/// Lets the other coroutines of this worker run, and goes on when its turn comes again; on a plain thread the thread yields.
///
/// # Panics
/// Inside [`no_suspend`].
///
/// # Examples
/// ```
/// let other = corun::spawn(|| println!("other"));
/// corun::yield_now();
/// other.join().unwrap();
/// ```
#[inline(always)]
pub fn yield_now() {
    match Worker::suspendable() {
        Some(worker) => {
            worker.yield_now();
            if worker.levels.get() != 0 {
                Limit::check();
            }
        }
        None => {
            if !Worker::migrant_yields() {
                std::thread::yield_now();
            }
            Limit::check();
        }
    }
}

/// A place where a long computation may be interrupted in favour of others: gives way if the coroutine has used up its time slice,
/// and costs next to nothing if it has not. Every call of corun that does not wait is such a place too.
///
/// # Examples
/// ```
/// let sum = corun::spawn(|| {
///     (0..1_000_000u64).inspect(|_| corun::checkpoint()).sum::<u64>()
/// });
/// assert_eq!(sum.join().unwrap(), 499_999_500_000);
/// ```
#[inline(always)]
pub fn checkpoint() {
    match Worker::suspendable() {
        Some(worker) => {
            if worker.safepoint() && worker.levels.get() != 0 {
                Limit::check();
            }
        }
        None => {
            Worker::safepoint_of_migrant();
            Limit::check();
        }
    }
}

/// Runs `f` with suspension forbidden: a call in it that would have to wait panics instead.
///
/// For code that must not be interleaved with other coroutines of its thread, such as a borrow of a thread local: see docs/safety.md.
/// On a plain thread it just runs `f`.
///
/// # Panics
/// When a call inside would suspend the coroutine; and with the panic of `f` itself. A destructor that has to wait while such a panic leaves
/// `f` panics in turn, which ends the process, as any panic during a panic does.
///
/// # Examples
/// ```
/// use std::cell::RefCell;
///
/// thread_local!(static CACHE: RefCell<Vec<u32>> = RefCell::default());
///
/// corun::spawn(|| {
///     // Nobody else on this thread can find the cell borrowed.
///     corun::no_suspend(|| CACHE.with_borrow_mut(|cache| cache.push(1)));
/// })
/// .join()
/// .unwrap();
/// ```
pub fn no_suspend<R>(f: impl FnOnce() -> R) -> R {
    with_no_suspend(1, f)
}

/// Runs `f` with suspension allowed even inside `no_suspend`: for waits that must not end in a panic, because the memory that
/// others use would go. The mark is the worker's, so it has to be off while others run.
pub(crate) fn allow_suspension<R>(f: impl FnOnce() -> R) -> R {
    with_no_suspend(0, f)
}

fn with_no_suspend<R>(mark: u32, f: impl FnOnce() -> R) -> R {
    // Not the worker: where suspension is allowed a migratable coroutine may come back on another one.
    struct Restore(u32);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Some(worker) = Worker::of_coroutine() {
                worker.set_no_suspend(self.0);
            }
        }
    }
    let Some(worker) = Worker::of_coroutine() else {
        return f();
    };
    let _restore = Restore(worker.set_no_suspend(mark));
    f()
}
