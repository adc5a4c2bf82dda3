//! Who can be resumed when: never one whose stack is in use by another, whatever lies in between.

use std::cell::{OnceCell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use corun_context::{Coroutine, Resumed, SharedStack, Status};

use super::{Probe, at_depth, coroutine, stack};

#[test]
fn the_dead_and_oneself_cannot_be_resumed() {
    let stack = stack();
    let slot = Rc::new(OnceCell::<Coroutine<u64, u64, u64>>::new());
    let own = slot.clone();
    let co = coroutine(&stack, move |suspender, n| {
        let me = own.get().unwrap();
        assert_eq!(me.status(), Status::Running);
        let error = me.resume(n).unwrap_err();
        assert_eq!((error.status(), error.into_input()), (Status::Running, n));
        let error = suspender.transfer(me, n).unwrap_err();
        assert_eq!(error.status(), Status::Running);
        suspender.suspend(1) + 1
    });
    slot.set(co).unwrap();
    let co = slot.get().unwrap();
    assert_eq!(co.status(), Status::Suspended);
    assert_eq!(co.resume(5).unwrap(), Resumed::Yield(1));
    assert!(!stack.is_in_use());
    // Another one dies on the stack before this one does.
    assert_eq!(
        coroutine(&stack, |_, n| n).resume(7).unwrap(),
        Resumed::Return(7)
    );
    assert_eq!(co.resume(8).unwrap(), Resumed::Return(9));
    for n in 0..3 {
        let error = co.resume(n).unwrap_err();
        assert_eq!((error.status(), error.into_input()), (Status::Dead, n));
    }
}

#[test]
fn one_that_waits_for_another_is_not_overwritten() {
    let stack = stack();
    let victim = Rc::new(coroutine(&stack, |suspender, mut n| {
        let filler = [n; 500];
        while n < 100 {
            n = suspender.suspend(n + filler[499]);
        }
        n
    }));
    victim.resume(1).unwrap();
    let fresh = Rc::new(coroutine(&stack, |_, n| n + 1));
    let (inner, new, shared) = (victim.clone(), fresh.clone(), stack.clone());
    let outer = coroutine(&stack, move |suspender, n| {
        let kept = [n; 500];
        assert!(shared.is_in_use());
        for other in [&inner, &new] {
            // At once, by a transfer, and through one in between that has a stack of its own.
            let refused = at_depth(3, &mut || other.resume(2)).unwrap_err();
            assert_eq!(
                (refused.status(), refused.is_out_of_memory()),
                (Status::Suspended, false)
            );
            assert!(refused.to_string().contains("share"), "{refused}");
            assert_eq!(refused.into_input(), 2);
            assert_eq!(suspender.transfer(other, 3).unwrap_err().into_input(), 3);
            let other = other.clone();
            let private = Coroutine::<u64, u64, u64>::new(move |suspender, n| {
                let refused = suspender.transfer(&other, n).unwrap_err();
                assert_eq!(
                    (refused.status(), refused.into_input()),
                    (Status::Suspended, n)
                );
                other.resume(n).unwrap_err().into_input()
            });
            assert_eq!(private.resume(4).unwrap(), Resumed::Return(4));
            assert_eq!(kept, [n; 500]);
        }
        let n = suspender.suspend(kept[0]);
        assert_eq!(kept, [9; 500]);
        n
    });
    assert_eq!(outer.resume(9).unwrap(), Resumed::Yield(9));
    assert_eq!(victim.resume(5).unwrap(), Resumed::Yield(6));
    assert_eq!(fresh.resume(6).unwrap(), Resumed::Return(7));
    assert_eq!(outer.resume(10).unwrap(), Resumed::Return(10));
    assert_eq!(victim.resume(100).unwrap(), Resumed::Return(100));
}

/// Each level on a stack of its own resumes many of the next level, which share one.
fn level(stacks: Rc<Vec<SharedStack>>, n: usize) -> Coroutine<u64, u64, u64> {
    let stack = stacks[n].clone();
    coroutine(&stack, move |suspender, first| {
        let below: Vec<_> = (0..3)
            .filter(|_| n + 1 < stacks.len())
            .map(|_| level(stacks.clone(), n + 1))
            .collect();
        let mut input = first;
        for _ in 0..3 {
            let mut sum = input;
            for co in &below {
                assert!(stacks[n].is_in_use() && !stacks[n + 1].is_in_use());
                sum += co.resume(input).unwrap().into_inner();
            }
            input = suspender.suspend(sum);
        }
        0
    })
}

#[test]
fn levels_on_different_stacks_nest() {
    let stacks = Rc::new((0..5).map(|_| stack()).collect::<Vec<_>>());
    let outermost = level(stacks.clone(), 0);
    for _ in 0..3 {
        // 1 + 3 + 9 + 27 + 81 answers.
        assert_eq!(outermost.resume(1).unwrap(), Resumed::Yield(121));
    }
    assert_eq!(outermost.resume(1).unwrap(), Resumed::Return(0));
    assert!(stacks.iter().all(|stack| !stack.is_in_use()));
}

#[test]
fn transfers_between_shared_and_private() {
    let (one, two) = (stack(), stack());
    let last = Rc::new(coroutine(&two, |suspender, n| {
        let n = suspender.suspend(n * 2);
        n + 1000
    }));
    let other = coroutine(&two, |_, n| n);
    let next = last.clone();
    let private = Coroutine::<u64, u64, u64>::new(move |suspender, n| {
        suspender.transfer(&next, n + 1).unwrap() + 100
    });
    let first = coroutine(&one, move |suspender, n| {
        let frame = [n; 300];
        let n = suspender.transfer(&private, n + 1).unwrap();
        assert_eq!(frame, [5; 300]);
        n
    });
    // From `first` through `private` to `last`, which answers in the place of `first`.
    assert_eq!(first.resume(5).unwrap(), Resumed::Yield(14));
    assert_eq!(first.status(), Status::Suspended);
    // Both stacks are free, and used by others meanwhile.
    assert_eq!(
        coroutine(&one, |_, n| n).resume(1).unwrap(),
        Resumed::Return(1)
    );
    assert_eq!(other.resume(2).unwrap(), Resumed::Return(2));
    assert_eq!(last.resume(3).unwrap(), Resumed::Return(1003));
    assert_eq!(first.resume(4).unwrap(), Resumed::Return(4));
}

#[test]
fn panics_reach_the_resumer_and_nobody_else() {
    let stack = stack();
    let probe = Probe::default();
    let others: Vec<_> = (0..10)
        .map(|n| {
            coroutine(&stack, move |suspender, first| {
                at_depth(n, &mut || suspender.suspend(first)) + n
            })
        })
        .collect();
    for (n, co) in others.iter().enumerate() {
        co.resume(n as u64).unwrap();
    }
    let guard = probe.guard();
    let bad = coroutine(&stack, move |suspender, n| -> u64 {
        let _guard = guard;
        let caught = panic::catch_unwind(AssertUnwindSafe(|| {
            suspender.suspend(n);
            panic::resume_unwind(Box::new("first"));
        }));
        let text = *caught.unwrap_err().downcast::<&str>().unwrap();
        suspender.suspend(text.len() as u64);
        panic::resume_unwind(Box::new("second"));
    });
    for expected in [3, 5] {
        assert_eq!(bad.resume(3).unwrap(), Resumed::Yield(expected));
        assert_eq!(
            coroutine(&stack, |_, n| n).resume(1).unwrap(),
            Resumed::Return(1)
        );
    }
    let payload = panic::catch_unwind(AssertUnwindSafe(|| bad.resume(0))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"second"));
    assert_eq!((bad.status(), probe.drops()), (Status::Dead, 1));
    assert!(bad.resume(0).is_err() && !stack.is_in_use());
    for (n, co) in others.iter().enumerate() {
        assert_eq!(co.resume(50).unwrap(), Resumed::Return(50 + n as u64));
    }
}

#[test]
fn closures_of_odd_sizes() {
    #[repr(align(128))]
    struct Aligned([u8; 128]);

    let stack = stack();
    let (aligned, large) = (Aligned([7; 128]), [8u8; 20_000]);
    let a = coroutine(&stack, move |suspender, n| {
        let aligned = aligned;
        assert_eq!((&raw const aligned).addr() % 128, 0);
        suspender.suspend(n) + u64::from(aligned.0[127])
    });
    let b = coroutine(&stack, move |suspender, n| {
        suspender.suspend(n) + u64::from(large[19_999])
    });
    assert_eq!(
        (a.resume(1).unwrap(), b.resume(2).unwrap()),
        (Resumed::Yield(1), Resumed::Yield(2))
    );
    assert_eq!(
        (a.resume(1).unwrap(), b.resume(2).unwrap()),
        (Resumed::Return(8), Resumed::Return(10))
    );

    let small = SharedStack::new(corun_context::stack::MIN_SIZE).unwrap();
    let large = [0u8; 64 * 1024];
    let payload = panic::catch_unwind(AssertUnwindSafe(|| {
        drop(coroutine(&small, move |_, n| n + u64::from(large[0])))
    }))
    .unwrap_err();
    assert!(
        payload
            .downcast_ref::<String>()
            .unwrap()
            .contains("too small for a closure of 65536 bytes")
    );
}

#[test]
fn a_stack_is_shown() {
    let stack = stack();
    let seen = Rc::new(RefCell::new(String::new()));
    let (shared, text) = (stack.clone(), seen.clone());
    coroutine(&stack, move |_, _| {
        *text.borrow_mut() = format!("{shared:?}")
    })
    .resume(0)
    .unwrap();
    assert_eq!(
        *seen.borrow(),
        "SharedStack { size: 1048576, in_use: true }"
    );
    assert_eq!(
        format!("{stack:?}"),
        "SharedStack { size: 1048576, in_use: false }"
    );
}
