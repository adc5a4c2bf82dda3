//! [`WaitGroup`].

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::waiters::{Waiter, Waiters, wake_in_batches};
use crate::cancel::limit::Limit;
use crate::coroutine::{JoinHandle, spawn};
use crate::scheduler;
use crate::scheduler::lock::SpinLock;

/// Waits for a number of others that is not known in advance; for coroutines, threads and async tasks (`group.await`).
///
/// Each handle stands for one piece of work: a clone adds one, and to drop it is to have done it. [`wait`](WaitGroup::wait) gives the caller's own
/// handle up and waits for all others. This is the shape of crossbeam's, and not that of Go's, where a counter is moved by hand: what is
/// counted cannot be counted twice or forgotten, not even by a panic.
///
/// To wait for coroutines that borrow, or for their results, see [`scope`](crate::scope) and [`JoinHandle`].
///
/// # Examples
/// ```
/// use corun::sync::{Arc, Mutex, WaitGroup};
///
/// let group = WaitGroup::new();
/// let squares = Arc::new(Mutex::new(Vec::new()));
/// for n in 1..=4 {
///     let squares = Arc::clone(&squares);
///     group.spawn(move || squares.lock().unwrap().push(n * n));
/// }
/// group.wait();
/// assert_eq!(squares.lock().unwrap().iter().sum::<u32>(), 30);
/// ```
pub struct WaitGroup {
    inner: Arc<Inner>,
}

struct Inner {
    state: SpinLock<State>,
}

struct State {
    /// Handles. At 0 nobody is left who could make more.
    count: usize,
    waiters: Waiters,
}

// No code of the user's runs under the lock.
impl UnwindSafe for WaitGroup {}
impl RefUnwindSafe for WaitGroup {}
impl RefUnwindSafe for Inner {}

impl WaitGroup {
    /// A group of which the caller has the only handle.
    #[must_use]
    pub fn new() -> WaitGroup {
        WaitGroup {
            inner: Arc::new(Inner {
                state: SpinLock::new(State {
                    count: 1,
                    waiters: Waiters::new(),
                }),
            }),
        }
    }

    /// Starts a coroutine that has a handle until it ends: Go's `WaitGroup.Go`.
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let handle = self.clone();
        spawn(move || {
            let _handle = handle;
            f()
        })
    }

    /// Gives this handle up, and waits until all others have been dropped.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    pub fn wait(self) {
        scheduler::safepoint();
        let inner = Arc::clone(&self.inner);
        drop(self);
        while inner.state.lock().count != 0 {
            let limit = Limit::new(None);
            let waiter = Waiter::new(0, &limit);
            // SAFETY: the waiter stays in this frame until it was unlinked: by the last handle, or below.
            if unsafe { !inner.link(&waiter) }
                || limit.wait(&waiter.signal, || {
                    inner.state.lock().waiters.remove(&waiter)
                })
            {
                return;
            }
            limit.expired();
        }
    }
}

impl Inner {
    /// Links the waiter, if there is something to wait for.
    ///
    /// # Safety
    /// The waiter must stay where it is until it was unlinked.
    unsafe fn link(&self, waiter: &Waiter) -> bool {
        let mut state = self.state.lock();
        if state.count == 0 {
            return false;
        }
        // SAFETY: as the caller promises.
        unsafe { state.waiters.push_back(waiter) };
        true
    }
}

impl Clone for WaitGroup {
    fn clone(&self) -> WaitGroup {
        self.inner.state.lock().count += 1;
        WaitGroup {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl Drop for WaitGroup {
    fn drop(&mut self) {
        let mut state = self.inner.state.lock();
        state.count -= 1;
        let over = state.count == 0 && !state.waiters.is_empty();
        drop(state);
        if over {
            wake_in_batches(|batch| {
                let mut state = self.inner.state.lock();
                while !state.waiters.is_empty() {
                    if batch.is_full() {
                        return true;
                    }
                    batch.extend(state.waiters.grant_first());
                }
                false
            });
        }
    }
}

impl IntoFuture for WaitGroup {
    type Output = ();
    type IntoFuture = WaitGroupFuture;

    /// [`wait`](WaitGroup::wait) for async tasks.
    fn into_future(self) -> WaitGroupFuture {
        WaitGroupFuture {
            inner: Arc::clone(&self.inner),
            waiter: None,
        }
    }
}

/// Waits for a [`WaitGroup`], by `group.await`.
#[must_use = "futures do nothing unless they are polled"]
pub struct WaitGroupFuture {
    inner: Arc<Inner>,
    waiter: Option<Waiter>,
}

impl Future for WaitGroupFuture {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: only the waiter must not move, and it does not while it is linked.
        let this = unsafe { self.get_unchecked_mut() };
        let over = match &this.waiter {
            None => {
                let waiter = this.waiter.insert(Waiter::for_task(0, cx.waker()));
                // SAFETY: the future is pinned, and unlinks the waiter when it is dropped.
                unsafe { !this.inner.link(waiter) }
            }
            Some(waiter) => {
                // Cloned and dropped without the lock, as it is foreign code.
                let mut waker = cx.waker().clone();
                let state = this.inner.state.lock();
                // SAFETY: under the lock of the list.
                let over = unsafe { waiter.signal.poll(&mut waker) };
                drop(state);
                over
            }
        };
        if over { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for WaitGroupFuture {
    fn drop(&mut self) {
        if let Some(waiter) = &self.waiter {
            self.inner.state.lock().waiters.remove(waiter);
        }
    }
}

impl Default for WaitGroup {
    fn default() -> WaitGroup {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.inner.state.lock().count;
        f.debug_struct("WaitGroup").field("count", &count).finish()
    }
}

impl fmt::Debug for WaitGroupFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroupFuture").finish_non_exhaustive()
    }
}
