//! The model: could this have happened?

use std::collections::{HashSet, VecDeque};

use super::program::{Op, Patience, Program, Step, Value};
use super::run::{End, History, Outcome};

#[derive(Clone, PartialEq, Eq, Hash)]
struct Chan {
    buffer: VecDeque<Value>,
    /// Places that selects have been promised, and not filled yet: a select makes its message after it was chosen.
    reserved: usize,
    closed: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Model {
    channels: Vec<Chan>,
    /// How many operations each has done.
    done: Vec<usize>,
    /// The next operation of each is a select that has been promised a place.
    promised: Vec<bool>,
}

struct Search<'a> {
    program: &'a Program,
    history: &'a History,
    seen: HashSet<Model>,
    furthest: Vec<usize>,
}

/// Looks for an order of the operations that explains the history.
pub fn explain(program: &Program, history: &History) -> Result<(), String> {
    let coroutines = program.coroutines.len();
    let chan = Chan {
        buffer: VecDeque::new(),
        reserved: 0,
        closed: false,
    };
    let start = Model {
        channels: vec![chan; program.capacities.len()],
        done: vec![0; coroutines],
        promised: vec![false; coroutines],
    };
    let mut search = Search {
        program,
        history,
        seen: HashSet::new(),
        furthest: vec![0; coroutines],
    };
    match search.reaches_end(start) {
        true => Ok(()),
        false => Err(format!(
            "no order explains this; the longest begins with {:?} operations",
            search.furthest
        )),
    }
}

impl Search<'_> {
    fn reaches_end(&mut self, model: Model) -> bool {
        if !self.seen.insert(model.clone()) {
            return false;
        }
        if model.done.iter().sum::<usize>() > self.furthest.iter().sum() {
            self.furthest = model.done.clone();
        }
        let coroutines = model.done.len();
        let all_done =
            (0..coroutines).all(|name| model.done[name] == self.history.outcomes[name].len());
        if all_done {
            return self.is_end(&model);
        }
        (0..coroutines).any(|name| {
            let Some(outcome) = self.history.outcomes[name].get(model.done[name]) else {
                return false;
            };
            let next = self.after(&model, name, *outcome);
            next.into_iter().any(|next| self.reaches_end(next))
        })
    }

    /// Nothing else can happen, and what is left is what was found.
    fn is_end(&self, model: &Model) -> bool {
        if let Some(left) = &self.history.left {
            return model
                .channels
                .iter()
                .zip(left)
                .all(|(chan, left)| chan.buffer == *left);
        }
        let waiting: Vec<(usize, Vec<Step>)> = (0..model.done.len())
            .filter_map(|name| {
                let steps = match self.program.coroutines[name].get(model.done[name])? {
                    Op::One(step, Patience::Endless) => vec![*step],
                    Op::Select(steps, Patience::Endless) => steps.clone(),
                    _ => vec![],
                };
                Some((name, steps))
            })
            .collect();
        // Somebody waits, in an operation in which one can, and for no step that could be done, alone or with another.
        let alone = |step: &Step| self.is_ready(model, *step);
        let together = |name: usize, step: &Step| {
            let others = waiting.iter().filter(|(other, _)| *other != name);
            match *step {
                Step::Send(channel) => others
                    .clone()
                    .any(|(_, steps)| steps.contains(&Step::Recv(channel))),
                Step::Recv(channel) => others
                    .clone()
                    .any(|(_, steps)| steps.contains(&Step::Send(channel))),
            }
        };
        !waiting.is_empty()
            && waiting.iter().all(|(name, steps)| {
                !steps.is_empty()
                    && steps
                        .iter()
                        .all(|step| !alone(step) && !together(*name, step))
            })
    }

    fn room(&self, model: &Model, channel: usize) -> bool {
        let chan = &model.channels[channel];
        self.program.capacities[channel]
            .is_none_or(|capacity| chan.buffer.len() + chan.reserved < capacity)
    }

    /// Can the step be done by one alone?
    fn is_ready(&self, model: &Model, step: Step) -> bool {
        match step {
            Step::Send(channel) => model.channels[channel].closed || self.room(model, channel),
            Step::Recv(channel) => {
                model.channels[channel].closed || !model.channels[channel].buffer.is_empty()
            }
        }
    }

    /// The models after the coroutine's next operation, if it can end like this now; or after its first half.
    fn after(&self, model: &Model, name: usize, outcome: Outcome) -> Vec<Model> {
        let index = model.done[name];
        let value = Program::value(name, index);
        let mut next = model.clone();
        next.done[name] += 1;
        match (&self.program.coroutines[name][index], outcome) {
            (Op::Yield, Outcome::Yielded) => vec![next],
            (Op::Close(channel), Outcome::Close(first)) => {
                let was_closed = std::mem::replace(&mut next.channels[*channel].closed, true);
                if first == was_closed {
                    vec![]
                } else {
                    vec![next]
                }
            }
            (Op::Select(steps, _), Outcome::Default) => {
                let none = steps.iter().all(|step| !self.is_ready(model, *step));
                if none { vec![next] } else { vec![] }
            }
            (Op::One(step, _), Outcome::One(end)) => {
                self.step(model, next, name, *step, end, value)
            }
            (Op::Select(steps, _), Outcome::Arm(arm, end)) => match (steps[arm], end) {
                (Step::Send(channel), End::Sent | End::Closed)
                    if self.program.capacities[channel] != Some(0) =>
                {
                    self.promise(model, next, name, channel, end, value)
                }
                (step, end) => self.step(model, next, name, step, end, value),
            },
            _ => panic!("an outcome of another operation"),
        }
    }

    /// A select's send to a buffer, in two halves.
    fn promise(
        &self,
        model: &Model,
        mut next: Model,
        name: usize,
        channel: usize,
        end: End,
        value: Value,
    ) -> Vec<Model> {
        let closed = model.channels[channel].closed;
        if model.promised[name] {
            next.promised[name] = false;
            next.channels[channel].reserved -= 1;
            match (end, closed) {
                (End::Sent, false) => next.channels[channel].buffer.push_back(value),
                (End::Closed, true) => {}
                _ => return vec![],
            }
            return vec![next];
        }
        if closed {
            return if end == End::Closed {
                vec![next]
            } else {
                vec![]
            };
        }
        if !self.room(model, channel) {
            return vec![];
        }
        next.done[name] -= 1;
        next.promised[name] = true;
        next.channels[channel].reserved += 1;
        vec![next]
    }

    fn step(
        &self,
        model: &Model,
        mut next: Model,
        name: usize,
        step: Step,
        end: End,
        value: Value,
    ) -> Vec<Model> {
        let (Step::Send(channel) | Step::Recv(channel)) = step;
        let chan = &mut next.channels[channel];
        let rendezvous = self.program.capacities[channel] == Some(0);
        let possible = match (step, end) {
            (Step::Send(_), End::Sent) => {
                // At a rendezvous, the receiver does it.
                let room = !rendezvous && !chan.closed && self.room(model, channel);
                chan.buffer.push_back(value);
                room
            }
            (Step::Send(_), End::Closed) => chan.closed,
            (Step::Send(_), End::Refused) => !chan.closed && !self.room(model, channel),
            (Step::Recv(_), End::Received(got)) if rendezvous => {
                return self.meet(model, next, name, channel, got);
            }
            (Step::Recv(_), End::Received(got)) => chan.buffer.pop_front() == Some(got),
            (Step::Recv(_), End::Closed) => chan.closed && chan.buffer.is_empty(),
            (Step::Recv(_), End::Refused) => !chan.closed && chan.buffer.is_empty(),
            _ => false,
        };
        if possible { vec![next] } else { vec![] }
    }

    /// A receiver meets whoever sends this value now.
    fn meet(
        &self,
        model: &Model,
        next: Model,
        receiver: usize,
        channel: usize,
        got: Value,
    ) -> Vec<Model> {
        let sends = |name: &usize| {
            let index = model.done[*name];
            let (Some(op), Some(outcome)) = (
                self.program.coroutines[*name].get(index),
                self.history.outcomes[*name].get(index),
            ) else {
                return false;
            };
            let step = match (op, outcome) {
                (Op::One(step, _), Outcome::One(End::Sent)) => *step,
                (Op::Select(steps, _), Outcome::Arm(arm, End::Sent)) => steps[*arm],
                _ => return false,
            };
            *name != receiver && step == Step::Send(channel) && Program::value(*name, index) == got
        };
        let meet = |name: usize| {
            let mut next = next.clone();
            next.done[name] += 1;
            next
        };
        (0..model.done.len())
            .filter(sends)
            .map(meet)
            .filter(|_| !model.channels[channel].closed)
            .collect()
    }
}

/// A model that explains everything would show nothing.
pub fn finds_seeded_mistakes() {
    let endless = |step| Op::One(step, Patience::Endless);
    let none = |step| Op::One(step, Patience::None);
    let explained = |capacity,
                     coroutines: Vec<Vec<Op>>,
                     outcomes: Vec<Vec<Outcome>>,
                     left: Option<Vec<Value>>| {
        let program = Program {
            capacities: vec![capacity],
            coroutines,
        };
        let left = left.map(|left| vec![left]);
        explain(&program, &History { outcomes, left }).is_ok()
    };
    let (send, recv) = (Step::Send(0), Step::Recv(0));
    let (sent, got) = (Outcome::One(End::Sent), |value| {
        Outcome::One(End::Received(value))
    });
    // Lost, doubled, reordered, invented messages.
    assert!(explained(
        Some(2),
        vec![vec![endless(send)]],
        vec![vec![sent]],
        Some(vec![0])
    ));
    assert!(!explained(
        Some(2),
        vec![vec![endless(send)]],
        vec![vec![sent]],
        Some(vec![])
    ));
    let twice = vec![
        vec![endless(send), endless(send)],
        vec![endless(recv), endless(recv)],
    ];
    assert!(explained(
        Some(2),
        twice.clone(),
        vec![vec![sent; 2], vec![got(0), got(1)]],
        Some(vec![])
    ));
    assert!(!explained(
        Some(2),
        twice.clone(),
        vec![vec![sent; 2], vec![got(0), got(0)]],
        Some(vec![])
    ));
    assert!(!explained(
        Some(2),
        twice.clone(),
        vec![vec![sent; 2], vec![got(1), got(0)]],
        Some(vec![])
    ));
    assert!(!explained(
        Some(2),
        twice,
        vec![vec![sent; 2], vec![got(0), got(7)]],
        Some(vec![])
    ));
    // A capacity exceeded; a rendezvous with nobody.
    let two = vec![vec![endless(send), endless(send)]];
    assert!(!explained(
        Some(1),
        two.clone(),
        vec![vec![sent, sent]],
        Some(vec![0, 1])
    ));
    assert!(explained(Some(1), two.clone(), vec![vec![sent]], None));
    assert!(!explained(
        Some(0),
        two,
        vec![vec![sent, sent]],
        Some(vec![])
    ));
    // Attempts that fail falsely.
    let refused = Outcome::One(End::Refused);
    let then_try = vec![vec![endless(send), none(recv)]];
    assert!(!explained(
        Some(1),
        then_try.clone(),
        vec![vec![sent, refused]],
        Some(vec![0])
    ));
    assert!(explained(
        Some(1),
        then_try,
        vec![vec![sent, got(0)]],
        Some(vec![])
    ));
    // Waiting for ever side by side; for what is there; for a closed channel.
    assert!(!explained(
        Some(0),
        vec![vec![endless(send)], vec![endless(recv)]],
        vec![vec![], vec![]],
        None
    ));
    assert!(!explained(
        Some(1),
        vec![vec![endless(send), endless(recv)]],
        vec![vec![sent]],
        None
    ));
    assert!(!explained(
        Some(0),
        vec![vec![Op::Close(0), endless(recv)]],
        vec![vec![Outcome::Close(true)]],
        None
    ));
    assert!(explained(
        Some(0),
        vec![vec![endless(recv)]],
        vec![vec![]],
        None
    ));
    let meets_itself = vec![vec![Op::Select(vec![send, recv], Patience::Endless)]];
    assert!(explained(Some(0), meets_itself.clone(), vec![vec![]], None));
    assert!(!explained(
        Some(0),
        meets_itself,
        vec![vec![Outcome::Arm(1, End::Received(0))]],
        Some(vec![])
    ));
}
