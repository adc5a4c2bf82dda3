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

/// Explores a model completely within a bound on involuntary switches: mistakes of such protocols show with two or three. Each model is explored
/// by loom alone, and then with eyes for what loom does not see (`primitive.rs`), which takes several times as many interleavings: models that are
/// large by themselves have one switch less then.
///
/// A model that was explored once fails: threads that have nothing to do with each other show nothing, and those that have are in loom's
/// blind spot. With `CORUN_MODELS_COUNT` set and `--nocapture`, each model says in how many it was explored by either.
#[cfg(not(corun_shuttle))]
#[track_caller]
pub fn check(involuntary_switches: usize, model: impl Fn() + Send + Sync + 'static) {
    const LARGE: usize = 1_000;
    check_within(
        involuntary_switches,
        |alone| match involuntary_switches {
            switches @ 2.. if alone > LARGE => switches - 1,
            switches => switches,
        },
        model,
    );
}

/// As `check`, with a bound of its own for what loom does not see alone.
#[cfg(not(corun_shuttle))]
#[track_caller]
pub fn check_within(
    involuntary_switches: usize,
    seeing: impl FnOnce(usize) -> usize,
    model: impl Fn() + Send + Sync + 'static,
) {
    let model: Model = std::sync::Arc::new(model);
    let again = std::sync::Arc::clone(&model);
    let alone = crate::primitive::blindly(|| explore_boxed(involuntary_switches, again));
    let explored = explore_boxed(seeing(alone), model);
    if std::env::var_os("CORUN_MODELS_COUNT").is_some() {
        let thread = std::thread::current();
        println!("{}: {alone} + {explored}", thread.name().unwrap_or("?"));
    }
    assert!(explored > 1, "explored in one interleaving");
}

/// As `check`; returns in how many interleavings.
#[cfg(not(corun_shuttle))]
pub fn explore(involuntary_switches: usize, model: impl Fn() + Send + Sync + 'static) -> usize {
    explore_boxed(involuntary_switches, std::sync::Arc::new(model))
}

/// In a box, so that what explores them is compiled once.
type Model = std::sync::Arc<dyn Fn() + Send + Sync>;

#[cfg(not(corun_shuttle))]
fn explore_boxed(involuntary_switches: usize, model: Model) -> usize {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let explored = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(involuntary_switches);
    builder.check({
        let explored = Arc::clone(&explored);
        move || {
            explored.fetch_add(1, Ordering::Relaxed);
            model();
        }
    });
    explored.load(Ordering::Relaxed)
}

/// Runs a model in interleavings drawn at random, and in as many drawn by PCT with so many switches.
#[cfg(corun_shuttle)]
pub fn check(involuntary_switches: usize, model: impl Fn() + Send + Sync + 'static) {
    const RUNS: usize = 2_000;
    let model: Model = std::sync::Arc::new(model);
    let again = std::sync::Arc::clone(&model);
    shuttle::check_random(move || model(), RUNS);
    shuttle::check_pct(move || again(), RUNS, involuntary_switches.max(1));
}

#[cfg(corun_shuttle)]
pub fn check_within(
    involuntary_switches: usize,
    _: impl FnOnce(usize) -> usize,
    model: impl Fn() + Send + Sync + 'static,
) {
    check(involuntary_switches, model);
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
