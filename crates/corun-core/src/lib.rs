#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod channel;
mod event;
mod executor;
mod inbox;
mod join;
mod machine;
mod primitive;
mod stack;
mod task;
mod timers;
mod wait;

pub use channel::{
    Receiver, RecvError, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError,
    TrySendError, channel,
};
pub use corun_context::stack::{Stack, UnguardedStack};
pub use event::{Event, Notifier};
pub use executor::{Deadlock, Executor};
pub use join::JoinHandle;
pub use machine::Machine;
pub use stack::{HeapStack, NoStack};
pub use task::Id;
pub use wait::WaitQueue;
