//! What the tests of async tasks share.

use std::future::{Future, poll_fn};
use std::task::{Context, Poll, Waker};

/// Runs the body in a coroutine on runtimes with 1, 2 and 8 workers.
pub fn on_runtimes(body: impl Fn() + Send + Sync + Copy) {
    on_each(&body);
}

/// Compiled once, rather than for each body.
fn on_each(body: &(dyn Fn() + Send + Sync)) {
    for workers in [1, 2, 8] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(body);
        runtime
            .shutdown(std::time::Duration::from_secs(60))
            .expect("nothing is left");
    }
}

/// Lets the others run once.
pub fn yield_once() -> impl Future<Output = ()> + Send {
    let mut yielded = false;
    poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Polls a future once.
pub fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(waker))
}
