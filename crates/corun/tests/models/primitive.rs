//! Loom's primitives under the name by which the real code asks for them; and mistakes to seed.
//!
//! An atomic that is dropped tells loom so, as a write that races with every access that is not known to come before. So loom also finds uses of
//! what has gone: of a signal on a stack, of a freed block.

pub mod hint {
    pub fn spin_loop() {
        super::again::look();
        crate::checker::hint::spin_loop();
    }
}

/// Loom's primitives cannot be made at compile time.
macro_rules! constructor {
    ($($function:tt)*) => { $($function)* };
}
pub(crate) use constructor;

pub mod thread {
    pub use crate::checker::thread::{Thread, current, park};

    pub fn yield_now() {
        super::again::look();
        crate::checker::thread::yield_now();
    }

    pub fn park_timeout(_: std::time::Duration) {
        unreachable!("no model has a thread that waits with a deadline");
    }
}

/// No model has hooks.
pub fn own<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Whether a thread waits for others by looking again and again. Two of those in each other's way would have loom try for ever who
/// looks first; and loom knows from `yield_now` that the others have to go on.
mod again {
    use std::cell::Cell;

    crate::checker::thread_local! {
        static LOOKS: Cell<bool> = Cell::new(false);
    }

    /// The thread will look again.
    pub fn look() {
        LOOKS.with(|looks| looks.set(true));
    }

    pub fn is_looking() -> bool {
        LOOKS.with(Cell::get)
    }

    /// The thread changes something.
    pub fn end() {
        LOOKS.with(|looks| looks.set(false));
    }
}

use std::cell::Cell;

/// A mistake in the code under test, made here, in the primitives that it stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Every atomic operation is relaxed.
    Relaxed,
    /// There are no fences.
    NoFences,
    /// Loads are relaxed.
    RelaxedLoads,
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

thread_local! {
    static BLIND: Cell<bool> = const { Cell::new(false) };
}

pub fn is_blind() -> bool {
    BLIND.get()
}

/// Leaves loom alone with its blind spot.
pub fn blindly<T>(run: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            BLIND.set(self.0);
        }
    }
    let _restore = Restore(BLIND.replace(true));
    run()
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

    fn loads(ordering: Ordering) -> Ordering {
        match SEEDED.get() {
            Some(Mistake::RelaxedLoads) => Ordering::Relaxed,
            _ => seeded(ordering),
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

    /// Puts any two loads of an atomic into each other's way.
    ///
    /// Loom 0.7.2 remembers the last access to each atomic alone. When a thread looks at an atomic and then changes it, loom compares the change
    /// with that thread's own look, and never with what others have read before: that they might have read the new value is not tried
    /// (`blind_spot.rs`). So each load is followed by a store to an atomic of its own: a look after another thread's look is then tried
    /// before it too, and whoever looks goes on from there to its change. It has to be a store: nobody ever reads it, so it
    /// synchronises nothing, not even by fences, and loads still return all that weak memory lets them return.
    #[derive(Debug)]
    struct Looks(#[cfg(not(corun_shuttle))] real::AtomicBool);

    #[cfg(not(corun_shuttle))]
    impl Looks {
        fn new() -> Looks {
            Looks(real::AtomicBool::new(false))
        }

        /// Nothing is to be tried between the load and this; loom then tries it before the load.
        fn one(&self) {
            if !super::is_blind() && !super::again::is_looking() {
                loom::stop_exploring();
                self.0.store(false, Ordering::Relaxed);
                loom::explore();
            }
        }
    }

    /// Shuttle draws its interleavings, whatever they touch.
    #[cfg(corun_shuttle)]
    impl Looks {
        fn new() -> Looks {
            Looks()
        }
        fn one(&self) {}
    }

    macro_rules! atomic {
        ($name:ident $(<$parameter:ident>)?, $value:ty, $zero:expr) => {
            #[derive(Debug)]
            pub struct $name $(<$parameter>)? (real::$name $(<$parameter>)?, Life, Looks);

            impl $(<$parameter>)? Drop for $name $(<$parameter>)? {
                fn drop(&mut self) {
                    self.1.end();
                }
            }

            #[allow(dead_code, reason = "the code under test uses what it needs")]
            impl $(<$parameter>)? $name $(<$parameter>)? {
                pub fn new(value: $value) -> Self {
                    Self(real::$name::new(value), Life::new(), Looks::new())
                }
                pub fn store(&self, value: $value, ordering: Ordering) {
                    if failed() {
                        return;
                    }
                    self.1.assert();
                    super::again::end();
                    self.0.store(value, seeded(ordering));
                }
                pub fn load(&self, ordering: Ordering) -> $value {
                    if failed() {
                        return $zero;
                    }
                    self.1.assert();
                    let value = self.0.load(loads(ordering));
                    self.2.one();
                    value
                }
                pub fn compare_exchange(&self, old: $value, new: $value, ok: Ordering, err: Ordering) -> Result<$value, $value> {
                    if failed() {
                        return Ok(old);
                    }
                    self.1.assert();
                    let exchanged = self.0.compare_exchange(old, new, seeded(ok), seeded(err));
                    if exchanged.is_ok() {
                        super::again::end();
                    }
                    exchanged
                }
                pub fn compare_exchange_weak(&self, old: $value, new: $value, ok: Ordering, err: Ordering) -> Result<$value, $value> {
                    if failed() {
                        return Ok(old);
                    }
                    self.1.assert();
                    let exchanged = self.0.compare_exchange_weak(old, new, seeded(ok), seeded(err));
                    if exchanged.is_ok() {
                        super::again::end();
                    }
                    exchanged
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
                    super::again::end();
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
                    super::again::end();
                    self.0.fetch_add(value, seeded(ordering))
                }
                pub fn fetch_sub(&self, value: $value, ordering: Ordering) -> $value {
                    self.1.assert();
                    super::again::end();
                    self.0.fetch_sub(value, seeded(ordering))
                }
            }
        };
    }

    atomic!(AtomicBool, bool, false);
    atomic!(AtomicU8, u8, 0);
    atomic!(AtomicPtr<T>, *mut T, std::ptr::null_mut());
    counter!(AtomicU32, u32);
    counter!(AtomicU64, u64);
    counter!(AtomicUsize, usize);
    impl AtomicU64 {
        pub fn fetch_or(&self, value: u64, ordering: Ordering) -> u64 {
            self.1.assert();
            super::again::end();
            self.0.fetch_or(value, seeded(ordering))
        }
    }

    swap!(AtomicPtr<T>, *mut T);
    swap!(AtomicU32, u32);
}
