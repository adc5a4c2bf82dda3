//! A known violator of the axiom in docs/safety.md: `LocalKey::with`, if a coroutine that is suspended in it outlives the value.
//!
//! The demonstration does not use the reference that the coroutine still has.
#![cfg(feature = "std")]

use std::cell::RefCell;
use std::sync::mpsc::{self, Sender};

use corun_context::Coroutine;

/// Tells when it is dropped.
struct Tell(&'static str, Sender<&'static str>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.1.send(self.0);
    }
}

thread_local! {
    static VALUE: RefCell<Option<Tell>> = const { RefCell::new(None) };
    static KEPT: RefCell<Option<Coroutine<(), (), ()>>> = const { RefCell::new(None) };
}

/// What happens at the end of a thread that keeps a coroutine in a thread-local, and the coroutine is inside `VALUE.with`.
fn endings(value_first: bool) -> Vec<&'static str> {
    let (events, seen) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        // The system drops thread-locals in an order that depends on which was used first.
        if value_first {
            VALUE.with(|_| ());
        }
        KEPT.with(|_| ());
        VALUE.set(Some(Tell("the value is gone", events.clone())));
        let co = Coroutine::new(move |suspender, ()| {
            VALUE.with(|_value| {
                let _tell = Tell("the frame is gone", events);
                suspender.suspend(());
            });
        });
        co.resume(()).unwrap();
        KEPT.set(Some(co));
    });
    thread.join().unwrap();
    seen.iter().collect()
}

#[test]
fn a_frame_outlives_what_it_borrows() {
    let orders = [endings(false), endings(true)];
    assert!(
        orders
            .iter()
            .any(|events| events == &["the value is gone", "the frame is gone"]),
        "{orders:?}"
    );
}
