//! What happens when a handle is dropped, in each state and in awkward places.
#![cfg(feature = "std")]

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use corun_context::{Coroutine, ForcedUnwind, Resumed, Suspender, running};

/// Counts its drops.
struct Probe(Rc<Cell<u32>>);
impl Drop for Probe {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn an_unstarted_one_drops_its_closure() {
    let drops = Rc::new(Cell::new(0));
    let probe = Probe(drops.clone());
    let co = Coroutine::<(), (), ()>::new(move |_, ()| drop(probe));
    drop(co);
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_suspended_one_is_unwound() {
    let drops = Rc::new(Cell::new(0));
    let (captured, local) = (Probe(drops.clone()), drops.clone());
    let co = Coroutine::<(), (), ()>::new(move |suspender, ()| {
        let _captured = captured;
        let _local = Probe(local.clone());
        suspender.suspend(());
        unreachable!("it is dropped instead of resumed");
    });
    co.resume(()).unwrap();
    assert_eq!(drops.get(), 0);
    drop(co);
    assert_eq!(drops.get(), 2);
    assert!(!std::thread::panicking());
    assert_eq!(running(), None);
}

#[test]
fn a_dead_one_drops_nothing_twice() {
    let drops = Rc::new(Cell::new(0));
    let probe = Probe(drops.clone());
    let co = Coroutine::<(), (), Probe>::new(move |_, ()| probe);
    let returned = co.resume(()).unwrap();
    drop(co);
    assert_eq!(drops.get(), 0);
    drop(returned);
    assert_eq!(drops.get(), 1);
}

#[test]
fn it_is_unwound_inside_another_coroutine() {
    let drops = Rc::new(Cell::new(0));
    let probe = Probe(drops.clone());
    let inner = Coroutine::<(), (), ()>::new(move |suspender, ()| {
        let _probe = probe;
        suspender.suspend(());
    });
    inner.resume(()).unwrap();
    let outer = Coroutine::<(), (), ()>::new(move |suspender, ()| {
        suspender.suspend(());
        drop(inner);
    });
    outer.resume(()).unwrap();
    assert_eq!(drops.get(), 0);
    outer.resume(()).unwrap();
    assert_eq!(drops.get(), 1);
}

#[test]
fn it_is_unwound_while_the_dropper_panics() {
    let drops = Rc::new(Cell::new(0));
    let probe = Probe(drops.clone());
    let co = Coroutine::<(), (), ()>::new(move |suspender, ()| {
        let _probe = probe;
        suspender.suspend(());
    });
    co.resume(()).unwrap();
    let payload = panic::catch_unwind(AssertUnwindSafe(move || {
        let _co = co;
        panic!("the dropper");
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"the dropper"));
    assert_eq!(drops.get(), 1);
    assert!(!std::thread::panicking());
}

#[test]
fn it_is_unwound_when_its_thread_ends() {
    thread_local! {
        static KEPT: RefCell<Option<Coroutine<(), (), ()>>> = const { RefCell::new(None) };
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let co = Coroutine::new(move |suspender: &Suspender<(), (), ()>, ()| {
            struct Tell(std::sync::mpsc::Sender<&'static str>);
            impl Drop for Tell {
                fn drop(&mut self) {
                    self.0.send("unwound").unwrap();
                }
            }
            let _tell = Tell(sender);
            suspender.suspend(());
        });
        co.resume(()).unwrap();
        KEPT.set(Some(co));
    })
    .join()
    .unwrap();
    assert_eq!(receiver.recv(), Ok("unwound"));
}

#[test]
fn a_destructor_may_resume_others() {
    let other = Coroutine::<u32, u32, ()>::new(|suspender, mut n| {
        loop {
            n = suspender.suspend(n + 1);
        }
    });
    let result = Rc::new(Cell::new(0));
    struct Resumes(Coroutine<u32, u32, ()>, Rc<Cell<u32>>);
    impl Drop for Resumes {
        fn drop(&mut self) {
            self.1.set(self.0.resume(41).unwrap().yielded().unwrap());
        }
    }
    let guard = Resumes(other, result.clone());
    let co = Coroutine::<(), (), ()>::new(move |suspender, ()| {
        let _guard = guard;
        suspender.suspend(());
    });
    co.resume(()).unwrap();
    drop(co);
    assert_eq!(result.get(), 42);
}

#[test]
fn a_panic_of_a_destructor_goes_on_in_the_dropper() {
    let drops = Rc::new(Cell::new(0));
    let probe = Probe(drops.clone());
    let co = Coroutine::<(), (), ()>::new(move |suspender, ()| {
        let _probe = probe;
        if panic::catch_unwind(AssertUnwindSafe(|| suspender.suspend(()))).is_err() {
            panic!("instead");
        }
    });
    co.resume(()).unwrap();
    let payload = panic::catch_unwind(AssertUnwindSafe(|| drop(co))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"instead"));
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_panic_of_the_closures_destructor_goes_on_in_the_dropper() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let bomb = Bomb;
    let co = Coroutine::<(), (), ()>::new(move |_, ()| drop(bomb));
    let payload = panic::catch_unwind(AssertUnwindSafe(|| drop(co))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"boom"));
}

#[test]
fn catching_the_unwinding_does_not_stop_it() {
    let catches = Rc::new(Cell::new(0));
    let count = catches.clone();
    let co = Coroutine::<(), (), ()>::new(move |suspender, ()| {
        for _ in 0..5 {
            let payload =
                panic::catch_unwind(AssertUnwindSafe(|| suspender.suspend(()))).unwrap_err();
            assert!(payload.is::<ForcedUnwind>());
            count.set(count.get() + 1);
        }
    });
    co.resume(()).unwrap();
    drop(co);
    assert_eq!(catches.get(), 5);
}

#[test]
fn one_that_suspended_while_panicking_is_leaked() {
    struct Suspends<'a>(
        &'a Suspender<(), (), ()>,
        #[expect(dead_code, reason = "kept for its destructor")] Probe,
    );
    impl Drop for Suspends<'_> {
        fn drop(&mut self) {
            self.0.suspend(());
        }
    }
    // The panic never ends, so its thread counts as panicking for the rest of its life.
    std::thread::spawn(|| {
        let drops = Rc::new(Cell::new(0));
        let probe = Probe(drops.clone());
        let co = Coroutine::<(), (), ()>::new(move |suspender, ()| {
            let _suspends = Suspends(suspender, probe);
            panic!("never finished");
        });
        assert_eq!(co.resume(()).unwrap(), Resumed::Yield(()));
        drop(co);
        assert_eq!(drops.get(), 0);
    })
    .join()
    .unwrap();
}
