//! What the contract of `spawn_migratable` is about: after a suspension the thread may be another one, and with it all that belongs to the thread.
//!
//! The bodies ask by functions that are not inlined, each of which is over before the next suspension: with that they keep to the contract.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};

use corun::{Builder, Runtime, State};

thread_local! {
    static OF_THREAD: Cell<u32> = const { Cell::new(0) };
}

#[inline(never)]
fn thread_id() -> ThreadId {
    thread::current().id()
}

#[inline(never)]
fn set(value: u32) {
    OF_THREAD.set(value);
}

#[inline(never)]
fn get() -> u32 {
    OF_THREAD.get()
}

/// Runs the body in a migratable coroutine. It calls what it is given once, and is on another thread afterwards: its worker is kept meanwhile.
fn on_two_threads<T: Send + 'static>(body: impl FnOnce(&dyn Fn()) -> T + Send + 'static) -> T {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let wanderer = move || {
        let began = thread_id();
        body(&|| {
            corun::park();
            assert_ne!(thread_id(), began);
        })
    };
    // SAFETY: what it uses of its thread it uses in functions that are not inlined, and are over before the next suspension.
    let wanderer = unsafe { Builder::new().spawn_migratable_on(runtime.handle(), wanderer) };
    let wanderer = wanderer.unwrap();
    while wanderer.coroutine().state() != State::Suspended {
        thread::yield_now();
    }
    let (tell, told) = mpsc::channel();
    let (until, end) = mpsc::channel::<()>();
    let keeper = runtime.handle().spawn(move || {
        tell.send(()).unwrap();
        end.recv().unwrap_err();
    });
    told.recv().unwrap();
    wanderer.coroutine().unpark();
    let result = wanderer.join().unwrap();
    drop(until);
    keeper.join().unwrap();
    result
}

#[test]
fn a_thread_local_is_another_one_after_the_move() {
    let seen = on_two_threads(|go| {
        set(7);
        let value = get();
        go();
        (value, get())
    });
    assert_eq!(seen, (7, 0), "a value that was read stays what it was");
}

/// What may be kept: a guard of corun's, and what is the coroutine's alone.
#[test]
fn a_guard_of_corun_goes_along() {
    let mutex = Arc::new(corun::sync::Mutex::new(0));
    let of_wanderer = Arc::clone(&mutex);
    let own = on_two_threads(move |go| {
        let own = Rc::new(Cell::new(1));
        let again = Rc::clone(&own);
        let mut guard = of_wanderer.lock().unwrap();
        go();
        *guard += 1;
        again.set(again.get() + 1);
        own.get()
    });
    assert_eq!((own, *mutex.lock().unwrap()), (2, 1));
}
