//! Programs that were not written for corun: their threads as coroutines.
//!
//! Where this library is preloaded and `CORUN_HOOK_THREADS=1` is set, `pthread_create` starts a coroutine. The thread that runs `main` stays
//! a thread, and blocks as it always did. The threads of the runtime itself are threads: their code is in this library.
//!
//! # What a thread is, and a coroutine is not
//! - `pthread_self`, joining, detaching, `pthread_exit` and values by `pthread_setspecific` are the coroutine's own.
//! - Variables declared `__thread` or `thread_local` are its own too, on x86-64 (`identity.rs`). On other processors they are the worker's, and so
//!   shared by the coroutines on it: a program that keeps state of its connection there is not fit for this, and nothing tells.
//! - A program that computes for long keeps others from running. It is for this reason that the environment has to ask.
//! - Signals cannot be sent to one, it cannot be cancelled (`ENOSYS`), and has neither a name nor processors of its own (those calls do nothing).
//!
//! A number that stands for a coroutine is the address of a [`Thread`], of which glibc must never hear: each function that takes one is
//! hooked here.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use corun::hooking;
use libc::{cpu_set_t, pthread_attr_t, pthread_key_t, pthread_t, size_t};

use crate::identity;
use crate::spin::Spin;
use crate::symbol::{Symbol, hooks};

/// How often destructors may set new values: `PTHREAD_DESTRUCTOR_ITERATIONS`.
const DESTRUCTOR_ROUNDS: usize = 4;

/// Threads become coroutines.
static ACTIVE: AtomicBool = AtomicBool::new(false);

type Routine = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type Destructor = unsafe extern "C" fn(*mut c_void);

/// What a coroutine is as a thread.
struct Thread {
    state: Mutex<State>,
    changed: Condvar,
    /// Used by the coroutine itself alone.
    values: Spin<BTreeMap<pthread_key_t, *mut c_void>>,
}

struct State {
    detached: bool,
    /// What it has returned.
    ended: Option<*mut c_void>,
}

// SAFETY: the pointers are the program's, for itself to interpret.
unsafe impl Send for Thread {}
// SAFETY: as above; what changes is behind locks.
unsafe impl Sync for Thread {}

/// All that have not been joined, by their addresses.
static THREADS: Spin<BTreeMap<usize, Arc<Thread>>> = Spin::new(BTreeMap::new());
/// Whose destructors run at the end of a thread.
static DESTRUCTORS: Spin<BTreeMap<pthread_key_t, Destructor>> = Spin::new(BTreeMap::new());

corun::coroutine_local! {
    /// The thread that the coroutine is.
    static ME: Cell<usize> = const { Cell::new(0) };
}

/// The payload by which `pthread_exit` leaves.
struct Exit(*mut c_void);

// SAFETY: as for `Thread`.
unsafe impl Send for Exit {}

hooks! {
    fn pthread_create(thread: *mut pthread_t, attributes: *const pthread_attr_t, routine: Routine, argument: *mut c_void) -> c_int |real, _parks| {
        if !ACTIVE.load(Ordering::Relaxed) || is_ours(routine as *const c_void) {
            // SAFETY: as for the call itself.
            return unsafe { real(thread, attributes, routine, argument) };
        }
        // SAFETY: as above.
        unsafe { create(thread, attributes, routine, argument) }
    }

    fn pthread_self() -> pthread_t |real, _parks| {
        match me() {
            // SAFETY: always valid.
            None => unsafe { real() },
            Some(me) => me as pthread_t,
        }
    }

    fn pthread_detach(thread: pthread_t) -> c_int |real, _parks| {
        // SAFETY: as for the call itself.
        with(thread, detach).unwrap_or_else(|| unsafe { real(thread) })
    }

    fn pthread_getspecific(key: pthread_key_t) -> *mut c_void |real, _parks| {
        match my_thread() {
            // SAFETY: as for the call itself.
            None => unsafe { real(key) },
            Some(me) => me.values.with(|values| values.get(&key).copied()).unwrap_or(ptr::null_mut()),
        }
    }

    fn pthread_setspecific(key: pthread_key_t, value: *const c_void) -> c_int |real, _parks| {
        match my_thread() {
            // SAFETY: as for the call itself.
            None => unsafe { real(key, value) },
            Some(me) => {
                me.values.with(|values| values.insert(key, value.cast_mut()));
                0
            }
        }
    }

    fn pthread_key_create(key: *mut pthread_key_t, destructor: Option<Destructor>) -> c_int |real, _parks| {
        // SAFETY: as for the call itself.
        let result = unsafe { real(key, destructor) };
        if result == 0 && let Some(destructor) = destructor {
            // SAFETY: it was written.
            DESTRUCTORS.with(|all| all.insert(unsafe { *key }, destructor));
        }
        result
    }

    fn pthread_key_delete(key: pthread_key_t) -> c_int |real, _parks| {
        DESTRUCTORS.with(|all| all.remove(&key));
        // SAFETY: as for the call itself.
        unsafe { real(key) }
    }

    fn pthread_kill(thread: pthread_t, signal: c_int) -> c_int |real, _parks| {
        // SAFETY: as for the call itself.
        with(thread, |_| if signal == 0 { 0 } else { libc::ENOSYS }).unwrap_or_else(|| unsafe { real(thread, signal) })
    }

    fn pthread_cancel(thread: pthread_t) -> c_int |real, _parks| {
        // SAFETY: as for the call itself.
        with(thread, |_| libc::ENOSYS).unwrap_or_else(|| unsafe { real(thread) })
    }

    fn pthread_setname_np(thread: pthread_t, name: *const c_char) -> c_int |real, _parks| {
        // SAFETY: as for the call itself.
        with(thread, |_| 0).unwrap_or_else(|| unsafe { real(thread, name) })
    }

    fn pthread_setaffinity_np(thread: pthread_t, size: size_t, set: *const cpu_set_t) -> c_int |real, _parks| {
        // SAFETY: as for the call itself.
        with(thread, |_| 0).unwrap_or_else(|| unsafe { real(thread, size, set) })
    }

    fn pthread_getattr_np(thread: pthread_t, attributes: *mut pthread_attr_t) -> c_int |real, _parks| {
        // SAFETY: as for the call itself.
        with(thread, |_| libc::ENOSYS).unwrap_or_else(|| unsafe { real(thread, attributes) })
    }
}

/// Ends the coroutine, or, elsewhere, the thread.
///
/// # Safety
/// As for `pthread_exit`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pthread_exit(value: *mut c_void) -> ! {
    static REAL: Symbol<unsafe extern "C-unwind" fn(*mut c_void) -> !> =
        Symbol::new(c"pthread_exit");
    if me().is_some() {
        panic::resume_unwind(Box::new(Exit(value)));
    }
    // SAFETY: as for the call itself.
    unsafe { REAL.get()(value) }
}

/// Has threads become coroutines from now on.
pub(crate) fn activate() {
    ACTIVE.store(true, Ordering::SeqCst);
}

/// The address of the calling coroutine's thread.
fn me() -> Option<usize> {
    if !ACTIVE.load(Ordering::Relaxed) {
        return None;
    }
    identity::on_worker(|| {
        if hooking::coroutine() == 0 {
            return None;
        }
        let me = ME.try_with(|me| me.get());
        me.ok().filter(|&me| me != 0)
    })
}

fn my_thread() -> Option<&'static Thread> {
    // SAFETY: the coroutine's closure has a counted reference for as long as it runs.
    me().map(|me| unsafe { &*(me as *const Thread) })
}

/// Runs `f` with a thread that is a coroutine. `None`: it is one of the system's.
fn with(thread: pthread_t, f: impl FnOnce(&Thread) -> c_int) -> Option<c_int> {
    if !ACTIVE.load(Ordering::Relaxed) {
        return None;
    }
    let known = THREADS.with(|threads| threads.get(&(thread as usize)).map(Arc::clone));
    known.map(|thread| f(&thread))
}

/// Is the code in this library?
fn is_ours(code: *const c_void) -> bool {
    crate::image_of(code) == crate::image_of(is_ours as *const c_void)
}

/// # Safety
/// As for `pthread_create`.
unsafe fn create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    struct Argument(*mut c_void);
    // SAFETY: the program hands it to another thread.
    unsafe impl Send for Argument {}

    let (mut size, mut detached) = (8 << 20, 0);
    if !attributes.is_null() {
        // SAFETY: as the caller promises.
        unsafe {
            libc::pthread_attr_getstacksize(attributes, &raw mut size);
            pthread_attr_getdetachstate(attributes, &raw mut detached);
        }
    }
    let new = Arc::new(Thread {
        state: Mutex::new(State {
            detached: detached == libc::PTHREAD_CREATE_DETACHED,
            ended: None,
        }),
        changed: Condvar::new(),
        values: Spin::new(BTreeMap::new()),
    });
    let address = Arc::as_ptr(&new).addr();
    THREADS.with(|threads| threads.insert(address, Arc::clone(&new)));
    // SAFETY: as the caller promises. Before the coroutine runs, which may look at it.
    unsafe { *thread = address as pthread_t };
    let argument = Argument(argument);
    let spawned = corun::Builder::new().stack_size(size).spawn(move || {
        let argument = argument;
        ME.with(|me| me.set(address));
        // SAFETY: as the caller promises.
        let routine = AssertUnwindSafe(|| unsafe {
            if identity::as_thread_is_available() {
                identity::as_thread(|| routine(argument.0))
            } else {
                routine(argument.0)
            }
        });
        let result = panic::catch_unwind(routine);
        let value = result.unwrap_or_else(leave);
        end(&new, value);
    });
    if spawned.is_err() {
        forget(address);
        return libc::EAGAIN;
    }
    0
}

unsafe extern "C" {
    fn pthread_attr_getdetachstate(attributes: *const pthread_attr_t, state: *mut c_int) -> c_int;
}

/// The value of a thread that `pthread_exit` has left; anything else goes on.
fn leave(payload: Box<dyn Any + Send>) -> *mut c_void {
    match payload.downcast::<Exit>() {
        Ok(exit) => exit.0,
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// The end of a thread: destructors of its values, and whoever joins it.
fn end(me: &Arc<Thread>, value: *mut c_void) {
    for _ in 0..DESTRUCTOR_ROUNDS {
        let values = me.values.with(std::mem::take);
        if values.is_empty() {
            break;
        }
        for (key, value) in values {
            let destructor = DESTRUCTORS.with(|all| all.get(&key).copied());
            if let Some(destructor) = destructor.filter(|_| !value.is_null()) {
                // SAFETY: the program asked for that.
                unsafe { destructor(value) };
            }
        }
    }
    ME.with(|me| me.set(0));
    let mut state = me.state.lock().unwrap_or_else(PoisonError::into_inner);
    state.ended = Some(value);
    let detached = state.detached;
    me.changed.notify_all();
    drop(state);
    if detached {
        forget(Arc::as_ptr(me).addr());
    }
}

/// Its number stands for nothing any more.
fn forget(address: usize) {
    // Dropped without the lock.
    drop(THREADS.with(|threads| threads.remove(&address)));
}

fn detach(thread: &Thread) -> c_int {
    let mut state = thread.state.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::replace(&mut state.detached, true) {
        return libc::EINVAL;
    }
    let ended = state.ended.is_some();
    drop(state);
    if ended {
        forget(ptr::from_ref(thread).addr());
    }
    0
}

/// `pthread_join`, if the thread is a coroutine. The caller may be either.
///
/// # Safety
/// As for `pthread_join`.
pub(crate) unsafe fn join(thread: pthread_t, value: *mut *mut c_void) -> Option<c_int> {
    let result = with(thread, |joined| {
        if me() == Some(thread as usize) {
            return libc::EDEADLK;
        }
        let mut state = joined.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.detached {
            return libc::EINVAL;
        }
        while state.ended.is_none() {
            state = joined
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if let (Some(ended), false) = (state.ended, value.is_null()) {
            // SAFETY: as the caller promises.
            unsafe { *value = ended };
        }
        0
    })?;
    if result == 0 {
        forget(thread as usize);
    }
    Some(result)
}
