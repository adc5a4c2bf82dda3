//! Runs a program, and writes down what happened.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use corun::channel::{
    Receiver, RecvError, RecvTimeoutError, Select, SendError, SendTimeoutError, Sender,
    TryRecvError, TrySendError, bounded, select, unbounded,
};
use corun::{JoinHandle, State};

use super::program::{Op, Patience, Program, Step, Value};

const SHORT: Duration = Duration::from_micros(50);
const LONG: Duration = Duration::from_secs(10);

/// What a step ended with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Sent,
    Received(Value),
    Closed,
    /// Not now, or not in time.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    One(End),
    Arm(usize, End),
    Default,
    /// Whether this call closed the channel.
    Close(bool),
    Yielded,
}

#[derive(Debug)]
pub struct History {
    /// Of each coroutine, the operations that ended; if there are fewer than it has, the next one waited for ever.
    pub outcomes: Vec<Vec<Outcome>>,
    /// What was left in the channels; unknown if somebody waited for ever.
    pub left: Option<Vec<Vec<Value>>>,
}

impl History {
    pub fn stuck(&self) -> bool {
        self.left.is_none()
    }
}

type Channel = (Sender<Value>, Receiver<Value>);

/// What is known of a running coroutine from outside.
#[derive(Default)]
struct Progress {
    outcomes: Mutex<Vec<Outcome>>,
    count: AtomicUsize,
    /// It is in an operation that ends by itself.
    timed: AtomicBool,
}

/// `explained` says whether there is an explanation for what seems to be the end.
pub fn run(program: &Program, explained: impl Fn(&History) -> bool) -> History {
    let channels: Arc<Vec<Channel>> = Arc::new(
        program
            .capacities
            .iter()
            .map(|capacity| capacity.map_or_else(unbounded, bounded))
            .collect(),
    );
    let progress: Vec<_> = program
        .coroutines
        .iter()
        .map(|_| Arc::<Progress>::default())
        .collect();
    let handles: Vec<_> = program
        .coroutines
        .iter()
        .enumerate()
        .map(|(name, ops)| {
            let (channels, progress, ops) = (channels.clone(), progress[name].clone(), ops.clone());
            corun::spawn(move || {
                for (index, op) in ops.iter().enumerate() {
                    progress.timed.store(is_timed(op), Ordering::SeqCst);
                    let outcome = execute(op, &channels, Program::value(name, index));
                    progress.outcomes.lock().unwrap().push(outcome);
                    progress.count.fetch_add(1, Ordering::SeqCst);
                }
                progress.timed.store(false, Ordering::SeqCst);
            })
        })
        .collect();
    let outcomes = || -> Vec<Vec<Outcome>> {
        progress
            .iter()
            .map(|progress| progress.outcomes.lock().unwrap().clone())
            .collect()
    };
    let patience = Instant::now() + LONG;
    let history = loop {
        let ended = settle(&handles, &progress);
        let history = History {
            outcomes: outcomes(),
            left: ended.then(|| {
                channels
                    .iter()
                    .map(|(_, receiver)| receiver.try_iter().collect())
                    .collect()
            }),
        };
        // One whose wake-up is on its way to another worker looks as if it waited for ever; what cannot be explained gets another look.
        if ended || explained(&history) || Instant::now() > patience {
            break history;
        }
    };
    // What happens from here on is no part of the history.
    for (sender, _) in channels.iter() {
        sender.close();
    }
    for handle in handles {
        handle.join().unwrap();
    }
    history
}

fn is_timed(op: &Op) -> bool {
    matches!(
        op,
        Op::One(_, Patience::Short) | Op::Select(_, Patience::Short)
    )
}

/// Waits until all have ended (`true`), or those that have not wait for ever.
fn settle(handles: &[JoinHandle<()>], progress: &[Arc<Progress>]) -> bool {
    // One look at each in turn may miss a wake-up between two of them; that would show in the next look.
    let (mut quiet, mut last) = (0, None);
    loop {
        if handles.iter().all(JoinHandle::is_finished) {
            return true;
        }
        let still = handles.iter().zip(progress).all(|(handle, progress)| {
            match handle.coroutine().state() {
                State::Suspended => !progress.timed.load(Ordering::SeqCst),
                State::Completed | State::Failed => true,
                _ => false,
            }
        });
        let counts: Vec<_> = progress
            .iter()
            .map(|progress| progress.count.load(Ordering::SeqCst))
            .collect();
        let counts = Some(counts);
        quiet = if still && counts == last {
            quiet + 1
        } else {
            0
        };
        last = counts;
        if quiet == 3 {
            return false;
        }
        corun::yield_now();
    }
}

fn execute(op: &Op, channels: &[Channel], value: Value) -> Outcome {
    match op {
        Op::One(step, patience) => Outcome::One(one(*step, *patience, channels, value)),
        Op::Select(steps, patience) => match steps[..] {
            [first, second] => two(first, second, *patience, channels, value),
            _ => several(steps, *patience, channels, value),
        },
        // From one side or the other.
        Op::Close(channel) => Outcome::Close(match value % 2 {
            0 => channels[*channel].0.close(),
            _ => channels[*channel].1.close(),
        }),
        Op::Yield => {
            corun::yield_now();
            Outcome::Yielded
        }
    }
}

fn one(step: Step, patience: Patience, channels: &[Channel], value: Value) -> End {
    match step {
        Step::Send(channel) => {
            let sender = &channels[channel].0;
            let (end, back) = match patience {
                Patience::Endless => match sender.send(value) {
                    Ok(()) => (End::Sent, None),
                    Err(SendError(back)) => (End::Closed, Some(back)),
                },
                Patience::None => match sender.try_send(value) {
                    Ok(()) => (End::Sent, None),
                    Err(TrySendError::Full(back)) => (End::Refused, Some(back)),
                    Err(TrySendError::Disconnected(back)) => (End::Closed, Some(back)),
                },
                Patience::Short => match sender.send_timeout(value, SHORT) {
                    Ok(()) => (End::Sent, None),
                    Err(SendTimeoutError::Timeout(back)) => (End::Refused, Some(back)),
                    Err(SendTimeoutError::Disconnected(back)) => (End::Closed, Some(back)),
                },
            };
            assert!(
                back.is_none_or(|back| back == value),
                "another message came back"
            );
            end
        }
        Step::Recv(channel) => {
            let receiver = &channels[channel].1;
            match patience {
                Patience::Endless => received(receiver.recv()),
                Patience::None => match receiver.try_recv() {
                    Ok(value) => End::Received(value),
                    Err(TryRecvError::Empty) => End::Refused,
                    Err(TryRecvError::Disconnected) => End::Closed,
                },
                Patience::Short => match receiver.recv_timeout(SHORT) {
                    Ok(value) => End::Received(value),
                    Err(RecvTimeoutError::Timeout) => End::Refused,
                    Err(RecvTimeoutError::Disconnected) => End::Closed,
                },
            }
        }
    }
}

fn received(result: Result<Value, RecvError>) -> End {
    result.map_or(End::Closed, End::Received)
}

fn sent(result: Result<(), SendError<Value>>) -> End {
    result.map_or(End::Closed, |()| End::Sent)
}

/// By the macro, in all its shapes.
fn two(
    first: Step,
    second: Step,
    patience: Patience,
    channels: &[Channel],
    value: Value,
) -> Outcome {
    // The arms, with the message where there is one.
    macro_rules! selects {
        ($($left:ident($($one:tt)*) $end:ident, $right:ident($($other:tt)*) $end2:ident)*) => {
            match patience {
                $(Patience::Endless => select! {
                    $left($($one)*) -> end => Outcome::Arm(0, $end(end)),
                    $right($($other)*) -> end => Outcome::Arm(1, $end2(end)),
                },
                Patience::None => select! {
                    $left($($one)*) -> end => Outcome::Arm(0, $end(end)),
                    $right($($other)*) -> end => Outcome::Arm(1, $end2(end)),
                    default => Outcome::Default,
                },
                Patience::Short => select! {
                    $left($($one)*) -> end => Outcome::Arm(0, $end(end)),
                    $right($($other)*) -> end => Outcome::Arm(1, $end2(end)),
                    default(SHORT) => Outcome::Default,
                },)*
            }
        };
    }
    match (first, second) {
        (Step::Send(a), Step::Send(b)) => {
            selects!(send(channels[a].0, value) sent, send(channels[b].0, value) sent)
        }
        (Step::Send(a), Step::Recv(b)) => {
            selects!(send(channels[a].0, value) sent, recv(channels[b].1) received)
        }
        (Step::Recv(a), Step::Send(b)) => {
            selects!(recv(channels[a].1) received, send(channels[b].0, value) sent)
        }
        (Step::Recv(a), Step::Recv(b)) => {
            selects!(recv(channels[a].1) received, recv(channels[b].1) received)
        }
    }
}

fn several(steps: &[Step], patience: Patience, channels: &[Channel], value: Value) -> Outcome {
    let mut select = Select::new();
    for step in steps {
        match *step {
            Step::Send(channel) => select.send(&channels[channel].0),
            Step::Recv(channel) => select.recv(&channels[channel].1),
        };
    }
    let operation = match patience {
        Patience::Endless => Some(select.select()),
        Patience::None => select.try_select().ok(),
        Patience::Short => select.select_timeout(SHORT).ok(),
    };
    let Some(operation) = operation else {
        return Outcome::Default;
    };
    let arm = operation.index();
    Outcome::Arm(
        arm,
        match steps[arm] {
            Step::Send(channel) => sent(operation.send(&channels[channel].0, value)),
            Step::Recv(channel) => received(operation.recv(&channels[channel].1)),
        },
    )
}
