//! Without std coroutines run on memory of the caller's, and one that is dropped while it is suspended is leaked.
#![cfg(not(feature = "std"))]

use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use corun_context::stack::UnguardedStack;
use corun_context::{Coroutine, Generator, Resumed, Status};

const SIZE: usize = 64 * 1024;

fn stack() -> UnguardedStack {
    let memory = NonNull::from(Box::leak(Box::new([0u128; SIZE / 16])));
    // SAFETY: the memory is leaked, so it is the stack's for ever, and large enough for these tests.
    unsafe { UnguardedStack::new(memory.cast(), SIZE) }
}

#[test]
fn values_travel_both_ways() {
    let co = Coroutine::<u32, u32, String>::with_stack(stack(), |suspender, first| {
        let second = suspender.suspend(first + 1);
        format!("{first} {second}")
    });
    assert_eq!(co.resume(1).unwrap(), Resumed::Yield(2));
    assert_eq!(co.resume(5).unwrap(), Resumed::Return("1 5".to_string()));
    assert_eq!(co.status(), Status::Dead);
}

#[test]
fn a_generator_ends() {
    let squares = Generator::with_stack(stack(), |to| (1..4).for_each(|n| to.suspend(n * n)));
    assert_eq!(squares.collect::<Vec<u32>>(), [1, 4, 9]);
}

#[test]
fn a_suspended_one_is_leaked_and_an_unstarted_one_is_not() {
    struct Probe(Rc<Cell<u32>>);
    impl Drop for Probe {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Rc::new(Cell::new(0));
    let make = || {
        let probe = Probe(drops.clone());
        Coroutine::<(), (), ()>::with_stack(stack(), move |suspender, ()| {
            let _probe = probe;
            suspender.suspend(());
        })
    };
    let (started, unstarted) = (make(), make());
    started.resume(()).unwrap();
    drop(started);
    assert_eq!(drops.get(), 0);
    drop(unstarted);
    assert_eq!(drops.get(), 1);
}

#[cfg(feature = "alloc")]
#[test]
fn stacks_are_shared() {
    use corun_context::SharedStack;

    let shared = SharedStack::with_stack(stack());
    let probe = Rc::new(());
    let coroutines: Vec<Coroutine<u32, u32, u32>> = (0..100)
        .map(|n| {
            let probe = probe.clone();
            // SAFETY: the closure gives away no address of its stack.
            unsafe {
                shared.coroutine(move |suspender, first| {
                    let _probe = probe;
                    suspender.suspend(first + n) + n
                })
            }
        })
        .collect();
    for co in &coroutines {
        assert!(matches!(co.resume(1).unwrap(), Resumed::Yield(1..)));
    }
    for (n, co) in coroutines.iter().enumerate().skip(10) {
        assert_eq!(co.resume(5).unwrap(), Resumed::Return(5 + n as u32));
    }
    drop(coroutines);
    // Those that are suspended are leaked.
    assert_eq!(Rc::strong_count(&probe), 11);
}
