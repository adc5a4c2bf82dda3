//! What the tests of channels share.
#![allow(dead_code, reason = "each test file uses what it needs")]

use corun::channel::{Receiver, Sender, bounded, unbounded};
use corun::{JoinHandle, State};

/// Capacities that take different ways through a channel; `None` is no limit.
pub const CAPACITIES: [Option<usize>; 4] = [Some(0), Some(1), Some(5), None];

pub const BOUNDED: [usize; 3] = [0, 1, 5];

pub fn channel<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    match capacity {
        Some(capacity) => bounded(capacity),
        None => unbounded(),
    }
}

/// Starts a coroutine, and returns when it waits for something: nobody has to sleep and hope.
#[track_caller]
pub fn spawn_waiting<T: Send + 'static>(
    body: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let handle = corun::spawn(body);
    until_waiting(&handle);
    handle
}

/// Gives way until the coroutine waits for something.
#[track_caller]
pub fn until_waiting<T>(handle: &JoinHandle<T>) {
    loop {
        match handle.coroutine().state() {
            State::Suspended => return,
            State::Ready | State::Running => corun::yield_now(),
            ended => panic!("the coroutine was to wait, but is {ended:?}"),
        }
    }
}

/// Counts how many of its clones have been dropped.
pub struct Counted(pub std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

/// Runs a future on the calling coroutine or thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

    struct Caller(corun::channel::Sender<()>);
    impl Wake for Caller {
        fn wake(self: Arc<Self>) {
            let _ = self.0.try_send(());
        }
    }
    let (sender, receiver) = bounded(1);
    let waker = Waker::from(Arc::new(Caller(sender)));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => receiver.recv().unwrap(),
        }
    }
}
