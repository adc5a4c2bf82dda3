//! What the arms of `select!` may look like.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corun::channel::{Receiver, Sender, bounded, unbounded};

#[test]
fn both_names_lead_to_the_macro() {
    use corun::channel::{select, select_biased};
    let (sender, receiver) = unbounded();
    corun::select! { send(sender, 1) -> sent => sent.unwrap() }
    corun::select_biased! { recv(receiver) -> value => assert_eq!(value, Ok(1)) }
    select! { recv(receiver) -> _ => unreachable!(), default => {} }
    select_biased! { recv(receiver) -> _ => unreachable!(), default() => {}, }
    corun::channel::select! { default => () }
}

fn first_word(receiver: &Receiver<Option<String>>) -> Option<usize> {
    let (_quiet, other) = bounded::<()>(0);
    let mut words = 0;
    loop {
        words += 1;
        corun::select! {
            recv(receiver) -> word => match word.ok()?.as_deref()? {
                "skip" => continue,
                "stop" => break,
                "return" => return Some(100),
                _ => {}
            },
            recv(other) -> _ => unreachable!(),
        }
    }
    Some(words)
}

#[test]
fn bodies_may_leave_in_all_ways() {
    let (sender, receiver) = unbounded();
    let run = |words: &[&str]| {
        for word in words {
            sender.send(Some(word.to_string())).unwrap();
        }
        first_word(&receiver)
    };
    assert_eq!(run(&["skip", "other", "stop"]), Some(3));
    assert_eq!(run(&["return"]), Some(100));
    sender.send(None).unwrap();
    assert_eq!(first_word(&receiver), None);
    drop(sender);
    assert_eq!(first_word(&receiver), None);
}

#[test]
fn labels_reach_through() {
    let (sender, receiver) = unbounded();
    (0..10).for_each(|n| sender.send(n).unwrap());
    let found = 'outer: loop {
        loop {
            corun::select! {
                recv(receiver) -> n => if n == Ok(4) { break 'outer n } else if n == Ok(2) { continue 'outer }
                default => break,
            }
        }
    };
    assert_eq!(found, Ok(4));
}

#[test]
fn patterns_may_be_complex() {
    #[derive(Debug)]
    struct Point {
        x: i32,
        y: (i32, [i32; 2]),
    }
    let (sender, receiver) = unbounded();
    sender
        .send(Point {
            x: 1,
            y: (2, [3, 4]),
        })
        .unwrap();
    let sum = corun::select! {
        recv(receiver) -> point => {
            let Ok(Point { x, y: (a, [b, ref c]) }) = point else { unreachable!() };
            x + a + b + c
        }
        default => 0,
    };
    assert_eq!(sum, 10);
    sender
        .send(Point {
            x: 5,
            y: (0, [0, 0]),
        })
        .unwrap();
    corun::select! {
        recv(receiver) -> (Ok(Point { .. }) | Err(_)) => {}
        recv(receiver) -> Ok(_) | Err(_) => {}
        recv(receiver) -> mut point => { point = Err(corun::channel::RecvError); drop(point) }
    }
}

#[test]
fn the_value_is_that_of_the_body() {
    let (sender, receiver) = unbounded::<i32>();
    let text: String = corun::select! {
        recv(receiver) -> _ => unreachable!(),
        send(sender, 5) -> _ => "sent".into(),
    };
    assert_eq!(text, "sent");
    let unequal_blocks: f64 = corun::select! {
        recv(receiver) -> n => { n.unwrap() as f64 } + 0.5,
        default => if receiver.is_empty() { 1.0 } else { 2.0 } * 2.0,
    };
    assert_eq!(unequal_blocks, 5.5);
}

#[test]
fn channels_may_be_any_expressions() {
    struct Hub {
        inputs: Vec<Arc<Receiver<u32>>>,
        outputs: RefCell<[Box<Sender<u32>>; 1]>,
    }
    let (sender, receiver) = unbounded();
    let hub = Hub {
        inputs: vec![Arc::new(receiver)],
        outputs: RefCell::new([Box::new(sender)]),
    };
    corun::select! {
        send(hub.outputs.borrow_mut()[0], 1) -> sent => sent.unwrap(),
        recv({ let (_, r) = bounded::<u32>(0); std::mem::forget(r.clone()); corun::channel::never::<u32>() }) -> _ => unreachable!(),
    }
    corun::select! {
        recv(hub.inputs.first().unwrap()) -> n => assert_eq!(n, Ok(1)),
        recv(&&&&hub.inputs[0]) -> n => assert_eq!(n, Ok(1)),
        recv(if hub.inputs.is_empty() { unreachable!() } else { &hub.inputs[0] }) -> n => assert_eq!(n, Ok(1)),
    }
}

#[test]
fn temporaries_in_channels_live_to_the_end() {
    let lock = Mutex::new(unbounded::<u32>());
    let (_, other) = &*Box::leak(Box::new(unbounded::<u32>()));
    lock.lock().unwrap().0.send(1).unwrap();
    corun::select_biased! {
        recv(lock.lock().unwrap().1) -> n => {
            assert_eq!(n, Ok(1));
            assert!(lock.try_lock().is_err());
        }
        recv(other) -> _ => unreachable!(),
    }
    assert!(lock.try_lock().is_ok());
}

#[test]
fn bodies_may_take_the_channels_away() {
    for taken in 0..3 {
        let (sender, receiver) = bounded(1);
        let (closed, second) = bounded::<u32>(0);
        if taken == 0 {
            sender.send(1).unwrap();
        }
        let ends: (Option<Receiver<u32>>, Option<Sender<u32>>) = corun::select_biased! {
            recv(receiver) -> _ => (Some(receiver), None),
            send(sender, 2) -> _ => { drop(receiver); (Some(second), Some(sender)) }
            send(closed, 3) -> _ => (None, Some(closed)),
            default => (Some(second), Some(closed)),
        };
        drop(ends);
    }
    let (_sender, receiver) = bounded::<u32>(1);
    corun::select! { recv(receiver) -> _ => unreachable!(), default => drop(receiver) }
    let (_sender, receiver) = bounded::<u32>(1);
    corun::select! { recv(receiver) -> _ => unreachable!(), default(Duration::ZERO) => drop(receiver) }
    let (sender, receiver) = bounded::<u32>(1);
    corun::select! { send(sender, 1) -> _ => drop((sender, receiver)) }
}

#[test]
fn what_only_one_arm_uses_may_be_moved_by_each() {
    let (sender, receiver) = bounded::<Box<u32>>(0);
    let once = Box::new(1);
    let back = corun::select! {
        send(sender, once) -> _ => unreachable!(),
        recv(receiver) -> _ => once,
        default => once,
    };
    assert_eq!(*back, 1);
}

#[test]
fn messages_may_leave_early() {
    fn send(sender: &Sender<u32>, value: Option<u32>) -> Option<()> {
        let (_quiet, other) = bounded::<u32>(0);
        corun::select! {
            send(sender, value?) -> sent => sent.ok(),
            recv(other) -> _ => unreachable!(),
        }
    }
    let (sender, receiver) = bounded(1);
    for _ in 0..3 {
        assert_eq!(send(&sender, None), None);
    }
    assert_eq!(
        send(&sender, Some(1)),
        Some(()),
        "the place that was not used is free again"
    );
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1]);
}

#[test]
fn names_of_the_macro_do_not_meet_those_of_the_arms() {
    let (chosen, arm0) = unbounded::<u32>();
    let (attempt, arm1) = unbounded::<u32>();
    let (receiver, result) = (1u32, 2u32);
    corun::select! {
        send(chosen, receiver) -> sent => { sent.unwrap(); assert_eq!(arm0.len() as u32, result - 1); }
        recv(arm1) -> _ => drop(attempt),
    }
    let total = corun::select! { recv(arm0) -> n => n.unwrap() + receiver, default => result };
    assert_eq!(total, 2);
}

#[test]
fn arms_may_be_many() {
    let channels: Vec<_> = (0..40).map(|_| unbounded::<usize>()).collect();
    let [a, b] = [&channels[3].1, &channels[37].1];
    channels[37].0.send(37).unwrap();
    let got = corun::select! {
        recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n,
        recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n,
        recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n,
        recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n,
        recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n,
        recv(a) -> n => n, recv(a) -> n => n, recv(a) -> n => n, recv(b) -> n => n,
    };
    assert_eq!(got, Ok(37));
}

#[test]
fn macros_may_pass_their_fragments_on() {
    macro_rules! first_of {
        ($($name:pat = $receiver:expr => $body:expr),+ ; $wait:expr) => {
            corun::select! {
                $(recv($receiver) -> result => { let $name = result.unwrap(); $body })+
                default($wait) => None,
            }
        };
    }
    let (sender, receiver) = unbounded();
    let (_quiet, other) = unbounded::<(u32, u32)>();
    sender.send((1, 2)).unwrap();
    let sum = first_of!((a, b) = receiver => Some(a + b), (a, _) = &other => Some(a); Duration::from_secs(3600));
    assert_eq!(sum, Some(3));
}
