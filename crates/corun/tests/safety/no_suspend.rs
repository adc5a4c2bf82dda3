//! `corun::no_suspend` turns a suspension inside its closure into a panic.

use std::time::Duration;

fn panics(suspend: fn()) -> bool {
    corun::spawn(move || corun::no_suspend(suspend))
        .join()
        .is_err()
}

#[corun::test]
fn every_wait_inside_is_a_panic() {
    assert!(panics(corun::yield_now));
    assert!(panics(corun::park));
    assert!(panics(|| corun::sleep(Duration::from_millis(1))));
    assert!(panics(|| drop(corun::spawn(corun::yield_now).join())));
    assert!(panics(|| corun::blocking(|| ())));
}

#[corun::test]
fn what_does_not_wait_is_allowed() {
    let (sum, handle) = corun::no_suspend(|| ((1..=10).sum::<u32>(), corun::spawn(|| 1)));
    assert_eq!((sum, handle.join().expect("no panic")), (55, 1));
}

#[corun::test]
fn it_ends_with_the_closure_even_by_a_panic() {
    let caught = std::panic::catch_unwind(|| corun::no_suspend(|| panic!("inside")));
    assert!(caught.is_err());
    corun::yield_now();
    corun::no_suspend(|| corun::no_suspend(|| ()));
    corun::yield_now();
}
