//! Loom's primitives under the name by which the real code asks for them; and mistakes to seed.
//!
//! An atomic that is dropped tells loom so, as a write that races with every access that is not known to come before. So loom also finds uses of
//! what has gone: of a signal on a stack, of a freed block.

pub use crate::checker::hint;

/// Loom's primitives cannot be made at compile time.
macro_rules! constructor {
    ($($function:tt)*) => { $($function)* };
}
pub(crate) use constructor;

pub mod thread {
    pub use crate::checker::thread::{Thread, current, park, yield_now};

    pub fn park_timeout(_: std::time::Duration) {
        unreachable!("no model has a thread that waits with a deadline");
    }
}

/// No model has hooks.
pub fn own<R>(f: impl FnOnce() -> R) -> R {
    f()
}

use std::cell::Cell;

/// A mistake in the code under test, made here, in the primitives that it stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Every atomic operation is relaxed.
    Relaxed,
    /// There are no fences.
    NoFences,
    /// All threads are taken for the same one.
    OnePlace,
}

thread_local! {
    static SEEDED: Cell<Option<Mistake>> = const { Cell::new(None) };
}

pub fn is_seeded(mistake: Mistake) -> bool {
    SEEDED.get() == Some(mistake)
}

/// Runs a model with a mistake in it; loom runs all its threads on the calling one.
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

pub mod atomic {
    pub use crate::checker::sync::atomic::Ordering;

    use super::{Mistake, SEEDED};
    use crate::checker::sync::atomic as real;

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

    /// Makes uses after the end known to loom.
    #[derive(Debug)]
    struct Life(crate::checker::cell::UnsafeCell<()>);

    // SAFETY: there is nothing in it; loom reports the races, which are what it is for.
    unsafe impl Sync for Life {}

    impl Life {
        fn new() -> Life {
            Life(crate::checker::cell::UnsafeCell::new(()))
        }
        fn assert(&self) {
            self.0.with(|_| ());
        }
        fn end(&self) {
            if !failed() {
                self.0.with_mut(|_| ());
            }
        }
    }

    macro_rules! atomic {
        ($name:ident $(<$parameter:ident>)?, $value:ty, $zero:expr) => {
            #[derive(Debug)]
            pub struct $name $(<$parameter>)? (real::$name $(<$parameter>)?, Life);

            impl $(<$parameter>)? Drop for $name $(<$parameter>)? {
                fn drop(&mut self) {
                    self.1.end();
                }
            }

            #[allow(dead_code, reason = "the code under test uses what it needs")]
            impl $(<$parameter>)? $name $(<$parameter>)? {
                pub fn new(value: $value) -> Self {
                    Self(real::$name::new(value), Life::new())
                }
                pub fn store(&self, value: $value, ordering: Ordering) {
                    if failed() {
                        return;
                    }
                    self.1.assert();
                    self.0.store(value, seeded(ordering));
                }
                pub fn load(&self, ordering: Ordering) -> $value {
                    if failed() {
                        return $zero;
                    }
                    self.1.assert();
                    self.0.load(seeded(ordering))
                }
                pub fn compare_exchange(&self, old: $value, new: $value, ok: Ordering, err: Ordering) -> Result<$value, $value> {
                    if failed() {
                        return Ok(old);
                    }
                    self.1.assert();
                    self.0.compare_exchange(old, new, seeded(ok), seeded(err))
                }
                pub fn compare_exchange_weak(&self, old: $value, new: $value, ok: Ordering, err: Ordering) -> Result<$value, $value> {
                    if failed() {
                        return Ok(old);
                    }
                    self.1.assert();
                    self.0.compare_exchange_weak(old, new, seeded(ok), seeded(err))
                }
            }
        };
    }

    macro_rules! swap {
        ($name:ident $(<$parameter:ident>)?, $value:ty) => {
            #[allow(dead_code, reason = "the code under test uses what it needs")]
            impl $(<$parameter>)? $name $(<$parameter>)? {
                pub fn swap(&self, value: $value, ordering: Ordering) -> $value {
                    self.1.assert();
                    self.0.swap(value, seeded(ordering))
                }
            }
        };
    }

    impl AtomicBool {
        /// Does not write what is there already. Else a spinning exchange could in theory slip before the store that it waits for,
        /// again and again, and loom would follow it for ever.
        pub fn swap(&self, value: bool, ordering: Ordering) -> bool {
            let exchanged = self.compare_exchange(!value, value, ordering, Ordering::Relaxed);
            exchanged.unwrap_or_else(|there| there)
        }
    }

    macro_rules! counter {
        ($name:ident, $value:ty) => {
            atomic!($name, $value, 0);

            #[allow(dead_code, reason = "the code under test uses what it needs")]
            impl $name {
                pub fn fetch_add(&self, value: $value, ordering: Ordering) -> $value {
                    self.1.assert();
                    self.0.fetch_add(value, seeded(ordering))
                }
                pub fn fetch_sub(&self, value: $value, ordering: Ordering) -> $value {
                    self.1.assert();
                    self.0.fetch_sub(value, seeded(ordering))
                }
            }
        };
    }

    atomic!(AtomicBool, bool, false);
    atomic!(AtomicPtr<T>, *mut T, std::ptr::null_mut());
    counter!(AtomicU32, u32);
    counter!(AtomicU64, u64);
    counter!(AtomicUsize, usize);
    impl AtomicU64 {
        pub fn fetch_or(&self, value: u64, ordering: Ordering) -> u64 {
            self.1.assert();
            self.0.fetch_or(value, seeded(ordering))
        }
    }

    swap!(AtomicPtr<T>, *mut T);
    swap!(AtomicU32, u32);
}
