//! The threads on which blocking calls run.
//!
//! # Invariants
//! 1. A queued job has a thread that will look at the queue: one that runs another job and looks when it is done, one that was woken, or
//!    one that is being started. A thread goes to sleep or ends only with the lock held and the queue empty.
//! 2. A submitter starts a thread only when more jobs are queued than threads sleep or start, and the limit is not reached. So a burst of
//!    N jobs gets N threads, and a trickle gets one.
//! 3. The queue has room for whoever waits, since a job is a place on its caller's stack: a full queue is back-pressure for those who ask by
//!    `try_run` only. A caller that is cancelled before its job has begun takes it back under the lock.
//! 4. If a thread cannot be started and no other lives, all queued jobs are refused: not only the submitter's, as others may have queued
//!    theirs because they counted on this thread. If others live, the jobs wait for them.
//!
//! One lock serves all: a blocking call costs two thread switches, microseconds each, besides which a lock held for a few
//! instructions is nothing. Rejected: work stealing among pool threads, for the same reason.

use std::io;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::job::{Call, Job, Queue};
use super::{BlockingMetrics, full, refused};
use crate::cancel::limit::Limit;
use crate::hooking::own;
use crate::platform::numa::Unbound;

/// The pool of one runtime.
pub(crate) struct BlockingPool {
    inner: Arc<Inner>,
    /// Calls that have begun and whose callers have not gone on: a paused clock waits for them.
    calls: AtomicUsize,
}

/// Counts a call.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn new(calls: &'a AtomicUsize) -> UnderWay<'a> {
        calls.fetch_add(1, Ordering::Relaxed);
        UnderWay(calls)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Inner {
    state: Mutex<State>,
    /// Jobs are queued, or the pool shuts down: for sleeping threads.
    work: Condvar,
    /// The last thread has ended: for `shutdown`.
    ended: Condvar,
    /// How many threads there may be.
    limit: usize,
    /// How many jobs may wait for one, as far as `try_run` is concerned.
    most_queued: usize,
    /// How long a thread waits for work before it ends.
    keep_alive: Duration,
    /// Where the threads may run: their worker's binding is not for them.
    processors: Unbound,
    /// A test replaces it to see threads fail to start.
    start: fn(Arc<Inner>) -> io::Result<()>,
}

struct State {
    queue: Queue,
    /// Threads that live or are being started.
    threads: usize,
    /// Of these, the ones that were asked for and have not looked at the queue yet.
    starting: usize,
    /// Of these, the ones that wait for `work`, woken or not.
    idle: usize,
    shut_down: bool,
    /// How many jobs a thread has taken.
    begun: u64,
}

impl BlockingPool {
    /// A pool of at most `limit` threads, none of which is started before it is needed.
    pub(crate) fn new(
        limit: usize,
        most_queued: usize,
        keep_alive: Duration,
        processors: Unbound,
    ) -> BlockingPool {
        BlockingPool::with_start(limit, most_queued, keep_alive, processors, start_thread)
    }

    fn with_start(
        limit: usize,
        most_queued: usize,
        keep_alive: Duration,
        processors: Unbound,
        start: fn(Arc<Inner>) -> io::Result<()>,
    ) -> BlockingPool {
        let state = State {
            queue: Queue::new(),
            threads: 0,
            starting: 0,
            idle: 0,
            shut_down: false,
            begun: 0,
        };
        let (work, ended) = (Condvar::new(), Condvar::new());
        BlockingPool {
            calls: AtomicUsize::new(0),
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                work,
                ended,
                limit,
                most_queued,
                keep_alive,
                processors,
                start,
            }),
        }
    }

    /// Runs `f` on a thread of the pool while the caller waits: a coroutine is parked, a plain thread blocked. One that is cancelled before `f` has begun
    /// is left at once; later, it waits for `f`, and goes on with the result.
    ///
    /// # Errors
    /// If no thread lives and none can be started. `f` has not run then.
    ///
    /// # Panics
    /// If `f` does, and inside `no_suspend`.
    pub(crate) fn run<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        let _under_way = UnderWay::new(&self.calls);
        let mut call = Call::new(f);
        let mut limit = Limit::new(None);
        let outcome = loop {
            let take_back = |job| {
                // SAFETY: `complete` has submitted it here, and waits.
                unsafe { self.inner.lock().queue.remove(job) }
            };
            if let Some(outcome) = call.complete(&limit, |job| self.submit(job), take_back) {
                break outcome;
            }
            limit.expired();
            // Nothing was over after all.
            limit = Limit::masked(None);
        };
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(payload)) => resume_unwind(payload),
            Err(error) => Err(error),
        }
    }

    /// As `run`.
    ///
    /// # Errors
    /// Also if the queue is full.
    pub(crate) fn try_run<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        let metrics = self.metrics();
        if metrics.queued >= self.inner.most_queued && metrics.threads >= self.inner.limit {
            return Err(full(&metrics));
        }
        self.run(f)
    }

    /// Counts something as a call, as long as the result lives.
    #[allow(dead_code, reason = "for io_uring, which not every system has")]
    pub(crate) fn count_call(&self) -> impl Drop + '_ {
        UnderWay::new(&self.calls)
    }

    fn submit(&self, job: NonNull<Job>) {
        let inner = &self.inner;
        let mut state = inner.lock();
        // SAFETY: `complete` waits for the job, which is new.
        unsafe { state.queue.push(job) };
        if state.queue.len() <= state.idle + state.starting {
            drop(state);
            inner.work.notify_one();
        } else if state.threads < inner.limit {
            state.threads += 1;
            state.starting += 1;
            drop(state);
            if let Err(error) = (inner.start)(Arc::clone(inner)) {
                inner.start_failed(&error);
            }
        }
    }

    /// Is any call under way?
    pub(crate) fn has_calls(&self) -> bool {
        self.calls.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn metrics(&self) -> BlockingMetrics {
        let state = self.inner.lock();
        BlockingMetrics {
            threads: state.threads,
            idle: state.idle,
            queued: state.queue.len(),
            begun: state.begun,
            max_threads: self.inner.limit,
            max_queued: self.inner.most_queued,
        }
    }

    /// Lets the threads end when the queue is empty. Calls that come later are served all the same, by threads that end at once.
    pub(crate) fn close(&self) {
        self.inner.lock().shut_down = true;
        self.inner.work.notify_all();
    }

    /// Lets the threads end when the queue is empty, and waits for that until `deadline` (`None`: for ever). Returns how many are still
    /// there.
    pub(crate) fn shutdown(&self, deadline: Option<Instant>) -> usize {
        self.close();
        let inner = &self.inner;
        let mut state = inner.lock();
        while state.threads != 0 {
            let Some(deadline) = deadline else {
                state = inner
                    .ended
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = inner
                .ended
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.threads
    }
}

impl Drop for BlockingPool {
    /// Does not wait: a thread that is busy ends when its job does.
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    /// No code of the user's runs under the lock, so a panic under it is a bug of ours and has poisoned nothing of theirs.
    fn lock(&self) -> MutexGuard<'_, State> {
        own(|| self.state.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    /// Invariant 4.
    fn start_failed(&self, error: &io::Error) {
        let mut refusals = Queue::new();
        {
            let mut state = self.lock();
            state.threads -= 1;
            state.starting -= 1;
            if state.threads == 0 {
                std::mem::swap(&mut refusals, &mut state.queue);
                self.ended.notify_all();
            }
        }
        while let Some(job) = refusals.pop() {
            // SAFETY: taken out of the queue just now, by nobody else.
            unsafe { Job::refuse(job, refused(error)) };
        }
    }

    /// The life of a thread.
    fn serve(&self) {
        self.processors.apply();
        let mut state = self.lock();
        state.starting -= 1;
        loop {
            if let Some(job) = state.queue.pop() {
                state.begun += 1;
                drop(state);
                // SAFETY: taken out of the queue just now, by nobody else.
                unsafe { Job::run(job) };
                state = self.lock();
                continue;
            }
            if state.shut_down {
                break;
            }
            state.idle += 1;
            let (woken, timeout) = self
                .work
                .wait_timeout(state, self.keep_alive)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            // A job that came together with the time-out counts on this thread.
            if timeout.timed_out() && state.queue.len() == 0 {
                break;
            }
        }
        state.threads -= 1;
        if state.threads == 0 {
            self.ended.notify_all();
        }
    }
}

fn start_thread(inner: Arc<Inner>) -> io::Result<()> {
    thread::Builder::new()
        .name("corun-blocking".into())
        .spawn(move || inner.serve())
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    fn anywhere() -> Unbound {
        crate::platform::numa::Placement::default().unbound()
    }

    fn new_pool(limit: usize, keep_alive: Duration) -> BlockingPool {
        BlockingPool::new(limit, usize::MAX, keep_alive, anywhere())
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn results_and_borrows() {
        let pool = new_pool(4, LONG);
        let text = String::from("borrowed");
        let mut count = 0;
        let length = pool.run(|| {
            count += 1;
            text.len()
        });
        assert_eq!((length.unwrap(), count), (8, 1));
        assert_eq!(pool.metrics().threads, 1);
        assert_eq!(pool.shutdown(None), 0);
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let pool = new_pool(1, LONG);
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.run(|| resume_unwind(Box::new(7_u32)))
        }));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&7_u32));
        assert_eq!(pool.run(|| 1).unwrap(), 1, "the thread has survived");
        assert_eq!(pool.metrics().threads, 1);
    }

    #[test]
    fn grows_to_what_is_needed_at_once() {
        const CALLERS: usize = 20;
        let pool = new_pool(64, LONG);
        // Passes only if all run at the same time.
        let barrier = Barrier::new(CALLERS);
        thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| pool.run(|| barrier.wait()).unwrap());
            }
        });
        assert_eq!(
            (pool.metrics().threads, pool.metrics().queued),
            (CALLERS, 0)
        );
        assert_eq!(pool.shutdown(None), 0);
    }

    #[test]
    fn queues_past_the_limit_first_come_first_served() {
        let pool = new_pool(1, LONG);
        let (release, gate) = mpsc::channel::<()>();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let (pool, order) = (&pool, &order);
            let (inside, is_inside) = mpsc::channel();
            scope.spawn(move || {
                pool.run(move || {
                    inside.send(()).unwrap();
                    gate.recv().unwrap();
                })
            });
            is_inside.recv().unwrap();
            for i in 0..10 {
                scope.spawn(move || pool.run(move || order.lock().unwrap().push(i)));
                while pool.metrics().queued != i + 1 {
                    thread::yield_now();
                }
            }
            release.send(()).unwrap();
        });
        assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!(pool.metrics().threads, 1);
    }

    #[test]
    fn idle_threads_end_and_new_ones_start() {
        let pool = new_pool(8, Duration::from_millis(1));
        for round in 0..50 {
            assert_eq!(pool.run(|| round).unwrap(), round);
        }
        let mut state = pool.inner.lock();
        while state.threads != 0 {
            state = pool.inner.ended.wait(state).unwrap();
        }
        drop(state);
        assert_eq!(pool.run(|| 1).unwrap(), 1);
    }

    #[test]
    fn nothing_is_lost_while_threads_come_and_go() {
        // The keep-alive is of the length of a round, so jobs keep meeting threads that are about to end.
        let pool = new_pool(3, Duration::from_micros(50));
        let runs = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        pool.run(|| runs.fetch_add(1, Ordering::Relaxed)).unwrap();
                    }
                });
            }
        });
        assert_eq!(runs.into_inner(), 8000);
        assert_eq!(pool.shutdown(None), 0);
        assert_eq!(pool.metrics().queued, 0);
    }

    #[test]
    fn a_call_after_the_shutdown_is_served() {
        let pool = new_pool(2, LONG);
        assert_eq!(pool.shutdown(None), 0);
        assert_eq!(pool.run(|| 5).unwrap(), 5);
        assert_eq!(pool.shutdown(None), 0);
    }

    #[test]
    fn shutdown_gives_up_at_its_deadline() {
        let pool = new_pool(1, LONG);
        let (release, gate) = mpsc::channel::<()>();
        let (inside, is_inside) = mpsc::channel();
        thread::scope(|scope| {
            let pool = &pool;
            scope.spawn(move || {
                pool.run(move || {
                    inside.send(()).unwrap();
                    gate.recv().unwrap();
                })
            });
            is_inside.recv().unwrap();
            assert_eq!(
                pool.shutdown(Some(Instant::now() + Duration::from_millis(5))),
                1
            );
            release.send(()).unwrap();
            assert_eq!(pool.shutdown(None), 0);
        });
    }

    #[test]
    fn without_any_thread_calls_are_refused_and_the_closure_does_not_run() {
        let pool = BlockingPool::with_start(4, usize::MAX, LONG, anywhere(), |_| {
            Err(io::ErrorKind::WouldBlock.into())
        });
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let error = pool.run(|| unreachable!()).unwrap_err();
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                        assert!(error.to_string().contains("ulimit -u"), "{error}");
                    }
                });
            }
        });
        assert_eq!((pool.metrics().threads, pool.metrics().queued), (0, 0));
    }

    #[test]
    fn with_one_thread_alive_calls_wait_for_it() {
        static STARTED: AtomicBool = AtomicBool::new(false);
        let pool = BlockingPool::with_start(8, usize::MAX, LONG, anywhere(), |inner| match STARTED
            .swap(true, Ordering::Relaxed)
        {
            false => start_thread(inner),
            true => Err(io::ErrorKind::OutOfMemory.into()),
        });
        assert_eq!(pool.run(|| 0).unwrap(), 0);
        let runs = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(|| runs.fetch_add(1, Ordering::Relaxed)).unwrap();
                    }
                });
            }
        });
        assert_eq!((runs.into_inner(), pool.metrics().threads), (1600, 1));
    }
}
