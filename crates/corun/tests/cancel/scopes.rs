//! What is left, and what is not, when scopes, tokens, timeouts and shields lie inside each other.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corun::channel::{bounded, unbounded};
use corun::{CancelToken, Cancelled, Runtime, cancel_scope, shield, timeout};

use super::on_workers;

const SHORT: Duration = Duration::from_millis(2);

#[test]
fn the_outermost_that_is_over_is_left() {
    on_workers(|| {
        let outcome = cancel_scope(|outer| {
            let inner = cancel_scope(|inner| {
                outer.cancel();
                inner.cancel();
                corun::park();
            });
            unreachable!("{inner:?}");
        });
        assert!(outcome.is_err());
    });
}

#[test]
fn what_lies_outside_goes_on() {
    on_workers(|| {
        let outcome = cancel_scope(|_| {
            let inner = cancel_scope(|inner| {
                inner.cancel();
                corun::park();
            });
            assert!(inner.is_err());
            corun::sleep(SHORT);
            "done"
        });
        assert_eq!(outcome.unwrap(), "done");
    });
}

#[test]
fn timeouts_and_tokens_mix() {
    on_workers(|| {
        // The token is over, the timeout inside is not.
        let outcome = cancel_scope(|token| {
            let canceller = token.clone();
            corun::spawn(move || canceller.cancel());
            let _ = timeout(Duration::from_secs(1_000), corun::park);
            unreachable!("the token is further out");
        });
        assert!(outcome.is_err());
        // The timeout is over, the token inside is not.
        let outcome = timeout(SHORT, || {
            let _ = cancel_scope(|_| corun::park());
            unreachable!("the timeout is further out");
        });
        assert!(outcome.is_err());
    });
}

#[test]
fn a_handle_is_further_out_than_anything() {
    on_workers(|| {
        let (ready, is_ready) = bounded(0);
        let coroutine = corun::spawn(move || {
            let _ = cancel_scope(|token| {
                token.cancel();
                shield(|| ready.send(()).unwrap());
                corun::park();
            });
            corun::park();
        });
        is_ready.recv().unwrap();
        coroutine.cancel();
        assert!(coroutine.join().unwrap_err().is::<Cancelled>());
    });
}

#[test]
fn a_shield_puts_it_off() {
    on_workers(|| {
        let steps = Arc::new(AtomicUsize::new(0));
        let (ready, is_ready) = bounded(0);
        let (go_on, may_go_on) = bounded(0);
        let coroutine = corun::spawn({
            let steps = Arc::clone(&steps);
            move || {
                shield(|| {
                    ready.send(()).unwrap();
                    may_go_on.recv().unwrap();
                    corun::sleep(SHORT);
                    corun::yield_now();
                    // Scopes inside of the shield work as ever.
                    assert!(timeout(SHORT, corun::park).is_err());
                    let token = CancelToken::new();
                    token.cancel();
                    assert!(token.run(corun::park).is_err());
                    steps.fetch_add(1, Ordering::SeqCst);
                });
                corun::park();
                steps.fetch_add(1, Ordering::SeqCst);
            }
        });
        is_ready.recv().unwrap();
        coroutine.cancel();
        go_on.send(()).unwrap();
        assert!(coroutine.join().unwrap_err().is::<Cancelled>());
        assert_eq!(steps.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn children_are_cancelled_with_their_parents() {
    let root = CancelToken::new();
    let branch = root.child();
    let leaf = branch.child();
    let other = root.child();
    branch.cancel_with("a branch");
    assert!(branch.is_cancelled() && leaf.is_cancelled());
    assert!(!root.is_cancelled() && !other.is_cancelled());
    assert_eq!(leaf.check().unwrap_err().to_string(), "cancelled: a branch");
    root.cancel_with("the root");
    assert_eq!(
        other.check().unwrap_err().to_string(),
        "cancelled: the root"
    );
    // The first cause stays.
    assert_eq!(leaf.check().unwrap_err().to_string(), "cancelled: a branch");
    let late = leaf.child();
    assert_eq!(late.check().unwrap_err().to_string(), "cancelled: a branch");
}

#[test]
fn a_cause_is_an_error_like_any_other() {
    let token = CancelToken::new();
    token.cancel_with(std::io::Error::from(std::io::ErrorKind::StorageFull));
    let error = token.run(corun::park).unwrap_err();
    assert!(error.cause().unwrap().is::<std::io::Error>());
    assert!(error.source().unwrap().is::<std::io::Error>());
    assert!(Cancelled::default().cause().is_none());
    let io: std::io::Error = error.into();
    assert!(io.get_ref().unwrap().is::<Cancelled>());
}

/// A chain of tokens that is deeper than any stack would hold as calls.
#[test]
fn tokens_may_be_nested_deeply() {
    let root = CancelToken::new();
    let mut leaf = root.clone();
    for _ in 0..100_000 {
        leaf = leaf.child();
    }
    root.cancel();
    assert!(leaf.is_cancelled());
    drop(root);
    drop(leaf);
}

#[test]
fn a_token_forgets_who_has_gone() {
    on_workers(|| {
        let token = CancelToken::new();
        for _ in 0..10_000 {
            drop(token.child());
            token.run(|| {}).unwrap();
        }
        // Nothing of that is told any more.
        token.cancel();
        assert!(token.run(corun::park).is_err());
    });
}

#[test]
fn many_run_under_one_token() {
    on_workers(|| {
        let token = CancelToken::new();
        let (sender, receiver) = unbounded::<()>();
        let running: Vec<_> = (0..200)
            .map(|number| {
                let (token, receiver) = (token.clone(), receiver.clone());
                corun::spawn(move || match number % 3 {
                    0 => token.run(corun::park).is_err(),
                    1 => token.run(|| receiver.recv()).is_err(),
                    _ => token
                        .run(|| {
                            loop {
                                corun::sleep(Duration::from_micros(50));
                            }
                        })
                        .is_err(),
                })
            })
            .collect();
        corun::sleep(SHORT);
        token.cancel();
        for running in running {
            assert!(running.join().unwrap());
        }
        drop(sender);
    });
}

#[test]
fn a_task_waits_for_a_token() {
    on_workers(|| {
        let token = CancelToken::new();
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let token = token.clone();
                corun::spawn_async(async move { token.cancelled().await })
            })
            .collect();
        corun::yield_now();
        token.cancel();
        for waiting in waiting {
            waiting.join().unwrap();
        }
        corun::block_on(token.cancelled());
    });
}

/// Whoever races: the one who cancels, the notification and the end of the scope.
#[test]
fn scopes_end_while_they_are_cancelled() {
    let rounds = if cfg!(debug_assertions) {
        2_000
    } else {
        20_000
    };
    Runtime::builder()
        .workers(2)
        .build()
        .unwrap()
        .block_on(move || {
            let mut left = 0;
            for round in 0..rounds {
                let token = CancelToken::new();
                let (sender, receiver) = bounded::<u32>(round % 2);
                let canceller = corun::spawn({
                    let token = token.clone();
                    move || token.cancel()
                });
                let sending = corun::spawn(move || sender.send(1));
                match token.run(|| receiver.recv()) {
                    Ok(received) => assert_eq!(received, Ok(1)),
                    Err(_) => {
                        left += 1;
                        // What was not received is still to be had.
                        assert_eq!(receiver.recv(), Ok(1));
                    }
                }
                assert_eq!(sending.join().unwrap(), Ok(()));
                canceller.join().unwrap();
            }
            println!("{left} of {rounds} were left");
        });
}

#[test]
fn one_may_ask_instead_of_being_left() {
    on_workers(|| {
        assert!(corun::check_cancelled().is_ok());
        let token = CancelToken::new();
        let outcome = token.run(|| {
            assert!(corun::check_cancelled().is_ok());
            token.cancel_with("asked for");
            assert!(shield(|| corun::check_cancelled().is_ok()));
            corun::check_cancelled()
        });
        // Nothing in it has waited, so it was not left.
        let error = outcome.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "cancelled: asked for");
        let late = timeout(Duration::ZERO, corun::check_cancelled);
        assert!(late.unwrap().is_err());
        let (ready, is_ready) = bounded(0);
        let (go_on, may_go_on) = bounded(0);
        let coroutine = corun::spawn(move || {
            shield(|| {
                ready.send(()).unwrap();
                may_go_on.recv().unwrap();
            });
            corun::check_cancelled().is_err()
        });
        is_ready.recv().unwrap();
        coroutine.cancel();
        go_on.send(()).unwrap();
        assert!(coroutine.join().unwrap());
    });
}

#[test]
fn a_computation_that_asks_learns_of_its_handle() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let (has_begun, begins) = bounded(1);
    let computing = runtime.spawn(move || {
        has_begun.send(()).unwrap();
        while corun::check_cancelled().is_ok() {}
    });
    // Its state does not tell: one that is cancelled just as it starts never begins.
    begins.recv().unwrap();
    computing.cancel();
    computing.join().unwrap();
}

#[test]
fn a_token_is_an_arm_of_a_select() {
    on_workers(|| {
        let token = CancelToken::new();
        let (_sender, receiver) = unbounded::<u32>();
        let waiting = corun::spawn({
            let token = token.clone();
            move || {
                corun::channel::select! {
                    recv(receiver) -> _ => false,
                    recv(token.done()) -> _ => true,
                }
            }
        });
        let sleeping = corun::spawn({
            let token = token.child();
            move || token.sleep(Duration::MAX)
        });
        corun::yield_now();
        token.cancel();
        assert!(waiting.join().unwrap());
        assert!(sleeping.join().unwrap().is_err());
        // Asked for when it is over already.
        assert!(CancelToken::clone(&token).child().done().recv().is_err());
    });
}
