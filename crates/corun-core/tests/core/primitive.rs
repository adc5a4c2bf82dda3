//! Loom's atomics under the name by which the inbox asks for them, and a mistake to seed in them.

use std::cell::Cell;

pub use loom::sync::Arc;
pub use loom::sync::atomic::Ordering;

thread_local! {
    static RELAXED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a model with all operations relaxed; loom runs all its threads on the calling one.
pub fn relaxed(run: impl FnOnce()) {
    struct Undo;
    impl Drop for Undo {
        fn drop(&mut self) {
            RELAXED.set(false);
        }
    }
    RELAXED.set(true);
    let _undo = Undo;
    run();
}

fn order(asked: Ordering) -> Ordering {
    if RELAXED.get() {
        Ordering::Relaxed
    } else {
        asked
    }
}

macro_rules! atomic {
    ($name:ident $(<$parameter:ident>)?, $value:ty) => {
        pub struct $name $(<$parameter>)? (loom::sync::atomic::$name $(<$parameter>)?);

        #[allow(dead_code, reason = "not all of them are used of each")]
        impl $(<$parameter>)? $name $(<$parameter>)? {
            pub fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }
            pub fn load(&self, asked: Ordering) -> $value {
                self.0.load(order(asked))
            }
            pub fn store(&self, value: $value, asked: Ordering) {
                self.0.store(value, order(asked));
            }
            pub fn swap(&self, value: $value, asked: Ordering) -> $value {
                self.0.swap(value, order(asked))
            }
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange_weak(current, new, order(success), order(failure))
            }
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicU32, u32);
atomic!(AtomicPtr<T>, *mut T);
