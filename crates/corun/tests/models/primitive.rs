//! Loom's primitives under the name by which the real code asks for them; and mistakes to seed.

use std::cell::Cell;

/// A mistake in the code under test, made here, in the primitives that it stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Every atomic operation is relaxed.
    Relaxed,
    /// There are no fences.
    NoFences,
}

thread_local! {
    static SEEDED: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// Runs a model with a mistake in it; loom runs all its threads on the calling one.
pub fn with_mistake(mistake: Mistake, run: impl FnOnce()) {
    SEEDED.set(Some(mistake));
    run();
}

pub use loom::{hint, thread};

pub mod atomic {
    pub use loom::sync::atomic::Ordering;

    use super::{Mistake, SEEDED};
    use loom::sync::atomic as real;

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

    /// A model that has failed unwinds, and destructors of the code under test run: loom's primitives are gone then.
    fn failed() -> bool {
        std::thread::panicking()
    }

    macro_rules! atomic {
        ($name:ident $(<$parameter:ident>)?, $value:ty, $zero:expr) => {
            #[derive(Debug)]
            pub struct $name $(<$parameter>)? (real::$name $(<$parameter>)?);

            #[allow(dead_code, reason = "the code under test uses what it needs")]
            impl $(<$parameter>)? $name $(<$parameter>)? {
                pub fn new(value: $value) -> Self {
                    Self(real::$name::new(value))
                }
                pub fn load(&self, ordering: Ordering) -> $value {
                    if failed() {
                        return $zero;
                    }
                    self.0.load(seeded(ordering))
                }
                pub fn store(&self, value: $value, ordering: Ordering) {
                    if failed() {
                        return;
                    }
                    self.0.store(value, seeded(ordering));
                }
                pub fn swap(&self, value: $value, ordering: Ordering) -> $value {
                    self.0.swap(value, seeded(ordering))
                }
                pub fn compare_exchange(&self, old: $value, new: $value, ok: Ordering, err: Ordering) -> Result<$value, $value> {
                    if failed() {
                        return Ok(old);
                    }
                    self.0.compare_exchange(old, new, seeded(ok), seeded(err))
                }
                pub fn compare_exchange_weak(&self, old: $value, new: $value, ok: Ordering, err: Ordering) -> Result<$value, $value> {
                    if failed() {
                        return Ok(old);
                    }
                    self.0.compare_exchange_weak(old, new, seeded(ok), seeded(err))
                }
            }
        };
    }

    macro_rules! counter {
        ($name:ident, $value:ty) => {
            atomic!($name, $value, 0);

            #[allow(dead_code, reason = "the code under test uses what it needs")]
            impl $name {
                pub fn fetch_add(&self, value: $value, ordering: Ordering) -> $value {
                    self.0.fetch_add(value, seeded(ordering))
                }
                pub fn fetch_sub(&self, value: $value, ordering: Ordering) -> $value {
                    self.0.fetch_sub(value, seeded(ordering))
                }
            }
        };
    }

    atomic!(AtomicBool, bool, false);
    atomic!(AtomicPtr<T>, *mut T, std::ptr::null_mut());
    counter!(AtomicU32, u32);
    counter!(AtomicUsize, usize);
}
