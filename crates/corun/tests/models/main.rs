//! The protocols between threads, checked by loom in every interleaving that C11's memory model allows, that of aarch64 included.
//!
//! What is checked is the real code: its files are included here by path, and find loom's primitives under `crate::primitive`. Each model
//! has twins with a seeded mistake, which have to fail: a model that cannot fail shows nothing.
// A model's interleavings do not depend on the processor, and take minutes under an emulator.
#![cfg(target_arch = "x86_64")]

#[allow(dead_code, reason = "the models use a part of the real files")]
mod channel;
#[allow(dead_code, reason = "as above")]
mod coroutine;
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

/// Explores a model completely within a bound on involuntary switches: mistakes of such protocols show with two or three.
fn check(involuntary_switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(involuntary_switches);
    builder.check(model);
}
