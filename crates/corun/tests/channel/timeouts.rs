//! Operations that wait for a limited time.

use std::time::{Duration, Instant};

use crate::channels::{BOUNDED, CAPACITIES, channel, spawn_waiting};
use corun::channel::{
    RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError, after, at, bounded, never,
    select, tick,
};

const SHORT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(3600);

#[corun::test(workers = [1, 2, 4, 16])]
fn nobody_returns_before_the_time_is_up() {
    for capacity in CAPACITIES {
        let (_sender, receiver) = channel::<u32>(capacity);
        let start = Instant::now();
        assert_eq!(receiver.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= SHORT);
        let deadline = Instant::now() + SHORT;
        assert_eq!(
            receiver.recv_deadline(deadline),
            Err(RecvTimeoutError::Timeout)
        );
        assert!(Instant::now() >= deadline);
    }
    for capacity in BOUNDED {
        let (sender, _receiver) = bounded(capacity);
        (0..capacity).for_each(|n| sender.send(n).unwrap());
        let start = Instant::now();
        assert_eq!(
            sender.send_timeout(7, SHORT),
            Err(SendTimeoutError::Timeout(7))
        );
        assert!(start.elapsed() >= SHORT);
        let deadline = Instant::now() + SHORT;
        assert_eq!(
            sender.send_deadline(8, deadline),
            Err(SendTimeoutError::Timeout(8))
        );
        assert!(Instant::now() >= deadline);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn one_whose_time_is_up_stands_in_nobodys_way() {
    for capacity in BOUNDED {
        let (sender, receiver) = bounded(capacity);
        assert_eq!(receiver.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        if capacity == 0 {
            assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
        }
        (0..capacity).for_each(|n| sender.send(n).unwrap());
        assert_eq!(
            sender.send_timeout(100, SHORT),
            Err(SendTimeoutError::Timeout(100))
        );
        assert_eq!(
            receiver.try_iter().collect::<Vec<_>>(),
            (0..capacity).collect::<Vec<_>>()
        );
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn one_who_gives_up_in_the_middle_of_a_queue_leaves_the_others_in_order() {
    let (sender, receiver) = bounded(0);
    let waiting: Vec<_> = (0..9)
        .map(|n| {
            let receiver = receiver.clone();
            let time = if n % 3 == 1 { SHORT } else { LONG };
            spawn_waiting(move || receiver.recv_timeout(time))
        })
        .collect();
    let (patient, hasty): (Vec<_>, Vec<_>) = waiting
        .into_iter()
        .enumerate()
        .partition(|(n, _)| n % 3 != 1);
    for (_, hasty) in hasty {
        assert_eq!(hasty.join().unwrap(), Err(RecvTimeoutError::Timeout));
    }
    for n in 0..patient.len() {
        sender.send(n).unwrap();
    }
    for (n, (_, patient)) in patient.into_iter().enumerate() {
        assert_eq!(patient.join().unwrap(), Ok(n));
    }
}

/// The value must be either received, or still be there; and a sender that was told so has sent.
#[corun::test(workers = [1, 2, 4, 16])]
fn nothing_is_lost_when_time_and_value_come_together() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let rounds = 300;
        let receiving = corun::spawn(move || {
            let mut sum = 0u64;
            loop {
                match receiver.recv_timeout(Duration::from_micros(30)) {
                    Ok(n) => sum += n,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return sum,
                }
            }
        });
        let mut sum = 0;
        for n in 1..=rounds {
            corun::sleep(Duration::from_micros(n % 40));
            match sender.send_timeout(n, Duration::from_micros(30)) {
                Ok(()) => sum += n,
                Err(error) => assert_eq!(error.into_inner(), n),
            }
        }
        drop(sender);
        assert_eq!(receiving.join().unwrap(), sum);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn no_time_at_all_is_one_attempt() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        assert_eq!(
            receiver.recv_timeout(Duration::ZERO),
            Err(RecvTimeoutError::Timeout)
        );
        let waiting = spawn_waiting(move || receiver.recv());
        assert_eq!(sender.send_timeout(1, Duration::ZERO), Ok(()));
        assert_eq!(waiting.join().unwrap(), Ok(1));
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn for_ever_is_a_time_as_well() {
    let (sender, receiver) = bounded(0);
    let waiting = spawn_waiting(move || receiver.recv_timeout(Duration::MAX));
    sender.send_timeout(1, Duration::MAX).unwrap();
    assert_eq!(waiting.join().unwrap(), Ok(1));
}

#[corun::test(workers = [1, 2, 4, 16])]
fn times_are_channels_that_are_never_early() {
    let start = Instant::now();
    let due = after(SHORT).recv().unwrap();
    assert!(due >= start + SHORT && Instant::now() >= due);
    let when = start + 3 * SHORT;
    assert_eq!(at(when).recv(), Ok(when));
    assert!(Instant::now() >= when);
    let start = Instant::now();
    let ticker = tick(SHORT);
    for n in 1..4 {
        ticker.recv().unwrap();
        assert!(start.elapsed() >= n * SHORT);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_time_may_be_an_arm() {
    let (_sender, receiver) = bounded::<u32>(0);
    let start = Instant::now();
    let deadline = after(SHORT);
    select! {
        recv(receiver) -> _ => unreachable!(),
        recv(never::<()>()) -> _ => unreachable!(),
        recv(deadline) -> due => assert!(due.unwrap() >= start + SHORT),
    }
    assert!(start.elapsed() >= SHORT);
    // It came once.
    let more = select! { recv(deadline) -> _ => true, recv(receiver) -> _ => true, default(SHORT) => false };
    assert!(!more);
}

/// The select that sends says that it has sent, so nobody may have left without the message.
#[corun::test(workers = [1, 2, 4, 16], start_paused)]
fn who_was_promised_a_message_stays_for_it() {
    for selects in [false, true] {
        let (sender, receiver) = bounded::<u32>(0);
        let late = spawn_waiting(move || {
            if !selects {
                return receiver.recv_timeout(SHORT).ok();
            }
            select! {
                recv(receiver) -> message => message.ok(),
                recv(never::<()>()) -> _ => unreachable!(),
                default(SHORT) => None,
            }
        });
        select! {
            send(sender, { corun::sleep(5 * SHORT); 7 }) -> sent => assert_eq!(sent, Ok(())),
            recv(never::<()>()) -> _ => unreachable!(),
        }
        assert_eq!(late.join().unwrap(), Some(7));
    }
}
