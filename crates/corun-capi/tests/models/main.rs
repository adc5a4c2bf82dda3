//! The table of handles, checked by loom in every interleaving that C11's memory model allows, with so many involuntary switches.
//!
//! What is checked is the real code: `table.rs` and `number.rs` are included by path, and find loom's primitives under `crate::primitive`. The models have twins
//! with a seeded mistake, which have to fail: a model that cannot fail shows nothing.
// A model's interleavings depend neither on the processor nor on optimisation, and take minutes under an emulator.
#![cfg(all(target_arch = "x86_64", debug_assertions))]
#![allow(
    clippy::arc_with_non_send_sync,
    reason = "loom finds out whether what it counts is used as it must be"
)]

mod ends;
mod handles;
#[allow(dead_code, reason = "the models use a part of the real files")]
#[path = "../../src/number.rs"]
mod number;
mod primitive;
mod slots;
#[allow(dead_code, reason = "as above")]
#[path = "../../src/table.rs"]
mod table;

/// Stand-ins for errors.
mod failure {
    use std::borrow::Cow;

    #[derive(Debug)]
    pub struct Failure;

    pub type Outcome<T = ()> = Result<T, Failure>;

    impl Failure {
        pub fn new(_: i32, _: impl Into<Cow<'static, str>>) -> Failure {
            Failure
        }
    }
}

mod status {
    pub const ERR_HANDLE: i32 = -2;
    pub const ERR_NOMEM: i32 = -11;
}

/// Explores a model completely within a bound on involuntary switches.
#[track_caller]
fn check(involuntary_switches: usize, model: impl Fn() + Send + Sync + 'static) {
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
    let explored = explored.load(Ordering::Relaxed);
    if std::env::var_os("CORUN_MODELS_COUNT").is_some() {
        println!("{:?}: {explored}", std::thread::current().name());
    }
    assert!(explored > 1, "explored in one interleaving");
}

/// A handle on its way to other threads.
#[derive(Clone, Copy)]
struct Handle(*mut ());

// SAFETY: a number.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// By a method, so that closures capture the whole of it.
    fn get(self) -> *mut () {
        self.0
    }
}
