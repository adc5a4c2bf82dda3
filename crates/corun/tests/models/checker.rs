//! Who runs the models: loom, or with `--cfg corun_shuttle` shuttle.
//!
//! Loom goes through every interleaving within a bound, and through what weak memory allows. Shuttle takes all operations in one order, but draws
//! thousands of long interleavings at random, without a bound, and by the rule of PCT (probabilistic concurrency testing), which finds
//! a mistake that needs `d` particular switches with a known probability. Twins that only weak memory or a race of plain accesses shows are
//! not for shuttle.

#[cfg(not(corun_shuttle))]
pub use loom::{cell, hint, sync, thread, thread_local};
#[cfg(corun_shuttle)]
pub use shuttle::{hint, sync, thread, thread_local};

/// Explores a model completely within a bound on involuntary switches: mistakes of such protocols show with two or three.
#[cfg(not(corun_shuttle))]
pub fn check(involuntary_switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(involuntary_switches);
    builder.check(model);
}

/// Runs a model in interleavings drawn at random, and in as many drawn by PCT with so many switches.
#[cfg(corun_shuttle)]
pub fn check(involuntary_switches: usize, model: impl Fn() + Send + Sync + 'static) {
    const RUNS: usize = 2_000;
    let model = std::sync::Arc::new(model);
    let again = std::sync::Arc::clone(&model);
    shuttle::check_random(move || model(), RUNS);
    shuttle::check_pct(move || again(), RUNS, involuntary_switches.max(1));
}

/// Shuttle does not look at plain memory.
#[cfg(corun_shuttle)]
pub mod cell {
    #[derive(Debug, Default)]
    pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}
