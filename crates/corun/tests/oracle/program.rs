//! Random programs: up to 5 coroutines, 3 channels and 12 operations.

use std::fmt::{Debug, Formatter, Result};

pub type Value = u32;

/// One operation at a channel, known by its number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Send(usize),
    Recv(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Patience {
    None,
    Short,
    Endless,
}

#[derive(Clone, PartialEq)]
pub enum Op {
    One(Step, Patience),
    Select(Vec<Step>, Patience),
    Close(usize),
    Yield,
}

impl Debug for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Op::One(step, patience) => write!(f, "{step:?} {patience:?}"),
            Op::Select(steps, patience) => write!(f, "select {steps:?} {patience:?}"),
            Op::Close(channel) => write!(f, "close({channel})"),
            Op::Yield => write!(f, "yield"),
        }
    }
}

#[derive(Debug)]
pub struct Program {
    pub capacities: Vec<Option<usize>>,
    pub coroutines: Vec<Vec<Op>>,
}

impl Program {
    /// What the operation sends: every one something else.
    pub fn value(coroutine: usize, index: usize) -> Value {
        (coroutine * 100 + index) as Value
    }

    pub fn random(seed: u64) -> Program {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let capacities: Vec<_> = (0..1 + random.below(3))
            .map(|_| [Some(0), Some(0), Some(1), Some(2), None][random.below(5)])
            .collect();
        let channels = capacities.len();
        let mut coroutines = vec![Vec::new(); 1 + random.below(5)];
        for _ in 0..1 + random.below(12) {
            let coroutine = random.below(coroutines.len());
            coroutines[coroutine].push(random.op(channels));
        }
        Program {
            capacities,
            coroutines,
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize) % bound
    }

    fn step(&mut self, channels: usize) -> Step {
        let channel = self.below(channels);
        if self.below(2) == 0 {
            Step::Send(channel)
        } else {
            Step::Recv(channel)
        }
    }

    fn patience(&mut self) -> Patience {
        [
            Patience::None,
            Patience::Short,
            Patience::Endless,
            Patience::Endless,
            Patience::Endless,
        ][self.below(5)]
    }

    fn op(&mut self, channels: usize) -> Op {
        match self.below(20) {
            0 => Op::Close(self.below(channels)),
            1 => Op::Yield,
            2..10 => {
                let steps = (0..1 + self.below(3))
                    .map(|_| self.step(channels))
                    .collect();
                Op::Select(steps, self.patience())
            }
            _ => Op::One(self.step(channels), self.patience()),
        }
    }
}
