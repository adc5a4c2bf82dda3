//! Loom's primitives under the name by which the real code asks for them; and mistakes to seed.

use std::cell::Cell;

/// A mistake in the code under test, made in the primitives that it stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Every atomic operation is relaxed.
    Relaxed,
    /// There are no fences.
    NoFences,
}

thread_local! {
    // Loom runs all threads of a model on the calling one.
    static SEEDED: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// Runs a model with a mistake in it.
pub fn with_mistake(mistake: Mistake, run: impl FnOnce()) {
    struct Undo;
    impl Drop for Undo {
        fn drop(&mut self) {
            SEEDED.set(None);
        }
    }
    SEEDED.set(Some(mistake));
    let _undo = Undo;
    run();
}

pub mod thread {
    pub use loom::thread::yield_now;
}

pub mod atomic {
    use loom::sync::atomic as real;
    pub use loom::sync::atomic::Ordering;

    use super::{Mistake, SEEDED};

    pub fn fence(ordering: Ordering) {
        if SEEDED.get() != Some(Mistake::NoFences) {
            real::fence(ordering);
        }
    }

    fn seeded(ordering: Ordering) -> Ordering {
        match SEEDED.get() {
            Some(Mistake::Relaxed) => Ordering::Relaxed,
            _ => ordering,
        }
    }

    #[derive(Debug)]
    pub struct AtomicU64(real::AtomicU64);

    impl AtomicU64 {
        pub fn new(value: u64) -> AtomicU64 {
            AtomicU64(real::AtomicU64::new(value))
        }

        pub fn load(&self, ordering: Ordering) -> u64 {
            self.0.load(seeded(ordering))
        }

        pub fn store(&self, value: u64, ordering: Ordering) {
            self.0.store(value, seeded(ordering));
        }

        pub fn fetch_sub(&self, value: u64, ordering: Ordering) -> u64 {
            self.0.fetch_sub(value, seeded(ordering))
        }

        pub fn compare_exchange_weak(
            &self,
            old: u64,
            new: u64,
            ok: Ordering,
            err: Ordering,
        ) -> Result<u64, u64> {
            self.0
                .compare_exchange_weak(old, new, seeded(ok), seeded(err))
        }
    }
}
