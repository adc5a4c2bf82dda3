//! What a worker does on its own stack: housekeeping, finding work, going to sleep and being woken.
//! How a worker goes to sleep and is woken, and who searches, is the protocol of `sleepers.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Scheduler;
use super::linger;
use super::lock_mutex;
use super::migrant;
use super::migrants::Migrants;
use super::shared::Shared;
use super::stacks::Stacks;
use super::watch;
use super::worker::{Next, Worker};
use crate::coroutine::task::TaskRef;
use crate::future::task::cancel_task;
use crate::time::clock::Sleeper;

/// A busy worker looks at its timers and its reactor this often, at the tick.
const POLL_INTERVAL: Duration = Duration::from_micros(50);

/// A worker that was woken by a timer does not sleep for less than this before the next: a crowd of timers then costs
/// one wake-up for many (10 us of processor time each otherwise). A lone timer is not delayed.
const TIMER_SPACING: Duration = Duration::from_micros(80);

/// A worker that was woken by another thread [soon](SHORT) after it had gone to sleep looks out for the next such wake-up for so long before it sleeps
/// again. Two that talk across threads then do so in a fraction of a microsecond, where a sleep and a wake-up take several. It is about what
/// these cost, so that a wrong guess at most doubles it; and a longer sleep ends the guessing.
const LINGER: Duration = Duration::from_micros(8);

/// As long as it takes on a virtual machine until somebody who slept has answered.
const SHORT: Duration = Duration::from_micros(64);

/// A worker that was idle for so long gives unused stack memory back.
const TRIM_AFTER: Duration = Duration::from_millis(10);

/// What a worker that looked out has found.
enum Found {
    Nothing,
    /// What its next turn sees to.
    Own,
    /// Work for any worker: this one holds the token now.
    Work,
}

/// A worker as a paused clock sees it.
struct Sleeping<'a>(&'a Scheduler, &'a Arc<Shared>);

impl Sleeper for Sleeping<'_> {
    fn is_asleep(&self) -> bool {
        watch::is_idle(self.1)
    }

    fn is_idle(&self) -> bool {
        self.1.inbox.is_empty() && self.1.spawned.is_empty() && self.1.guests.is_idle()
    }

    fn next_deadline(&self) -> Option<Instant> {
        lock_mutex(&self.1.timers).next_deadline()
    }

    fn rouse(&self) {
        self.0.wake(self.1);
    }
}

impl Worker {
    /// Runs until the runtime is shut down and nothing is left for this worker to finish.
    pub(super) fn run(&self) {
        loop {
            if self.turn() || (!self.shared.watched.is_retiring() && self.search(false)) {
                continue;
            }
            if self.may_end() && (self.is_dismissed() || self.shared.watched.leave()) {
                return;
            }
            self.rest();
        }
    }

    /// Sleeps until there may be something to do.
    pub(crate) fn rest(&self) {
        if self.sleep() {
            // At once, so that the token is not kept while this worker runs what its own sleep has brought.
            self.search(true);
        }
    }

    /// One round: looks at everything that may have become ready, then runs coroutines until one switches back here.
    /// Returns false if nothing was ready.
    pub(crate) fn turn(&self) -> bool {
        if let Some(task) = self.take_guest_to_poll() {
            // A coroutine has given way to it: nothing of the following is due.
            self.run_guests(task);
            return true;
        }
        self.count_switch();
        self.drain_inbox();
        if self.is_ready() {
            let now = Instant::now();
            if now.duration_since(self.last_poll.get()) >= POLL_INTERVAL {
                self.poll(now);
            }
        }
        if let Some(task) = self.to_start.take() {
            self.start(task);
            return true;
        }
        // In half of the rounds the injection list goes before the worker's own, which may never be empty. By a coin, as the rounds of
        // a busy worker come with a fixed step of the count of switches.
        if !self.shared.scheduler.injected.is_empty()
            && !self.shared.watched.is_retiring()
            && self.flip()
            && let Some(task) = self.take_injected()
        {
            self.chain_wake();
            self.start(task);
            return true;
        }
        match self.pick(false) {
            Some(Next::Continue(context)) => {
                self.resume(context);
                return true;
            }
            Some(Next::Start(task)) => {
                self.start(task);
                return true;
            }
            None => {}
        }
        if !self.shared.watched.is_retiring()
            && let Some(task) = self.take_injected()
        {
            self.chain_wake();
            self.start(task);
            return true;
        }
        false
    }

    /// As `turn`, after a look at timers and reactor whatever the time: for a host that drives the worker.
    pub(crate) fn poll_and_turn(&self) -> bool {
        self.poll(Instant::now());
        self.turn()
    }

    /// Is something ready to run, as far as is known without a system call?
    pub(crate) fn is_ready(&self) -> bool {
        !self.run_queue.is_empty()
            || !self.shared.spawned.is_empty()
            || !self.local.is_empty()
            || !self.shared.inbox.is_empty()
            || !self.shared.guests.is_idle()
            || !self.seat().nudges.is_empty()
            || !self.shared.scheduler.injected.is_empty()
    }

    /// Does no coroutine of this worker live, and no async task of its runtime?
    pub(crate) fn is_unused(&self) -> bool {
        self.shared.live() == 0 && self.shared.scheduler.have_guests_ended()
    }

    /// Ends every coroutine that has not started.
    pub(crate) fn fail_unstarted(&self) {
        while let Some(task) = self
            .pop_fresh()
            .or_else(|| self.shared.scheduler.injected.pop())
        {
            let payload = Box::new("the runtime was dropped before the coroutine could start");
            if task.is_guest() {
                if task.is_migrant() {
                    task.mark_cancelled();
                } else {
                    cancel_task(task, payload);
                }
                self.poll_guest(task);
                continue;
            }
            // SAFETY: the task is unstarted and was taken out of its list.
            unsafe { task.fail(payload) };
        }
    }

    fn drain_inbox(&self) {
        self.shared
            .inbox
            .drain(|context| self.run_queue.push(context));
        self.take_local_guests();
        let nudges = &self.seat().nudges;
        if !nudges.is_empty() {
            for coroutine in nudges.take() {
                self.nudge(coroutine.task());
            }
        }
        if !self.shared.errands.is_empty() {
            self.shared.errands.run(self);
        }
    }

    /// Fires the timers that are due, and takes what the reactor has, without waiting.
    pub(super) fn poll(&self, now: Instant) {
        self.last_poll.set(now);
        // SAFETY: only this thread uses the pools, it runs on none of their stacks here, and the reference ends at once.
        unsafe { (*self.stacks.get()).trim_surplus(now) };
        if migrant::exist() {
            self.shared.scheduler.migrants.trim_surplus(now);
        }
        self.shared.fire_timers(now);
        // An error here would be one of the reactor's own descriptor, which `Reactor::poll` treats as fatal.
        let _ = self.shared.reactor.poll(Some(Duration::ZERO));
    }

    /// Looks once through the injection list and the other workers' lists. Gives the searching token back.
    fn search(&self, holds_token: bool) -> bool {
        let scheduler = &*self.shared.scheduler;
        if !holds_token && !scheduler.sleepers.take_token() {
            return false;
        }
        let found = self.take_injected().or_else(|| self.steal());
        scheduler.sleepers.return_token();
        let Some(task) = found else { return false };
        self.chain_wake();
        self.start(task);
        true
    }

    /// Takes half of what came from outside, as of another worker's list: to go to the common one for each takes longer than to run it.
    fn take_injected(&self) -> Option<TaskRef> {
        let (scheduler, own) = (&*self.shared.scheduler, &self.shared.spawned);
        let before = own.len();
        let first = if scheduler.worker_count() == 1 {
            scheduler.injected.take_all(own)
        } else {
            scheduler.injected.steal_half(own)
        };
        if first.is_some() {
            self.brought
                .set(self.brought.get() + 1 + own.len().saturating_sub(before));
        }
        first
    }

    /// Takes half of the unstarted coroutines of some other worker: one on the same memory node if possible, as the closures lie there;
    /// beginning at a random one, so that thieves spread.
    fn steal(&self) -> Option<TaskRef> {
        let scheduler = &*self.shared.scheduler;
        let count = scheduler.worker_count();
        let start = self.next_random() as usize % count.max(1);
        let me = self.shared.index as usize;
        let from = |near: bool| {
            (0..count)
                .map(|i| (start + i) % count)
                .filter(|&i| i != me && scheduler.placement.is_near(me, i) == near)
                .filter_map(|i| scheduler.worker(i))
                .find_map(|victim| {
                    let stolen = victim.spawned.steal_half(&self.shared.spawned);
                    stolen.or_else(|| victim.guests.next.steal())
                })
        };
        from(true).or_else(|| {
            if scheduler.placement.is_divided() {
                from(false)
            } else {
                None
            }
        })
    }

    pub(super) fn flip(&self) -> bool {
        self.next_random() >> 31 == 0
    }

    /// Marsaglia's xorshift: victims need to be spread, no more.
    fn next_random(&self) -> u32 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random.set(x);
        x
    }

    /// Wakes one more worker if there is more than this one can run now. After a search that looks at all lists, as it includes what
    /// others have left to this worker while it held the token.
    fn chain_wake(&self) {
        let scheduler = &*self.shared.scheduler;
        if !scheduler.injected.is_empty()
            || !self.shared.spawned.is_empty()
            || scheduler.stealable_elsewhere(self.shared.index)
        {
            scheduler.wake_for_work();
        }
    }

    /// Waits in the reactor until there is something to do. Returns whether the worker was woken to search.
    fn sleep(&self) -> bool {
        let scheduler = &*self.shared.scheduler;
        let began = Instant::now();
        // Who brings many at a time asks nothing, and gets them run sooner if they are left to gather.
        if self.brought.take() <= 1 && self.lingers.get() {
            // Who finds something each time comes to no sleep, and may come to no turn that has something ready: timers and reactor must not wait for one.
            if began.duration_since(self.last_poll.get()) >= POLL_INTERVAL {
                self.poll(began);
                if self.is_ready() {
                    return false;
                }
            }
            match self.linger(began) {
                Found::Own => return false,
                Found::Work => return true,
                Found::Nothing => {}
            }
        }
        if self.shared.watched.is_retiring() {
            scheduler.sleepers.doze(&self.shared.bed);
        } else {
            scheduler.sleepers.lie_down(&self.shared.bed);
        }
        self.announce_end_of_guests();
        if !self.something_to_do() {
            if scheduler.clock.is_paused() {
                self.wait_paused();
            } else {
                let deadline = self.shared.next_deadline();
                let deadline =
                    deadline.map(|deadline| deadline.max(self.last_timer.get() + TIMER_SPACING));
                self.wait_in_reactor(deadline);
            }
        }
        let to_search = scheduler.sleepers.get_up(&self.shared.bed);
        scheduler.watch.worker_awake();
        let now = Instant::now();
        let from_outside =
            !self.shared.inbox.is_empty() || (to_search && !scheduler.injected.is_empty());
        self.lingers
            .set(from_outside && now.duration_since(began) < SHORT);
        self.last_poll.set(now);
        if self.shared.fire_timers(now) != 0 {
            self.last_timer.set(now);
        }
        to_search
    }

    /// Waits while the clock is paused: no time passes by itself.
    #[cold]
    fn wait_paused(&self) {
        // What the kernel has already comes before any deadline.
        if matches!(self.shared.reactor.poll(Some(Duration::ZERO)), Ok(0)) {
            let scheduler = &*self.shared.scheduler;
            let sleepers = scheduler
                .workers()
                .map(|worker| Sleeping(scheduler, worker));
            scheduler.clock.step(
                sleepers,
                || scheduler.injected.is_empty(),
                || scheduler.blocking.has_calls(),
            );
            // Whoever the step has woken, this worker included, finds its reactor awake.
            self.wait_in_reactor(None);
        }
    }

    /// Looks out for what another thread brings, for a moment before it sleeps. Others count this worker as awake meanwhile, so that nobody rouses it:
    /// what it does not look out for (events, timers, other workers' lists, the end of the runtime) waits until it has lain down and looks at everything.
    fn linger(&self, began: Instant) -> Found {
        let scheduler = &*self.shared.scheduler;
        let is_of_use = !self.shared.watched.is_retiring();
        let is_there = || self.has_post() || (is_of_use && !scheduler.injected.is_empty());
        // As the one who searches, so that who brings work from outside calls nobody else; but not while others may have the processor.
        let searches = is_of_use && scheduler.sleepers.take_token();
        let mut found = linger::spin(is_there);
        if searches {
            if found && !self.has_post() {
                return Found::Work;
            }
            scheduler.sleepers.return_token();
            // As after any search.
            self.chain_wake();
        }
        found = found || linger::give_way(began, LINGER, is_there);
        if found { Found::Own } else { Found::Nothing }
    }

    /// Leaves the worker to a host that waits for the reactor's descriptor: who wakes the sleeping worker makes it readable.
    pub(crate) fn leave_to_host(&self) {
        self.shared.reactor.rearm();
        self.shared.scheduler.sleepers.lie_down(&self.shared.bed);
        if self.something_to_do() {
            self.shared.reactor.wake();
        }
    }

    /// Takes the worker back from the host, to drive it.
    pub(crate) fn take_from_host(&self) {
        let sleepers = &self.shared.scheduler.sleepers;
        if sleepers.get_up(&self.shared.bed) {
            // A host's worker is the only one, so there is nobody to search at.
            sleepers.return_token();
        }
    }

    /// Waits for events. A worker that has had nothing to do for a while uses the time to give unused stack memory back.
    fn wait_in_reactor(&self, deadline: Option<Instant>) {
        let now = Instant::now();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
        // SAFETY: only this thread uses the pools, and this reference ends before anything else does.
        let stacks = unsafe { &mut *self.stacks.get() };
        let migrants = Some(&self.shared.scheduler.migrants).filter(|_| migrant::exist());
        let need_trim =
            |stacks: &mut Stacks| stacks.need_trim() || migrants.is_some_and(Migrants::need_trim);
        if !need_trim(stacks) || left.is_some_and(|left| left <= TRIM_AFTER) {
            stacks.trim_surplus(now);
            let _ = self.shared.reactor.poll(left);
            return;
        }
        let mut wait = TRIM_AFTER;
        // A step takes a fraction of a millisecond; between any two the worker looks whether there is something better to do.
        while let Ok(0) = self.shared.reactor.poll(Some(wait))
            && self.shared.bed.is_occupied()
            && !self.something_to_do()
            && deadline.is_none_or(|deadline| Instant::now() < deadline)
            && need_trim(stacks)
        {
            stacks.trim();
            migrants.inspect(|migrants| migrants.trim());
            wait = Duration::ZERO;
        }
    }

    /// Has another thread put something in one of the lists that are for this worker alone?
    fn has_post(&self) -> bool {
        !self.shared.inbox.is_empty()
            || !self.shared.guests.is_idle()
            || !self.seat().nudges.is_empty()
            || !self.shared.errands.is_empty()
    }

    /// The second look, after this worker has said that it sleeps.
    fn something_to_do(&self) -> bool {
        let scheduler = &*self.shared.scheduler;
        if self.has_post() || self.may_end() {
            return true;
        }
        if self.shared.bed.is_dozing() {
            // What can be stolen is not for a worker that was sent away; but it may have been called back.
            return !self.shared.watched.is_retiring();
        }
        // While another worker searches, what it leaves is its to pass on.
        !scheduler.injected.is_empty()
            || (!scheduler.sleepers.is_searching()
                && scheduler.stealable_elsewhere(self.shared.index))
    }

    /// Is the runtime shut down, with no async task, and nothing left in the list that all workers share?
    pub(super) fn is_dismissed(&self) -> bool {
        let scheduler = &*self.shared.scheduler;
        scheduler.is_closed() && scheduler.injected.is_empty() && scheduler.have_guests_ended()
    }

    fn may_end(&self) -> bool {
        self.shared.live() == 0
            && (self.shared.watched.is_retiring() || self.is_dismissed())
            && self.shared.spawned.is_empty()
            && self.shared.guests.is_idle()
            && self.local.is_empty()
            // Those of async tasks, which are not counted here.
            && self.shared.has_no_timers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Runtime;

    #[test]
    fn who_looks_out_sees_what_it_is_asked_to_do() {
        if !linger::spin(|| true) {
            // Nobody looks out with one processor.
            return;
        }
        let runtime = Runtime::builder().workers(1).build().unwrap();
        let look_out = |worker: &Worker| {
            // As from another thread: nobody is asleep to be roused.
            worker.shared.scheduler.tell_workers(|_| ());
            matches!(worker.linger(Instant::now()), Found::Own)
        };
        let scheduler = &runtime.handle().scheduler;
        let answers = scheduler.ask_workers(Duration::from_secs(60), look_out, |_| false);
        assert!(matches!(answers[..], [(_, true)]));
    }
}
