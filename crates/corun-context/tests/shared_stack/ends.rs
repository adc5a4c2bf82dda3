//! Dropped coroutines are unwound on their stack: at once if it is free, else as soon as it is.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::{Rc, Weak};

use corun_context::{Coroutine, ForcedUnwind, Resumed, SharedStack, Status, Suspender};

use super::{Guard, Probe, at_depth, coroutine, stack};

/// One that is suspended `depth` calls deep with a guard there and one at its root.
fn guarded(stack: &SharedStack, probe: &Probe, depth: u64) -> Coroutine<u64, u64, ()> {
    let probe = probe.clone();
    let co = coroutine(stack, move |suspender, n| {
        let _root = probe.guard();
        at_depth(depth, &mut || {
            let _deep = probe.guard();
            suspender.suspend(n)
        });
    });
    co.resume(0).unwrap();
    co
}

#[test]
fn in_each_state() {
    let (stack, probe) = (stack(), Probe::default());
    let guard = probe.guard();
    let unstarted = coroutine(&stack, move |_, _| drop(guard));
    let away: Vec<_> = (0..100).map(|n| guarded(&stack, &probe, n)).collect();
    let (resident, dead) = (guarded(&stack, &probe, 3), guarded(&stack, &probe, 3));
    dead.resume(0).unwrap();
    assert_eq!(probe.drops(), 2);
    drop(dead);
    assert_eq!(probe.drops(), 2);
    drop(resident);
    assert_eq!(probe.drops(), 4);
    drop(unstarted);
    assert_eq!(probe.drops(), 5);
    drop(away);
    assert_eq!(probe.drops(), 205);
    assert!(!stack.is_in_use() && !std::thread::panicking());
}

#[test]
fn the_stack_lives_as_long_as_its_coroutines() {
    let (stack, probe) = (stack(), Probe::default());
    let (one, two) = (guarded(&stack, &probe, 1), guarded(&stack, &probe, 2));
    drop(stack);
    one.resume(0).unwrap();
    assert_eq!(probe.drops(), 2);
    drop((one, two));
    assert_eq!(probe.drops(), 4);
}

#[test]
fn while_the_stack_is_in_use_it_waits_for_the_end_of_the_resume() {
    let (stack, probe) = (stack(), Probe::default());
    let doomed: Vec<_> = (0..1000).map(|n| guarded(&stack, &probe, n % 20)).collect();
    let (count, kept) = (probe.clone(), guarded(&stack, &probe, 9));
    let co = coroutine(&stack, move |suspender, n| {
        let frame = [n; 1000];
        drop(doomed);
        assert_eq!(count.drops(), 0);
        let n = suspender.suspend(1);
        assert_eq!((frame, count.drops()), ([5; 1000], 2000));
        n
    });
    assert_eq!(co.resume(5).unwrap(), Resumed::Yield(1));
    assert_eq!(probe.drops(), 2000);
    assert_eq!(co.resume(6).unwrap(), Resumed::Return(6));
    kept.resume(0).unwrap();
    assert_eq!(probe.drops(), 2002);
}

#[test]
fn those_that_wait_are_unwound_in_the_order_of_their_drops() {
    struct Tell(Rc<RefCell<Vec<u64>>>, u64);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }
    let (stack, order) = (stack(), Rc::default());
    let doomed: Vec<_> = (0..4)
        .map(|n| {
            let tell = Tell(Rc::clone(&order), n);
            let co = coroutine(&stack, move |suspender, n| {
                let _tell = tell;
                suspender.suspend(n);
            });
            co.resume(0).unwrap();
            co
        })
        .collect();
    let co = coroutine(&stack, move |_, n| {
        doomed.into_iter().for_each(drop);
        n
    });
    co.resume(0).unwrap();
    assert_eq!(*order.borrow(), [0, 1, 2, 3]);
}

#[test]
fn a_panic_does_not_forget_those_that_wait() {
    let (stack, probe) = (stack(), Probe::default());
    let doomed = guarded(&stack, &probe, 2);
    let co = coroutine(&stack, move |_, _| {
        drop(doomed);
        panic::resume_unwind(Box::new("meanwhile"));
    });
    let payload = panic::catch_unwind(AssertUnwindSafe(|| {
        co.resume(0).map(|_: Resumed<u64, ()>| ())
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"meanwhile"));
    assert_eq!(probe.drops(), 0);
    // The handle of a coroutine of the stack is the next to look.
    drop(co);
    assert_eq!(probe.drops(), 2);
}

#[test]
fn destructors_may_use_the_stack_in_their_turn() {
    /// Drops a coroutine of the same stack, is refused by one, and makes use of one of another stack.
    struct Busy(
        Option<Coroutine<u64, u64, ()>>,
        Rc<Coroutine<u64, u64, u64>>,
        Rc<Coroutine<u64, u64, u64>>,
    );
    impl Drop for Busy {
        fn drop(&mut self) {
            assert_eq!(self.1.resume(0).unwrap_err().status(), Status::Suspended);
            assert_eq!(self.2.resume(7).unwrap(), Resumed::Yield(7));
            self.0 = None;
        }
    }
    let echo = |stack: &SharedStack| {
        Rc::new(coroutine(stack, |suspender, mut n| {
            while n != 0 {
                n = suspender.suspend(n);
            }
            0
        }))
    };
    let (one, two, probe) = (stack(), stack(), Probe::default());
    let (here, elsewhere) = (echo(&one), echo(&two));
    here.resume(3).unwrap();
    let mut last = guarded(&one, &probe, 5);
    for _ in 0..1000 {
        let busy = Busy(Some(last), here.clone(), elsewhere.clone());
        last = coroutine(&one, move |suspender, n| {
            let _busy = busy;
            suspender.suspend(n);
        });
        last.resume(0).unwrap();
    }
    // Each drops the one before it while the stack is in use: a long list, and no deep recursion.
    drop(last);
    assert_eq!(probe.drops(), 2);
    assert_eq!(here.resume(4).unwrap(), Resumed::Yield(4));
}

#[test]
fn a_panic_of_a_destructor_goes_on_in_the_dropper_or_the_resumer() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic::resume_unwind(Box::new("boom"));
        }
    }
    let (stack, probe) = (stack(), Probe::default());
    let armed = || {
        let co = coroutine(&stack, |suspender, n| {
            let caught = panic::catch_unwind(AssertUnwindSafe(|| suspender.suspend(n)));
            assert!(caught.unwrap_err().is::<ForcedUnwind>());
            drop(Bomb);
        });
        co.resume(0).unwrap();
        co
    };
    let (at_once, later, good) = (armed(), armed(), guarded(&stack, &probe, 2));
    let payload = panic::catch_unwind(AssertUnwindSafe(|| drop(at_once))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"boom"));
    let co = coroutine(&stack, move |suspender, n| {
        drop(later); // it comes first
        drop(good);
        suspender.suspend(n);
        n
    });
    let payload = panic::catch_unwind(AssertUnwindSafe(|| co.resume(0).map(|_| ()))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"boom"));
    assert_eq!(probe.drops(), 0);
    // It did suspend, and the other one was only put off.
    assert_eq!(co.resume(0).unwrap(), Resumed::Return(0));
    assert_eq!(probe.drops(), 2);
}

#[test]
fn catching_the_unwinding_does_not_stop_it() {
    let (stack, probe) = (stack(), Probe::default());
    let guard = probe.guard();
    let other = guarded(&stack, &probe, 1);
    let co = coroutine(&stack, move |suspender, n| {
        let _guard = guard;
        for _ in 0..5 {
            let caught = panic::catch_unwind(AssertUnwindSafe(|| suspender.suspend(n)));
            assert!(caught.unwrap_err().is::<ForcedUnwind>());
        }
    });
    co.resume(0).unwrap();
    other.resume(0).unwrap();
    drop(co);
    assert_eq!(probe.drops(), 3);
}

#[test]
fn one_that_suspended_while_panicking_is_leaked_and_leaves_the_stack_to_others() {
    struct Suspends<'a>(
        &'a Suspender<u64, u64, ()>,
        #[expect(dead_code, reason = "kept for its destructor")] Guard,
    );
    impl Drop for Suspends<'_> {
        fn drop(&mut self) {
            self.0.suspend(1);
        }
    }
    // The panic never ends, so its thread counts as panicking for the rest of its life.
    std::thread::spawn(|| {
        let (stack, probe) = (stack(), Probe::default());
        let guard = probe.guard();
        let co = coroutine(&stack, move |suspender, _| {
            let _suspends = Suspends(suspender, guard);
            panic::resume_unwind(Box::new("never finished"));
        });
        assert_eq!(co.resume(0).unwrap(), Resumed::Yield(1));
        drop(co);
        assert_eq!(probe.drops(), 0);
        assert_eq!(
            coroutine(&stack, |_, n| n).resume(3).unwrap(),
            Resumed::Return(3)
        );
    })
    .join()
    .unwrap();
}

#[test]
fn when_its_thread_ends() {
    thread_local! {
        static KEPT: RefCell<Vec<Coroutine<u64, u64, ()>>> = const { RefCell::new(Vec::new()) };
    }
    struct Tell(std::sync::mpsc::Sender<u64>, u64);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.send(self.1).unwrap();
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let stack = stack();
        for n in 0..3 {
            let tell = Tell(sender.clone(), n);
            let co = coroutine(&stack, move |suspender, n| {
                let _tell = tell;
                suspender.suspend(n);
            });
            co.resume(0).unwrap();
            KEPT.with_borrow_mut(|kept| kept.push(co));
        }
    })
    .join()
    .unwrap();
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
}

/// Runs a coroutine whose handle is dropped while it is active, by the one that it resumed, and which then ends as told.
fn orphan(
    end: impl FnOnce(&Suspender<u64, u64, u64>) -> u64 + 'static,
) -> (Resumed<u64, u64>, u64) {
    let (one, two, probe) = (stack(), stack(), Probe::default());
    let guard = probe.guard();
    let front = Rc::new_cyclic(|front: &Weak<Coroutine<u64, u64, u64>>| {
        let front = front.clone();
        let back = coroutine(&two, move |suspender, _| {
            let _guard = guard;
            assert_eq!(
                front.upgrade().unwrap().resume(0).unwrap(),
                Resumed::Return(0)
            );
            end(suspender)
        });
        coroutine(&one, move |suspender, n| {
            let n = suspender.transfer(&back, n).unwrap();
            assert_eq!(back.status(), Status::Normal);
            drop(back);
            n
        })
    });
    let answer = front.resume(1).unwrap();
    assert_eq!(front.status(), Status::Dead);
    assert_eq!(
        coroutine(&two, |_, n| n).resume(3).unwrap(),
        Resumed::Return(3)
    );
    (answer, probe.drops())
}

#[test]
fn one_whose_handle_is_dropped_while_active() {
    assert_eq!(orphan(|_| 3), (Resumed::Return(3), 1));
    let unwound = orphan(|suspender| suspender.suspend(8) + 1);
    assert_eq!(unwound, (Resumed::Yield(8), 1));
    let other = Coroutine::<u64, u64, u64>::new(|_, n| n);
    let leaked = orphan(move |suspender| suspender.transfer(&other, 5).unwrap());
    assert_eq!(leaked, (Resumed::Return(5), 0));
}
