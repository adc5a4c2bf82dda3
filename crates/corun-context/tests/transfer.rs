//! Symmetric switching: one coroutine continues another in its own place.
#![cfg(feature = "std")]

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use corun_context::{Coroutine, Resumed, Status, Suspender, running};

type Member = Coroutine<u32, &'static str, u32>;

#[test]
fn a_token_goes_round_a_ring() {
    const MEMBERS: usize = 503;
    let ring: Rc<RefCell<Vec<Rc<Member>>>> = Rc::default();
    for index in 0..MEMBERS {
        let ring_seen = ring.clone();
        let member = Coroutine::new(
            move |suspender: &Suspender<u32, &'static str, u32>, mut token| {
                while token > 0 {
                    let next = ring_seen.borrow()[(index + 1) % MEMBERS].clone();
                    token = suspender.transfer(&next, token - 1).unwrap();
                }
                index as u32
            },
        );
        ring.borrow_mut().push(Rc::new(member));
    }
    let first = ring.borrow()[0].clone();
    // Whoever gets the token at zero returns in the place of the first.
    assert_eq!(
        first.resume(2 * MEMBERS as u32 + 7).unwrap(),
        Resumed::Return(7)
    );
    assert_eq!(first.status(), Status::Suspended);
    assert_eq!(ring.borrow()[7].status(), Status::Dead);
    let members = ring.take();
    drop(first);
    drop(members);
}

#[test]
fn the_one_transferred_to_is_the_running_one() {
    let back = Rc::new(Member::new(|suspender, _| {
        suspender.suspend("from the back");
        0
    }));
    let (seen, id) = (back.clone(), back.id());
    let front = Rc::new_cyclic(|front: &Weak<Member>| {
        let front = front.clone();
        Member::new(move |suspender, n| {
            let me = front.upgrade().unwrap();
            assert_eq!(
                suspender.transfer(&me, 5).unwrap_err().status(),
                Status::Running
            );
            suspender.transfer(&seen, n).unwrap()
        })
    });
    assert_eq!(front.resume(1).unwrap(), Resumed::Yield("from the back"));
    assert_eq!(
        (front.status(), back.status(), running()),
        (Status::Suspended, Status::Suspended, None)
    );
    assert_eq!(front.resume(9).unwrap(), Resumed::Return(9));
    assert_ne!(front.id(), id);
}

#[test]
fn a_dead_one_refuses_and_the_first_goes_on() {
    let dead = Member::new(|_, n| n);
    dead.resume(0).unwrap();
    let co = Member::new(move |suspender, n| {
        let error = suspender.transfer(&dead, n + 1).unwrap_err();
        assert_eq!(error.status(), Status::Dead);
        error.into_input()
    });
    assert_eq!(co.resume(1).unwrap(), Resumed::Return(2));
}

#[test]
fn a_panic_goes_to_the_resumer_of_the_first() {
    let back = Member::new(|_, _| panic!("at the back"));
    let front = Member::new(move |suspender, n| suspender.transfer(&back, n).unwrap());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| front.resume(1))).is_err());
    assert_eq!(front.status(), Status::Suspended);
}

/// Runs a coroutine whose handle is dropped while it is active, by the one that it resumed, and which then ends as told.
/// Tells what it answered, and whether its variables were dropped.
fn orphan(
    end: impl FnOnce(&Suspender<u32, &'static str, u32>) -> u32 + 'static,
) -> (Resumed<&'static str, u32>, bool) {
    struct Probe(Rc<Cell<bool>>);
    impl Drop for Probe {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let released = Rc::new(Cell::new(false));
    let probe = Probe(released.clone());
    let front = Rc::new_cyclic(|front: &Weak<Member>| {
        let front = front.clone();
        let back = Member::new(move |suspender, _| {
            let _probe = probe;
            assert_eq!(
                front.upgrade().unwrap().resume(0).unwrap(),
                Resumed::Return(0)
            );
            end(suspender)
        });
        Member::new(move |suspender, n| {
            let n = suspender.transfer(&back, n).unwrap();
            assert_eq!(back.status(), Status::Normal);
            drop(back);
            n
        })
    });
    let answer = front.resume(1).unwrap();
    assert_eq!(front.status(), Status::Dead);
    (answer, released.get())
}

#[test]
fn one_whose_handle_is_dropped_while_active_may_end() {
    assert_eq!(orphan(|_| 3), (Resumed::Return(3), true));
}

#[test]
fn one_whose_handle_is_dropped_while_active_is_unwound_at_its_next_suspension() {
    let answer = orphan(|suspender| {
        suspender.suspend("last words");
        unreachable!("nobody can resume it");
    });
    assert_eq!(answer, (Resumed::Yield("last words"), true));
}

#[test]
fn one_whose_handle_is_dropped_while_active_is_leaked_if_it_transfers() {
    let other = Member::new(|_, n| n);
    let answer = orphan(move |suspender| {
        let _ = suspender.transfer(&other, 8);
        unreachable!("nobody can resume it");
    });
    assert_eq!(answer, (Resumed::Return(8), false));
}
