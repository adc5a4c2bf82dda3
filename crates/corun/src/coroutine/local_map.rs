//! Where the values of `coroutine_local!` live: one map per coroutine, and one per plain thread.
//!
//! # Invariants
//! 1. A map is used by one flow of control at a time: by the coroutine that owns it, which stays on its thread, or by its plain thread.
//! 2. No user code (initialiser, destructor, closure of `with`) runs while the list is borrowed; so it may use any local, and may
//!    suspend, without finding a half-made map.
//! 3. A value has a place of its own on the heap from the end of its initialiser until [`LocalMap::clear`], which only runs when the
//!    closure of the coroutine is over (or the thread ends). All frames of `with` have returned by then; those inside a destructor that
//!    `clear` runs can only reach values that are still alive, and return before the next one is destroyed. So a `&T` handed out by
//!    `with` cannot dangle, suspended or not.
//! 4. The state of a key in a map only moves forward: absent, `Initialising`, `Alive`, `Destroyed`; except that an initialiser that
//!    panics leaves the key absent, so that the next use tries again.
//!
//! Values are destroyed in reverse order of the end of their initialisers: a value whose initialiser or destructor uses another one
//! is destroyed before it. After that the map refuses everything until [`LocalMap::reopen`], because the next coroutine on the same stack
//! uses the same control block, and what a destructor of the last one's result left here would be found by it. Programs have a handful of locals, so a key is looked up by walking a short list: that costs each coroutine
//! 8 bytes until it uses its first local.

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use crate::coroutine::task::forget_payload;

/// The values of one coroutine or thread. Nothing is allocated before the first use.
pub(crate) struct LocalMap {
    /// Null before the first use, `CLOSED` after `clear`, else from `Box::into_raw`.
    list: Cell<*mut List>,
}

type List = RefCell<Vec<Entry>>;

/// Never the address of a list.
const CLOSED: *mut List = ptr::without_provenance_mut(1);

struct Entry {
    /// The number of the key, see `LocalKey`.
    key: usize,
    state: State,
    /// Dangling unless `Alive`.
    value: NonNull<()>,
    /// Destroys and frees `value`.
    destroy: unsafe fn(NonNull<()>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Initialising,
    Alive,
    Destroyed,
}

/// Why there is no value to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The value is being destroyed or has been.
    Destroyed,
    /// The initialiser of the value is running, further up on this stack.
    Initialising,
}

/// # Safety
/// `value` comes from `Box::<T>::into_raw` and is not used again.
unsafe fn destroy<T>(value: NonNull<()>) {
    // SAFETY: as promised by the caller.
    drop(unsafe { Box::from_raw(value.cast::<T>().as_ptr()) });
}

impl LocalMap {
    pub(crate) const fn new() -> LocalMap {
        LocalMap {
            list: Cell::new(ptr::null_mut()),
        }
    }

    /// Did nobody use a local here yet?
    pub(super) fn is_untouched(&self) -> bool {
        self.list.get().is_null()
    }

    #[inline]
    fn list(&self) -> Option<&List> {
        let list = self.list.get();
        // SAFETY: neither null nor `CLOSED`, so it came from `Box::into_raw`. It is freed by `clear` after the last destructor, when no
        // borrow is left (invariant 2).
        (!list.is_null() && list != CLOSED).then(|| unsafe { &*list })
    }

    fn list_or_new(&self) -> Option<&List> {
        if self.is_untouched() {
            self.list.set(Box::into_raw(Box::default()));
        }
        self.list()
    }

    /// The value of `key`, if it is alive.
    ///
    /// # Safety
    /// As for [`get_or_init`](Self::get_or_init).
    #[inline]
    pub(super) unsafe fn find<T>(&self, key: usize) -> Option<NonNull<T>> {
        let entries = self.list()?.borrow();
        let found = entries.iter().find(|entry| entry.key == key)?;
        (found.state == State::Alive).then(|| found.value.cast())
    }

    /// The value of `key`, made by `init` if there is none yet.
    ///
    /// # Safety
    /// The same `key` always comes with the same `T`. The pointer is good until [`clear`](Self::clear).
    pub(super) unsafe fn get_or_init<T>(
        &self,
        key: usize,
        init: impl FnOnce() -> T,
    ) -> Result<NonNull<T>, Refusal> {
        let list = self.list_or_new().ok_or(Refusal::Destroyed)?;
        if let Some(entry) = list.borrow().iter().find(|entry| entry.key == key) {
            return match entry.state {
                State::Alive => Ok(entry.value.cast::<T>()),
                State::Initialising => Err(Refusal::Initialising),
                State::Destroyed => Err(Refusal::Destroyed),
            };
        }
        let (state, value) = (State::Initialising, NonNull::dangling());
        list.borrow_mut().push(Entry {
            key,
            state,
            value,
            destroy: destroy::<T>,
        });
        Ok(initialise(list, key, init))
    }

    /// Destroys all values, those that destructors make on the way included, and closes the map. A destructor that panics (which the panic
    /// hook has reported) does not keep the others from running.
    ///
    /// Called on the coroutine's own stack when its closure is over, before anybody learns that it has finished: destructors may suspend.
    #[inline]
    pub(crate) fn clear(&self) {
        match self.list() {
            Some(list) => self.destroy_all(list),
            None => self.list.set(CLOSED),
        }
    }

    #[cold]
    fn destroy_all(&self, list: &List) {
        let next = || {
            let mut entries = list.borrow_mut();
            let entry = entries
                .iter_mut()
                .rev()
                .find(|entry| entry.state == State::Alive)?;
            entry.state = State::Destroyed;
            Some((entry.destroy, entry.value))
        };
        while let Some((destroy, value)) = next() {
            // SAFETY: the entry was alive, so the value is there, and it has just been marked as destroyed, so this happens once.
            let result = catch_unwind(AssertUnwindSafe(|| unsafe { destroy(value) }));
            if let Err(payload) = result {
                forget_payload(payload);
            }
        }
        let list = self.list.replace(CLOSED);
        // SAFETY: from `Box::into_raw`, see `list_or_new`; no borrow of it is left, and nobody finds it any more.
        drop(unsafe { Box::from_raw(list) });
    }

    /// Makes a cleared map as good as new, for the next coroutine.
    #[inline]
    pub(crate) fn reopen(&self) {
        debug_assert!(self.list().is_none(), "values of another coroutine");
        self.list.set(ptr::null_mut());
    }
}

/// Runs the initialiser of `key`, whose mark is in the list.
fn initialise<T>(list: &List, key: usize, init: impl FnOnce() -> T) -> NonNull<T> {
    /// Takes the mark back if the initialiser panics.
    struct Unmark<'list>(&'list List, usize);
    impl Drop for Unmark<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().retain(|entry| entry.key != self.1);
        }
    }
    let unmark = Unmark(list, key);
    let value = NonNull::from(Box::leak(Box::new(init())));
    mem::forget(unmark);
    let mut entries = list.borrow_mut();
    let index = entries
        .iter()
        .position(|entry| entry.key == key)
        .expect("the mark of a running initialiser stays");
    // To the end: the order of destruction is that of the ends of the initialisers.
    let mut entry = entries.remove(index);
    (entry.state, entry.value) = (State::Alive, value.cast());
    entries.push(entry);
    value
}

impl Drop for LocalMap {
    fn drop(&mut self) {
        self.clear();
    }
}

// The map of a plain thread. It stays usable while its values are being destroyed, which a `thread_local!` with a destructor of its
// own would not; hence the pair of a map that has no destructor and a guard that has nothing else.
thread_local! {
    static THREAD_MAP: ManuallyDrop<LocalMap> = const { ManuallyDrop::new(LocalMap::new()) };
    static CLEAR_AT_EXIT: ClearAtExit = const { ClearAtExit };
}

struct ClearAtExit;

impl Drop for ClearAtExit {
    fn drop(&mut self) {
        THREAD_MAP.with(|map| map.clear());
    }
}

/// Calls `f` with the map of the calling thread, in which it may look but not make anything.
#[inline]
pub(super) fn peek_thread_map<R>(f: impl FnOnce(&LocalMap) -> R) -> R {
    THREAD_MAP.with(|map| f(map))
}

/// Calls `f` with the map of the calling thread, for code outside of coroutines. `None` when the thread is ending and never used a local:
/// a value made now would not be destroyed.
pub(super) fn with_thread_map<R>(f: impl FnOnce(&LocalMap) -> R) -> Option<R> {
    THREAD_MAP.with(|map| {
        if map.is_untouched() {
            CLEAR_AT_EXIT.try_with(|_| ()).ok()?;
        }
        Some(f(map))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    /// Safe, because these tests use a key with one type only.
    fn get<T>(map: &LocalMap, key: usize, init: impl FnOnce() -> T) -> Result<NonNull<T>, Refusal> {
        // SAFETY: see above.
        unsafe { map.get_or_init(key, init) }
    }

    type Log = Rc<RefCell<Vec<u32>>>;
    struct Logged(u32, Log);
    impl Drop for Logged {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }

    #[test]
    fn a_value_is_made_once_and_stays_where_it_is() {
        let map = LocalMap::new();
        assert!(map.is_untouched());
        let first = get(&map, 1, || Cell::new(5)).unwrap();
        for key in 2..100 {
            get(&map, key, || key).unwrap();
        }
        let again = get(&map, 1, || -> Cell<i32> { unreachable!() }).unwrap();
        assert_eq!(first, again);
    }

    #[test]
    fn destroyed_in_reverse_order_of_the_end_of_the_initialisers() {
        let log = Log::default();
        let map = LocalMap::new();
        get(&map, 1, || Logged(1, log.clone())).unwrap();
        get(&map, 2, || {
            get(&map, 3, || Logged(3, log.clone())).unwrap();
            Logged(2, log.clone())
        })
        .unwrap();
        drop(map);
        assert_eq!(*log.borrow(), [2, 3, 1]);
    }

    #[test]
    fn an_initialiser_that_asks_for_itself_is_refused() {
        let map = LocalMap::new();
        get(&map, 1, || {
            assert_eq!(get(&map, 1, || ()), Err(Refusal::Initialising))
        })
        .unwrap();
        assert!(get(&map, 1, || ()).is_ok());
    }

    #[test]
    fn an_initialiser_that_panics_leaves_nothing_behind() {
        let map = LocalMap::new();
        let result = catch_unwind(AssertUnwindSafe(|| {
            get(&map, 1, || -> u32 {
                std::panic::resume_unwind(Box::new(()))
            })
        }));
        assert!(result.is_err());
        assert!(get(&map, 1, || 5_u32).is_ok());
    }

    #[test]
    fn destructors_may_use_other_locals_and_make_new_ones() {
        struct Curious(Rc<LocalMap>, Rc<Cell<u32>>);
        impl Drop for Curious {
            fn drop(&mut self) {
                assert!(
                    get(&self.0, 1, || 0_u32).is_ok(),
                    "made earlier, so still alive"
                );
                assert_eq!(
                    get(&self.0, 2, || -> Curious { unreachable!() }).err(),
                    Some(Refusal::Destroyed),
                    "itself"
                );
                let log = Log::default();
                assert!(
                    get(&self.0, 3, || Logged(3, log)).is_ok(),
                    "made now, destroyed after this"
                );
                self.1.set(self.1.get() + 1);
            }
        }
        let (map, runs) = (Rc::new(LocalMap::new()), Rc::new(Cell::new(0)));
        get(&map, 1, || 7_u32).unwrap();
        get(&map, 2, || Curious(map.clone(), runs.clone())).unwrap();
        map.clear();
        assert_eq!(runs.get(), 1);
        assert_eq!(get(&map, 1, || 0_u32), Err(Refusal::Destroyed));
        assert_eq!(
            get(&map, 3, || -> Logged { unreachable!() }).err(),
            Some(Refusal::Destroyed)
        );
    }

    #[test]
    fn a_destructor_that_panics_does_not_stop_the_others() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                // Without the hook, which would write to the test's output.
                std::panic::resume_unwind(Box::new("bomb"));
            }
        }
        let log = Log::default();
        let map = LocalMap::new();
        get(&map, 1, || Logged(1, log.clone())).unwrap();
        get(&map, 2, || Bomb).unwrap();
        map.clear();
        assert_eq!(*log.borrow(), [1]);
    }

    #[test]
    fn a_cleared_map_refuses_everything_until_it_is_reopened() {
        let map = LocalMap::new();
        map.clear();
        assert_eq!(
            get(&map, 1, || 0_u32),
            Err(Refusal::Destroyed),
            "untouched when it was cleared"
        );
        map.reopen();
        get(&map, 1, || 1_u32).unwrap();
        map.clear();
        assert_eq!(get(&map, 2, || 0_u32), Err(Refusal::Destroyed));
        map.reopen();
        // SAFETY: alive until the next `clear`.
        assert_eq!(unsafe { get(&map, 1, || 2_u32).unwrap().read() }, 2);
    }
}
