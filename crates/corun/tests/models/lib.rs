//! The protocols between threads, checked by loom in every interleaving that C11's memory model allows, that of aarch64 included; and with
//! `RUSTFLAGS="--cfg corun_shuttle"` by shuttle, in many drawn at random (`checker.rs`).
//!
//! What is checked is the real code: its files are included here by path, and find loom's primitives under `crate::primitive`. Each model
//! has twins with a seeded mistake, which have to fail: a model that cannot fail shows nothing.
// A model's interleavings depend neither on the processor nor on optimisation, and take minutes under an emulator.
#![cfg(all(test, target_arch = "x86_64", debug_assertions))]
#![cfg_attr(
    corun_shuttle,
    allow(unused_imports, dead_code, reason = "twins for loom alone")
)]

#[cfg(not(corun_shuttle))]
mod blind_spot;
#[allow(dead_code, reason = "the models use a part of the real files")]
mod cancel;
#[allow(dead_code, reason = "as above")]
mod channel;
mod checker;
#[allow(dead_code, reason = "as above")]
mod coroutine;
#[allow(dead_code, reason = "as above")]
mod future;
mod inspect;
mod platform;
#[allow(
    dead_code,
    reason = "not every mistake is seeded by every set of models"
)]
mod primitive;
mod reactor;

#[allow(dead_code, reason = "as above")]
mod scheduler;
#[allow(dead_code, reason = "as above")]
mod sync;
#[allow(dead_code, reason = "as above")]
mod time;

use checker::check;
