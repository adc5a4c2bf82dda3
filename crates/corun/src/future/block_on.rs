//! Waiting for a future where there is no executor: in a coroutine or on a plain thread.
//!
//! A waker may be kept by anybody for as long as he likes, and be used when the caller of [`block_on`] has long gone. So it is a counted block
//! of its own, with nothing in it but a place to park. (Rejected: the place that `park` uses, in the coroutine's own block, which would spare
//! the allocation. A late wake-up would end a `park` of the caller's, and an `unpark` meant for such a `park` would be used up here.)

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::coroutine::park::Parker;
use crate::scheduler;

/// Who waits in `block_on`.
struct Waiter {
    parker: Parker,
}

impl Wake for Waiter {
    fn wake(self: Arc<Self>) {
        self.parker.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.parker.unpark();
    }
}

/// Waits for a future: in a coroutine only that coroutine is suspended, on a plain thread the thread is blocked.
///
/// The future need be neither `Send` nor `'static`, and may call `block_on` itself, or code that does. It is polled here and nowhere else, so that what it
/// does between two waits holds up the caller alone. For a future that is to run by itself, see [`spawn_async`](crate::spawn_async).
///
/// # Panics
/// With the panic of the future; inside [`no_suspend`](crate::no_suspend) if it has to wait; and in an async task, which has to `.await`
/// the future instead.
///
/// # Examples
/// ```
/// let (sender, receiver) = corun::channel::bounded(1);
/// let coroutine = corun::spawn(move || corun::block_on(async {
///     let first = receiver.recv_async().await.unwrap();
///     first + receiver.recv_async().await.unwrap()
/// }));
/// corun::block_on(sender.send_async(40)).unwrap();
/// corun::block_on(sender.send_async(2)).unwrap();
/// assert_eq!(corun::block_on(coroutine).unwrap(), 42);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    scheduler::assert_not_polling();
    let mut future = pin!(future);
    let waiter = Arc::new(Waiter {
        parker: Parker::new(),
    });
    let waker = Waker::from(Arc::clone(&waiter));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        waiter.parker.wait();
    }
}
