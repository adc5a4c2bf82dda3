//! A panic in a coroutine goes on in whoever resumed it.
#![cfg(feature = "std")]

use std::panic::{self, AssertUnwindSafe};

use corun_context::{Coroutine, Resumed, Status, running};

fn message(payload: Box<dyn std::any::Any + Send>) -> String {
    *payload
        .downcast::<&str>()
        .map(|text| Box::new(text.to_string()))
        .unwrap_or_else(|p| p.downcast::<String>().unwrap())
}

#[test]
fn the_payload_reaches_the_resumer() {
    let co = Coroutine::<i32, i32, ()>::new(|suspender, first| {
        let second = suspender.suspend(first);
        panic!("{first} then {second}");
    });
    assert_eq!(co.resume(1).unwrap(), Resumed::Yield(1));
    let payload = panic::catch_unwind(AssertUnwindSafe(|| co.resume(2))).unwrap_err();
    assert_eq!(message(payload), "1 then 2");
    assert_eq!(co.status(), Status::Dead);
    assert_eq!(co.resume(3).unwrap_err().status(), Status::Dead);
    assert_eq!(running(), None);
}

#[test]
fn it_crosses_several_coroutines_and_can_be_caught_in_one() {
    let outer = Coroutine::<(), (), String>::new(|_, ()| {
        let middle = Coroutine::<(), (), ()>::new(|_, ()| {
            let inner = Coroutine::<(), (), ()>::new(|_, ()| panic!("deep inside"));
            let _ = inner.resume(());
        });
        message(panic::catch_unwind(AssertUnwindSafe(|| middle.resume(()))).unwrap_err())
    });
    assert_eq!(
        outer.resume(()).unwrap(),
        Resumed::Return("deep inside".to_string())
    );
}

#[test]
fn it_can_be_caught_inside_and_the_coroutine_goes_on() {
    let co = Coroutine::<(), String, ()>::new(|suspender, ()| {
        suspender.suspend(message(
            panic::catch_unwind(|| panic!("caught")).unwrap_err(),
        ));
    });
    assert_eq!(co.resume(()).unwrap(), Resumed::Yield("caught".to_string()));
    assert_eq!(co.resume(()).unwrap(), Resumed::Return(()));
}

#[test]
fn a_destructor_may_suspend_during_a_panic() {
    let co = Coroutine::<(), &str, ()>::new(|suspender, ()| {
        struct Goodbye<'a>(&'a corun_context::Suspender<(), &'static str, ()>);
        impl Drop for Goodbye<'_> {
            fn drop(&mut self) {
                self.0.suspend("cleaning up");
            }
        }
        let _goodbye = Goodbye(suspender);
        panic!("on its way");
    });
    assert_eq!(co.resume(()).unwrap(), Resumed::Yield("cleaning up"));
    let payload = panic::catch_unwind(AssertUnwindSafe(|| co.resume(()))).unwrap_err();
    assert_eq!(message(payload), "on its way");
    assert!(!std::thread::panicking());
}
