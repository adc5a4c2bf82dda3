//! Values of any size and alignment travel into a coroutine and out of it.
#![cfg(feature = "std")]

use corun_context::{Coroutine, Resumed};

#[test]
fn the_first_input_is_an_argument_and_later_ones_are_returned_by_suspend() {
    let co = Coroutine::<String, usize, Vec<String>>::new(|suspender, first| {
        let mut seen = vec![first];
        while seen.len() < 3 {
            let length = seen.last().unwrap().len();
            seen.push(suspender.suspend(length));
        }
        seen
    });
    assert_eq!(co.resume("a".into()).unwrap(), Resumed::Yield(1));
    assert_eq!(co.resume("bb".into()).unwrap(), Resumed::Yield(2));
    assert_eq!(
        co.resume("ccc".into()).unwrap(),
        Resumed::Return(vec!["a".into(), "bb".into(), "ccc".into()])
    );
}

#[test]
fn two_coroutines_alternate() {
    let counter = |from: u32| {
        move |suspender: &corun_context::Suspender<(), u32, ()>, ()| {
            for n in 0..3 {
                suspender.suspend(from + n);
            }
        }
    };
    let (left, right) = (Coroutine::new(counter(0)), Coroutine::new(counter(100)));
    let mut seen = Vec::new();
    while let (Resumed::Yield(a), Resumed::Yield(b)) =
        (left.resume(()).unwrap(), right.resume(()).unwrap())
    {
        seen.extend([a, b]);
    }
    assert_eq!(seen, [0, 100, 1, 101, 2, 102]);
}

#[derive(Clone, Debug, PartialEq)]
#[repr(align(128))]
struct Wide([u8; 300]);

fn is_aligned(wide: &Wide) -> bool {
    std::hint::black_box(wide as *const Wide)
        .addr()
        .is_multiple_of(128)
}

#[test]
fn strongly_aligned_values_stay_aligned() {
    let captured = Wide([7; 300]);
    let co = Coroutine::<Wide, Wide, Wide>::new(move |suspender, first| {
        assert!(is_aligned(&first) && is_aligned(&captured));
        let second = suspender.suspend(first);
        assert!(is_aligned(&second));
        assert_eq!(second, Wide([2; 300]));
        captured
    });
    let Resumed::Yield(back) = co.resume(Wide([1; 300])).unwrap() else {
        panic!("it returned too early")
    };
    assert!(is_aligned(&back));
    assert_eq!(back, Wide([1; 300]));
    assert_eq!(
        co.resume(Wide([2; 300])).unwrap(),
        Resumed::Return(Wide([7; 300]))
    );
}

#[test]
fn values_without_a_size_in_memory_travel_too() {
    #[derive(Debug, PartialEq)]
    struct Empty;
    let co = Coroutine::<Empty, Empty, Empty>::new(|suspender, first| {
        assert_eq!(suspender.suspend(first), Empty);
        Empty
    });
    assert_eq!(co.resume(Empty).unwrap(), Resumed::Yield(Empty));
    assert_eq!(co.resume(Empty).unwrap(), Resumed::Return(Empty));
}

#[test]
fn each_value_is_dropped_once() {
    use std::rc::Rc;
    let probe = Rc::new(());
    let co = Coroutine::<Rc<()>, Rc<()>, Rc<()>>::new(|suspender, first| {
        let second = suspender.suspend(first.clone());
        drop(first);
        second
    });
    let one = co.resume(probe.clone()).unwrap();
    assert_eq!(Rc::strong_count(&probe), 3);
    drop(one);
    let two = co.resume(probe.clone()).unwrap();
    assert_eq!(Rc::strong_count(&probe), 2);
    let refused = co.resume(probe.clone()).unwrap_err();
    assert_eq!(Rc::strong_count(&probe), 3);
    drop((refused, two, co));
    assert_eq!(Rc::strong_count(&probe), 1);
}
