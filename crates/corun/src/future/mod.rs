//! Promises and their futures, what can be made of them, and async code as a guest of the scheduler: [`spawn_async`] and [`block_on`].
//!
//! A [`promise`] is made in two halves. One side keeps it ([`Promise::resolve`], [`Promise::reject`]), from whatever place: a coroutine, a plain
//! thread, an async task, the callback of a foreign library. The other side has a [`Future`]: it [waits](Future::wait), `.await`s, looks
//! ([`Future::try_take`]) or leaves something to be called ([`Future::on_complete`]). [`SharedFuture`] is for many.
//!
//! | to | use |
//! |---|---|
//! | make a value that is not there yet | [`promise`] |
//! | let several wait for it | [`Future::shared`] |
//! | go on from a value or an error | [`Eventual::map`], [`map_err`](Eventual::map_err), [`then`](Eventual::then), [`and_then`](Eventual::and_then), [`or_else`](Eventual::or_else), [`chain`](Eventual::chain) |
//! | wait for all of them | [`Eventual::join`], [`join_all`] |
//! | wait for the first | [`Eventual::race`], [`select_ok`] |
//! | no longer than so long | [`Future::wait_timeout`], [`timeout_async`](crate::time::timeout_async) |
//! | learn that nobody wants it any more | [`Promise::is_wanted`] |
//!
//! A future costs one allocation of 88 bytes and its outcome, and some tens of nanoseconds. Waiting allocates nothing, nor do the combinators,
//! nor a callback of three words or less.
//!
//! A coroutine whose [`JoinHandle`](crate::JoinHandle) is waited for needs none of this; a promise is for values that come some other way.

mod adaptors;
mod block;
mod block_on;
mod callback;
mod combine;
mod eventual;
mod many;
mod place;
mod promise;
mod rejected;
mod shared;
pub(crate) mod spawn;
pub(crate) mod state;
pub(crate) mod task;
mod waiting;
mod waits;

pub use adaptors::{Join, Map, Next, Race, Then};
pub use block::State;
pub use block_on::block_on;
pub(crate) use callback::Place;
pub use combine::Eventual;
pub use eventual::Future;
pub use many::{JoinAll, SelectOk, join_all, select_ok};
#[doc(hidden)]
pub use promise::promise_with_note;
pub use promise::{Promise, promise};
pub use rejected::Rejected;
pub use shared::SharedFuture;
pub use spawn::{spawn_async, spawn_async_local};
pub use waiting::{Source, Waiting};
