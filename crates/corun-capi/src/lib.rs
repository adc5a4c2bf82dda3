//! The C ABI of corun: coroutines, futures, channels and select for compilers and C programs.
//!
//! The headers in `include/echo/` are the documentation; `docs/compilers.md` tells how a code generator uses them. This crate is the
//! library behind them, `libcorun.a` and `libcorun.so`. From Rust, use the crate `corun`.
//!
//! - `call.rs`: the border that every exported function goes through.
//! - `table.rs`, `number.rs`, `slots.rs`: handles, on `primitive.rs`.
//! - `failure.rs`, `status.rs`: errors. `value.rs`, `promised.rs`, `element.rs`: what users hand over.
//! - A module for each header: `runtime`, `task` (with `launch` for how it begins, `own` for what a task does itself, `body` for what it runs, `key` for its storage), `future`
//!   (with `promise`, `combine` and `first`), `channel` (with `transfer`, `lane` and `select`), `scheduler`, `sync`, `coroutine` (with `schedule`), `event_loop` (with `event`),
//!   `observe`.

mod body;
mod call;
mod cell;
pub mod channel;
pub mod combine;
pub mod coroutine;
mod element;
pub mod event;
pub mod event_loop;
pub mod failure;
pub mod first;
pub mod future;
pub mod key;
mod lane;
pub mod launch;
mod number;
pub mod observe;
pub mod own;
mod own_thread;
mod primitive;
pub mod promise;
mod promised;
pub mod registers;
pub mod runtime;
pub mod schedule;
pub mod scheduler;
pub mod select;
mod slots;
pub mod status;
pub mod sync;
mod table;
#[cfg(test)]
mod table_tests;
pub mod task;
pub mod transfer;
pub mod value;
