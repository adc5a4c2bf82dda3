//! What `select!` and `Select` promise about channels.

use std::time::{Duration, Instant};

use crate::channels::{CAPACITIES, channel, spawn_waiting};
use corun::channel::{
    RecvError, Select, SendError, TryRecvError, TrySendError, after, bounded, never, select,
    select_biased, unbounded,
};

const LONG: Duration = Duration::from_secs(3600);

/// Panics unless each of the counts is within ten standard deviations of its share.
#[track_caller]
fn assert_uniform(counts: &[usize]) {
    let trials = counts.iter().sum::<usize>() as f64;
    let share = 1.0 / counts.len() as f64;
    let sigma = (trials * share * (1.0 - share)).sqrt();
    for count in counts {
        assert!(
            (*count as f64 - trials * share).abs() < 10.0 * sigma,
            "{counts:?}"
        );
    }
}

const TRIALS: usize = 10_000;

#[corun::test(workers = [1, 2, 4, 16])]
fn the_choice_among_ready_receives_is_uniform() {
    let [first, second, third] = [(); 3].map(|()| {
        let (sender, receiver) = unbounded();
        (0..TRIALS).for_each(|n| sender.send(n).unwrap());
        receiver
    });
    let mut counts = [0; 3];
    for _ in 0..TRIALS {
        select! {
            recv(first) -> _ => counts[0] += 1,
            recv(second) -> _ => counts[1] += 1,
            recv(third) -> _ => counts[2] += 1,
        }
    }
    assert_uniform(&counts);
}

#[corun::test(workers = [1, 2, 4, 16])]
fn the_choice_among_ready_arms_of_all_kinds_is_uniform() {
    let (filled, receiver) = unbounded();
    (0..TRIALS).for_each(|n| filled.send(n).unwrap());
    let (sender, _keep) = unbounded();
    let (closed, _) = bounded(1);
    let due = (0..TRIALS)
        .map(|_| after(Duration::ZERO))
        .collect::<Vec<_>>();
    let mut counts = [0; 4];
    for due in &due {
        select! {
            recv(receiver) -> _ => counts[0] += 1,
            send(sender, 1) -> _ => counts[1] += 1,
            send(closed, 1) -> _ => counts[2] += 1,
            recv(due) -> _ => counts[3] += 1,
            default => unreachable!(),
        }
    }
    assert_uniform(&counts);
}

#[corun::test(workers = [1, 2, 4, 16])]
fn the_choice_among_ready_operations_of_a_dynamic_select_is_uniform() {
    let channels: Vec<_> = (0..5).map(|_| unbounded()).collect();
    let mut select = Select::new();
    for (sender, receiver) in &channels {
        (0..TRIALS).for_each(|n| sender.send(n).unwrap());
        select.recv(receiver);
    }
    let mut counts = [0; 5];
    for _ in 0..TRIALS {
        let operation = select.select();
        let index = operation.index();
        counts[index] += 1;
        operation.recv(&channels[index].1).unwrap();
    }
    assert_uniform(&counts);
}

#[corun::test(workers = [1, 2, 4, 16])]
fn the_choice_is_uniform_for_a_waiting_select_as_well() {
    for capacity in [0, 1] {
        let (sender, receiver) = bounded(capacity);
        let selecting = corun::spawn(move || {
            for _ in 0..TRIALS {
                // It waits, as the other side is never faster.
                select! {
                    send(sender, 0) -> sent => sent.unwrap(),
                    send(sender, 1) -> sent => sent.unwrap(),
                    send(sender, 2) -> sent => sent.unwrap(),
                }
            }
        });
        let mut counts = [0; 3];
        for arm in receiver {
            let arm: usize = arm;
            counts[arm] += 1;
        }
        selecting.join().unwrap();
        assert_uniform(&counts);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_biased_select_takes_the_first_that_is_ready() {
    let (sender, receiver) = unbounded();
    let (other, second) = unbounded();
    for n in 0..100 {
        sender.send(n).unwrap();
        other.send(n).unwrap();
    }
    for n in 0..100 {
        select_biased! {
            recv(never::<u32>()) -> _ => unreachable!(),
            recv(receiver) -> value => assert_eq!(value, Ok(n)),
            recv(second) -> _ => unreachable!(),
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_select_never_meets_itself() {
    let (sender, receiver) = bounded(0);
    for _ in 0..1_000 {
        select! {
            send(sender, 1) -> _ => unreachable!(),
            recv(receiver) -> _ => unreachable!(),
            default => {}
        }
    }
    select! {
        send(sender, 1) -> _ => unreachable!(),
        recv(receiver) -> _ => unreachable!(),
        default(Duration::from_millis(5)) => {}
    }
    // And it is gone for others.
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
}

#[corun::test(workers = [1, 2, 4, 16])]
fn selects_that_send_and_receive_on_one_channel_meet_each_other() {
    let (sender, receiver) = bounded(0);
    let players: Vec<_> = (0..2 * 50)
        .map(|name| {
            let (sender, receiver) = (sender.clone(), receiver.clone());
            corun::spawn(move || {
                select! {
                    send(sender, name) -> sent => { sent.unwrap(); None }
                    recv(receiver) -> other => { assert_ne!(other, Ok(name)); Some(other.unwrap()) }
                }
            })
        })
        .collect();
    let met: Vec<_> = players
        .into_iter()
        .map(|player| player.join().unwrap())
        .collect();
    assert_eq!(met.iter().flatten().count(), 50);
    for other in met.iter().flatten() {
        assert_eq!(
            met[*other], None,
            "what was received came from one who sent"
        );
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_channel_may_stand_in_several_arms() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let waiting = {
            let receiver = receiver.clone();
            spawn_waiting(move || {
                select! {
                    recv(receiver) -> value => value,
                    recv(receiver) -> value => value,
                    recv(receiver) -> value => value,
                }
            })
        };
        sender.send(1).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(1));
        // One arm took one value, and the others are gone.
        if capacity != Some(0) {
            continue;
        }
        assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
        let waiting = spawn_waiting(move || {
            select! {
                send(sender, 1) -> sent => sent,
                send(sender, 2) -> sent => sent,
                recv(never::<()>()) -> _ => unreachable!(),
            }
        });
        assert!(receiver.recv().is_ok());
        waiting.join().unwrap().unwrap();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn losing_arms_leave_nothing_behind() {
    let (first, from_first) = bounded::<u32>(0);
    let (to_second, second) = bounded::<u32>(0);
    let (winner, won) = bounded::<u32>(0);
    for n in 0..1_000 {
        let (from_first, to_second, won) = (from_first.clone(), to_second.clone(), won.clone());
        let waiting = spawn_waiting(move || {
            select! {
                recv(from_first) -> _ => unreachable!(),
                send(to_second, 1) -> _ => unreachable!(),
                recv(won) -> value => value,
            }
        });
        winner.send(n).unwrap();
        // Whether the select has run by now or not, its other arms do not count any more.
        assert_eq!(first.try_send(2), Err(TrySendError::Full(2)));
        assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(waiting.join().unwrap(), Ok(n));
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn of_several_values_for_a_waiting_select_only_one_is_taken() {
    for _ in 0..200 {
        let (first, from_first) = bounded(1);
        let (second, from_second) = bounded(1);
        let (left, right) = (from_first.clone(), from_second.clone());
        let waiting = spawn_waiting(move || {
            select! {
                recv(left) -> value => value,
                recv(right) -> value => value,
            }
        });
        let other = corun::spawn(move || second.send(2).unwrap());
        first.send(1).unwrap();
        other.join().unwrap();
        let taken = waiting.join().unwrap().unwrap();
        let rest: Vec<_> = from_first
            .try_iter()
            .chain(from_second.try_iter())
            .collect();
        assert_eq!(rest, [3 - taken]);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn never_is_an_arm_that_is_switched_off() {
    let (sender, receiver) = bounded(1);
    sender.send(1).unwrap();
    for on in [false, true] {
        let off = never();
        let arm = if on { &receiver } else { &off };
        let got = select! {
            recv(arm) -> value => value.ok(),
            default => None,
        };
        assert_eq!(got.is_some(), on);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn default_is_taken_only_if_nothing_else_is_ready() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let (_quiet, other) = bounded::<u32>(0);
        let empty =
            select! { recv(receiver) -> _ => false, recv(other) -> _ => false, default => true };
        assert!(empty);
        let waiting = match capacity {
            Some(0) => Some(spawn_waiting(move || sender.send(1).unwrap())),
            _ => {
                sender.send(1).unwrap();
                drop(sender);
                None
            }
        };
        let full = select! { recv(receiver) -> value => value == Ok(1), recv(other) -> _ => false, default => false };
        assert!(full);
        waiting
            .into_iter()
            .for_each(|waiting| waiting.join().unwrap());
        let closed = select! { recv(receiver) -> value => value == Err(RecvError), recv(other) -> _ => false, default => false };
        assert!(closed);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_default_with_a_time_comes_when_it_is_up() {
    let (sender, receiver) = bounded::<u32>(0);
    let time = Duration::from_millis(20);
    let start = Instant::now();
    let late = select! {
        recv(receiver) -> _ => false,
        send(sender, 1) -> _ => false,
        default(time) => true,
    };
    assert!(late && start.elapsed() >= time);
    let start = Instant::now();
    assert!(select! { default(time) => true });
    assert!(start.elapsed() >= time);
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_message_is_made_only_for_the_arm_that_was_chosen() {
    #![expect(unreachable_code, reason = "messages of arms that must not be chosen")]
    let (full, _keep) = bounded(0);
    let (room, receiver) = bounded(1);
    let mut made = 0;
    select! {
        send(full, unreachable!()) -> _ => unreachable!(),
        send(room, { made += 1; 2 }) -> sent => sent.unwrap(),
    }
    assert_eq!(made, 1);
    assert_eq!(receiver.recv(), Ok(2));
    select! {
        send(full, unreachable!()) -> _ => unreachable!(),
        default => {}
    }
    assert_eq!(made, 1);
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_message_may_be_made_by_waiting() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let (question, asked) = bounded(0);
        let selecting = corun::spawn(move || {
            let (_quiet, other) = bounded::<u32>(0);
            select! {
                // The other side waits in `recv` by now, or will: it must neither miss the message nor spin.
                send(sender, { question.send(()).unwrap(); corun::yield_now(); 7 }) -> sent => sent,
                recv(other) -> _ => unreachable!(),
            }
        });
        let receiving = corun::spawn(move || receiver.recv());
        asked.recv().unwrap();
        assert_eq!(receiving.join().unwrap(), Ok(7));
        assert_eq!(selecting.join().unwrap(), Ok(()));
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn closing_wakes_a_select_with_an_error() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel::<u32>(capacity);
        let (_quiet, other) = bounded::<u32>(0);
        let waiting = spawn_waiting(move || {
            select! { recv(receiver) -> value => value, recv(other) -> _ => unreachable!() }
        });
        sender.close();
        assert_eq!(waiting.join().unwrap(), Err(RecvError));
    }
    let (sender, receiver) = bounded(0);
    let waiting = spawn_waiting(move || {
        select! { send(sender, 7) -> sent => sent, recv(never::<()>()) -> _ => unreachable!() }
    });
    receiver.close();
    assert_eq!(waiting.join().unwrap(), Err(SendError(7)));
}

#[corun::test(workers = [1, 2, 4, 16])]
fn readiness_is_only_looked_at() {
    let (sender, receiver) = bounded(1);
    let (quiet, other) = bounded::<u32>(0);
    let mut select = Select::new();
    let receive = select.recv(&receiver);
    select.recv(&other);
    assert!(select.try_ready().is_err());
    assert!(select.ready_timeout(Duration::from_millis(2)).is_err());
    sender.send(1).unwrap();
    assert_eq!(select.ready(), receive);
    assert_eq!(select.ready_timeout(LONG), Ok(receive));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(
        quiet.try_send(1),
        Err(TrySendError::Full(1)),
        "one who only looks is no receiver"
    );
}

#[corun::test(workers = [1, 2, 4, 16])]
fn one_who_waits_for_readiness_is_woken() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let looking = receiver.clone();
        let waiting = spawn_waiting(move || {
            let (_quiet, other) = bounded::<u32>(0);
            let mut select = Select::new();
            select.recv(&other);
            select.recv(&looking);
            select.ready()
        });
        let sending = corun::spawn(move || sender.send(1).unwrap());
        assert_eq!(waiting.join().unwrap(), 1);
        assert_eq!(receiver.recv(), Ok(1));
        sending.join().unwrap();
    }
}
