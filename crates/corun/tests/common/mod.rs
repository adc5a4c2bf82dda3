//! Runs one test body from plain threads and from coroutines.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Where a test body runs; it starts its helpers in the same kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Thread,
    Coroutine,
    /// A coroutine that may change threads. The bodies keep nothing of their thread across a suspension.
    Migratable,
}

pub enum Task<T> {
    Thread(std::thread::JoinHandle<T>),
    Coroutine(corun::JoinHandle<T>),
}

impl Place {
    pub fn spawn<T: Send + 'static>(self, body: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        self.spawn_boxed(Box::new(body))
    }

    /// Compiled once for each type of a result, rather than for each of the hundreds of bodies.
    fn spawn_boxed<T: Send + 'static>(self, body: Box<dyn FnOnce() -> T + Send>) -> Task<T> {
        match self {
            Place::Thread => Task::Thread(std::thread::spawn(body)),
            Place::Coroutine => Task::Coroutine(corun::spawn(body)),
            // SAFETY: the bodies of the tests that use this keep nothing of their thread.
            Place::Migratable => Task::Coroutine(unsafe { corun::spawn_migratable(body) }),
        }
    }
}

impl<T> Task<T> {
    #[track_caller]
    pub fn join(self) -> T {
        match self {
            Task::Thread(task) => task.join().unwrap(),
            Task::Coroutine(task) => task.join().unwrap(),
        }
    }

    pub fn is_finished(&self) -> bool {
        match self {
            Task::Thread(task) => task.is_finished(),
            Task::Coroutine(task) => task.is_finished(),
        }
    }
}

/// Runs the body on a plain thread, and in a coroutine, and in one that may change threads, on runtimes with 1, 2 and 8 workers. Under the emulator of
/// `tools/cross`, ten times as slow and there for the sake of the processor, 2 workers do.
pub fn everywhere(body: impl Fn(Place) + Send + Sync + Copy + 'static) {
    everywhere_boxed(Arc::new(body));
}

/// Compiled once, rather than for each body.
fn everywhere_boxed(body: Arc<dyn Fn(Place) + Send + Sync>) {
    body(Place::Thread);
    let is_emulated =
        std::env::var_os("CORUN_TEST_RUNNER").is_some_and(|runner| !runner.is_empty());
    let counts: &[usize] = if is_emulated { &[2] } else { &[1, 2, 8] };
    for &workers in counts {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        let (pinned, moving) = (Arc::clone(&body), Arc::clone(&body));
        runtime.block_on(move || pinned(Place::Coroutine));
        runtime.block_on(move || {
            Place::Migratable
                .spawn(move || moving(Place::Migratable))
                .join()
        });
    }
}

/// Does an error say that this program has shut down the direction? std has no kind for it on Windows.
pub fn is_of_shut_down(error: &std::io::Error) -> bool {
    const WSAESHUTDOWN: i32 = 10058;
    error.kind() == std::io::ErrorKind::BrokenPipe
        || (cfg!(windows) && error.raw_os_error() == Some(WSAESHUTDOWN))
}

/// Runs something, and checks that it took at least as long as was asked for, and returned at all.
#[track_caller]
pub fn takes_at_least<T>(time: Duration, body: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = body();
    assert!(
        start.elapsed() >= time,
        "returned after {:?}, before {time:?}",
        start.elapsed()
    );
    result
}

/// A waker that counts how often it was woken, and continues whoever made it.
pub struct CountingWaker {
    count: AtomicUsize,
    owner: corun::Coroutine,
}

impl CountingWaker {
    pub fn new() -> (Arc<CountingWaker>, Waker) {
        let waker = Arc::new(CountingWaker {
            count: AtomicUsize::new(0),
            owner: corun::current(),
        });
        (Arc::clone(&waker), Waker::from(waker))
    }

    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.owner.unpark();
    }
}

/// Runs a future to its end on the calling coroutine or thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let (_, waker) = CountingWaker::new();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => corun::park(),
        }
    }
}

/// Polls a future once.
pub fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(waker))
}
