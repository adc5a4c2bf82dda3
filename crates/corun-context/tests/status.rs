//! Lua's four states, and the errors that follow from them.
#![cfg(feature = "std")]

use std::cell::OnceCell;
use std::rc::Rc;

use corun_context::{Coroutine, Resumed, Status, running};

#[test]
fn a_dead_coroutine_cannot_be_resumed() {
    let co = Coroutine::<u8, (), ()>::new(|_, _| ());
    assert_eq!(co.status(), Status::Suspended);
    assert_eq!(co.resume(1).unwrap(), Resumed::Return(()));
    assert_eq!(co.status(), Status::Dead);
    let error = co.resume(2).unwrap_err();
    assert_eq!(error.status(), Status::Dead);
    assert_eq!(error.to_string(), "a dead coroutine cannot be resumed");
    assert_eq!(error.into_input(), 2);
}

type Shared = Rc<OnceCell<Coroutine<(), (), ()>>>;

#[test]
fn resuming_oneself_is_an_error() {
    let cell: Shared = Shared::default();
    let weak = Rc::downgrade(&cell);
    let co = Coroutine::new(move |_, ()| {
        let cell = weak.upgrade().unwrap();
        let me = cell.get().unwrap();
        assert_eq!(me.status(), Status::Running);
        assert_eq!(me.resume(()).unwrap_err().status(), Status::Running);
    });
    cell.set(co).unwrap();
    assert_eq!(cell.get().unwrap().resume(()).unwrap(), Resumed::Return(()));
}

#[test]
fn resuming_one_that_waits_is_an_error() {
    let cell: Shared = Shared::default();
    let weak = Rc::downgrade(&cell);
    let outer = Coroutine::new(move |_, ()| {
        let inner = Coroutine::<(), (), ()>::new(move |_, ()| {
            let cell = weak.upgrade().unwrap();
            let outer = cell.get().unwrap();
            assert_eq!(outer.status(), Status::Normal);
            assert_eq!(outer.resume(()).unwrap_err().status(), Status::Normal);
        });
        inner.resume(()).unwrap();
    });
    cell.set(outer).unwrap();
    cell.get().unwrap().resume(()).unwrap();
    assert_eq!(cell.get().unwrap().status(), Status::Dead);
}

#[test]
fn running_names_the_innermost() {
    assert_eq!(running(), None);
    let outer = Coroutine::<(), (), _>::new(|_, ()| {
        let me = running();
        let inner = Coroutine::<(), (), _>::new(|_, ()| running());
        let seen = inner.resume(()).unwrap().returned().unwrap();
        assert_eq!(seen, Some(inner.id()));
        assert_eq!(running(), me);
        me
    });
    assert_eq!(
        outer.resume(()).unwrap().returned().unwrap(),
        Some(outer.id())
    );
    assert_eq!(running(), None);
}
