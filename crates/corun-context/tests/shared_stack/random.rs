//! Random programs: coroutines on a few shared stacks, and private ones, resume, transfer to, make and drop one another.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corun_context::{Coroutine, ResumeError, Resumed, SharedStack, Status};

use super::{Probe, at_depth, coroutine, stack};

type Member = Coroutine<u64, u64, u64>;

/// What all coroutines of a program share.
struct World {
    stacks: Vec<SharedStack>,
    members: RefCell<Vec<Rc<Member>>>,
    seed: Cell<u64>,
    /// How many steps are left.
    steps: Cell<u64>,
    refused: Cell<u64>,
    answered: Cell<u64>,
    made: Cell<u64>,
    probe: Probe,
}

impl World {
    /// A number below `end`, by xorshift.
    fn below(&self, end: u64) -> u64 {
        let mut seed = self.seed.get();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        self.seed.set(seed);
        (seed >> 16) % end
    }

    fn any(&self) -> Option<Rc<Member>> {
        let members = self.members.borrow();
        let len = members.len() as u64;
        (len > 0).then(|| members[self.below(len) as usize].clone())
    }

    fn add(self: &Rc<Self>) {
        let world = Rc::downgrade(self);
        let guard = self.probe.guard();
        self.made.set(self.made.get() + 1);
        let body = move |suspender: &corun_context::Suspender<u64, u64, u64>, first: u64| {
            let _guard = guard;
            let mut input = first;
            loop {
                let Some(world) = world.upgrade() else {
                    return 0;
                };
                let own = [input; 20];
                let depth = world.below(30);
                match world.below(30) {
                    0 | 1 => return input,
                    // Few, since an emulator takes its time to unwind.
                    2 => std::panic::resume_unwind(Box::new(input)),
                    3..9 => world.step(),
                    9..12 => {
                        if let Some(next) = world.any() {
                            drop(world);
                            match suspender.transfer(&next, input) {
                                Ok(n) => input = n,
                                Err(error) => assert_eq!(error.into_input(), input),
                            }
                        }
                    }
                    _ => {
                        drop(world);
                        input = at_depth(depth, &mut || suspender.suspend(input));
                    }
                }
                assert!(own.iter().all(|word| *word == own[0]));
            }
        };
        let member = match self.below(self.stacks.len() as u64 + 1) as usize {
            0 => Member::new(body),
            n => coroutine(&self.stacks[n - 1], body),
        };
        self.members.borrow_mut().push(Rc::new(member));
    }

    /// Does something to some coroutine, from wherever this is called.
    fn step(self: &Rc<Self>) {
        if self.steps.get() == 0 {
            return;
        }
        self.steps.set(self.steps.get() - 1);
        let members = self.members.borrow().len() as u64;
        match self.below(10) {
            0 | 1 if members < 50 => self.add(),
            2 if members > 20 => {
                let victim = self.below(members) as usize;
                let victim = self.members.borrow_mut().swap_remove(victim);
                drop(victim);
            }
            _ => {
                let Some(member) = self.any() else { return };
                let input = self.below(1000);
                let result =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| member.resume(input)));
                match result {
                    Ok(Ok(Resumed::Yield(_) | Resumed::Return(_))) | Err(_) => {
                        self.answered.set(self.answered.get() + 1)
                    }
                    Ok(Err(error)) => self.check(&member, error, input),
                }
            }
        }
    }

    fn check(&self, member: &Member, error: ResumeError<u64>, input: u64) {
        assert_eq!(error.status(), member.status());
        if error.status() == Status::Suspended {
            assert!(self.stacks.iter().any(SharedStack::is_in_use));
            self.refused.set(self.refused.get() + 1);
        }
        assert_eq!(error.into_input(), input);
        if member.status() == Status::Dead {
            self.members
                .borrow_mut()
                .retain(|other| !std::ptr::eq(&**other, member));
        }
    }
}

#[test]
fn random_programs() {
    for seed in 1..=8 {
        let probe = Probe::default();
        let world = Rc::new(World {
            stacks: (0..3).map(|_| stack()).collect(),
            members: RefCell::default(),
            seed: Cell::new(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed)),
            steps: Cell::new(5_000),
            refused: Cell::new(0),
            answered: Cell::new(0),
            made: Cell::new(0),
            probe: probe.clone(),
        });
        while world.steps.get() > 0 {
            world.step();
        }
        assert!(
            world.refused.get() > 50 && world.answered.get() > 1000,
            "seed {seed}: {} refused, {} answered",
            world.refused.get(),
            world.answered.get()
        );
        let members = world.members.take();
        drop(members);
        assert!(world.stacks.iter().all(|stack| !stack.is_in_use()));
        let made = world.made.get();
        drop(world);
        // Cycles of references are leaked, as they are anywhere: two that are suspended in transfers to each other.
        assert!(
            probe.drops() <= made && probe.drops() > made / 2,
            "seed {seed}: {} of {made}",
            probe.drops()
        );
    }
}
