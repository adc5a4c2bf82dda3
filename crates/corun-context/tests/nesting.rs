//! Coroutines resume coroutines, thousands deep.
#![cfg(feature = "std")]

use corun_context::{Coroutine, Resumed, Status};

fn nest(depth: u32) -> Coroutine<u32, u32, u32> {
    Coroutine::new(move |suspender, mut input| {
        if depth == 0 {
            return input;
        }
        let inner = nest(depth - 1);
        loop {
            match inner.resume(input + 1).unwrap() {
                Resumed::Yield(value) => input = suspender.suspend(value),
                Resumed::Return(value) => {
                    assert_eq!(inner.status(), Status::Dead);
                    return suspender.suspend(value);
                }
            }
        }
    })
}

#[test]
fn three_thousand_deep() {
    const DEPTH: u32 = 3000;
    let outermost = nest(DEPTH);
    // The innermost returns at once; each of the others then passes that on by yielding it, and ends at the resume after.
    assert_eq!(outermost.resume(0).unwrap(), Resumed::Yield(DEPTH));
    drop(outermost);
}

#[test]
fn dropping_unwinds_all_levels() {
    let count = std::rc::Rc::new(());
    fn chain(depth: u32, probe: std::rc::Rc<()>) -> Coroutine<(), (), ()> {
        Coroutine::new(move |suspender, ()| {
            let _probe = probe.clone();
            let inner = (depth > 0).then(|| chain(depth - 1, probe));
            if let Some(inner) = &inner {
                inner.resume(()).unwrap();
            }
            suspender.suspend(());
            unreachable!("it is dropped here");
        })
    }
    let outermost = chain(1500, count.clone());
    outermost.resume(()).unwrap();
    assert!(std::rc::Rc::strong_count(&count) > 1500);
    drop(outermost);
    assert_eq!(std::rc::Rc::strong_count(&count), 1);
}
