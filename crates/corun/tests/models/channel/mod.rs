//! The real files of the channels, but for the futures; and the models.

#[path = "../../../src/channel/buffer.rs"]
mod buffer;
#[path = "../../../src/channel/clock.rs"]
mod clock;
#[path = "../../../src/channel/commit.rs"]
mod commit;
#[path = "../../../src/channel/core.rs"]
mod core;
#[path = "../../../src/channel/endings.rs"]
mod endings;
#[path = "../../../src/channel/error.rs"]
mod error;
#[path = "../../../src/channel/few.rs"]
mod few;
#[path = "../../../src/channel/iter.rs"]
mod iter;
#[path = "../../../src/channel/lock.rs"]
mod lock;
#[path = "../../../src/channel/receiver.rs"]
mod receiver;
#[path = "../../../src/channel/receiving.rs"]
mod receiving;
#[path = "../../../src/channel/select.rs"]
mod select;
#[path = "../../../src/channel/selection.rs"]
mod selection;
#[path = "../../../src/channel/sender.rs"]
mod sender;
#[path = "../../../src/channel/sending.rs"]
mod sending;
#[path = "../../../src/channel/waiter.rs"]
mod waiter;

use std::ptr::NonNull;
use std::time::Instant;

use receiver::Receiver;
use sender::Sender;

mod biased_lock;
mod exchange;
mod selects;

/// A message that loom watches: whoever has it may write to it, and nobody else at the same time.
struct Message(u32, crate::checker::cell::UnsafeCell<()>);

impl Message {
    fn new(number: u32) -> Message {
        let message = Message(number, crate::checker::cell::UnsafeCell::new(()));
        message.1.with_mut(|_| ());
        message
    }

    /// What its receiver reads.
    fn number(self) -> u32 {
        self.1.with_mut(|_| ());
        self.0
    }
}

fn channel(capacity: usize) -> (Sender<Message>, Receiver<Message>) {
    let chan = NonNull::from(Box::leak(Box::new(core::Chan::new(capacity))));
    (Sender::first(chan), Receiver::first(chan))
}

/// A deadline that has passed: who waits until then gives up at once.
fn at_once() -> Instant {
    Instant::now()
}
