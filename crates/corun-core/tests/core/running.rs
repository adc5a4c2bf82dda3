//! Spawning, giving way, running.

use std::cell::Cell;
use std::rc::Rc;

use crate::support::{Drops, Log, executor, ms, spawn};

#[test]
fn coroutines_alternate_in_the_order_in_which_they_were_spawned() {
    let (executor, log) = (executor(), Log::default());
    for name in ["a", "b", "c"] {
        let (own, log) = (executor.clone(), log.clone());
        spawn(&executor, move || {
            for turn in 1..=2 {
                log.add(format!("{name}{turn}"));
                own.yield_now();
            }
        });
    }
    executor.run().unwrap();
    log.assert(&["a1", "b1", "c1", "a2", "b2", "c2"]);
}

#[test]
fn one_that_is_spawned_by_another_runs_in_the_next_round() {
    let (executor, log) = (executor(), Log::default());
    let (own, inner) = (executor.clone(), log.clone());
    let outer = spawn(&executor, move || {
        let nested = inner.clone();
        let child = spawn(&own, move || nested.add("child"));
        inner.add("parent");
        child.join();
        inner.add("joined");
    });
    assert!(executor.turn(), "the child is ready");
    log.assert(&["parent"]);
    executor.run().unwrap();
    outer.join();
    log.assert(&["parent", "child", "joined"]);
}

#[test]
fn each_has_its_number_and_knows_it() {
    let executor = executor();
    assert_eq!(executor.current_id(), None);
    for expected in 1..=3 {
        let own = executor.clone();
        let handle = spawn(&executor, move || own.current_id());
        executor.run().unwrap();
        assert_eq!(handle.id().get(), expected);
        assert_eq!(Some(handle.id()), handle.join());
    }
    assert_eq!(executor.current_id(), None);
}

#[test]
fn a_loop_of_yields_starves_neither_timers_nor_newcomers() {
    let machine = crate::support::Still::default();
    let executor = corun_core::Executor::new(machine.clone());
    let done = Rc::new(Cell::new(0));
    let (own, finished) = (executor.clone(), done.clone());
    spawn(&executor, move || {
        own.sleep(ms(5));
        finished.set(finished.get() + 1);
    });
    let (own, finished) = (executor.clone(), done.clone());
    let busy = spawn(&executor, move || {
        let mut rounds = 0;
        let newcomer = finished.clone();
        spawn(&own, move || newcomer.set(newcomer.get() + 1));
        while finished.get() < 2 {
            machine.advance(ms(1));
            own.yield_now();
            rounds += 1;
        }
        rounds
    });
    executor.run().unwrap();
    let rounds = busy.join();
    assert!(
        rounds <= 8,
        "a wait of 5 ms ended after {rounds} rounds of 1 ms"
    );
}

#[test]
fn a_host_may_run_it_round_by_round() {
    let executor = executor();
    let own = executor.clone();
    let handle = spawn(&executor, move || {
        own.yield_now();
        own.sleep(ms(10));
    });
    assert!(executor.turn());
    assert!(!executor.turn(), "it sleeps");
    assert_eq!(executor.next_deadline(), Some(ms(10)));
    assert_eq!(executor.unfinished(), 1);
    executor.run_until_idle();
    assert!(!handle.is_finished());
    executor.run().unwrap();
    assert!(handle.is_finished());
    assert_eq!((executor.unfinished(), executor.next_deadline()), (0, None));
}

#[test]
fn a_hundred_thousand_turns_of_a_thousand_coroutines() {
    let executor = executor();
    let turns = Rc::new(Cell::new(0));
    for _ in 0..1_000 {
        let (own, turns) = (executor.clone(), turns.clone());
        // SAFETY: it does next to nothing.
        let stack = unsafe { corun_core::HeapStack::new(16 * 1024) }.unwrap();
        executor.spawn(stack, move || {
            for _ in 0..100 {
                turns.set(turns.get() + 1);
                own.yield_now();
            }
        });
    }
    executor.run().unwrap();
    assert_eq!(turns.get(), 100_000);
}

#[test]
fn what_has_not_started_is_dropped_with_the_executor_and_what_has_is_leaked() {
    let drops = Drops::default();
    let executor = executor();
    let probe = drops.probe();
    let handle = spawn(&executor, move || drop(probe));
    drop((handle, executor));
    assert_eq!(drops.count(), 1);

    let executor = crate::support::executor();
    let (probe, own) = (drops.probe(), executor.clone());
    spawn(&executor, move || {
        own.yield_now();
        drop((probe, own));
    });
    executor.turn();
    drop(executor);
    assert_eq!(drops.count(), 1, "nothing can unwind it");
}

#[test]
fn what_a_coroutine_owns_is_dropped_at_its_end() {
    let (executor, drops) = (executor(), Drops::default());
    let (captured, returned) = (drops.probe(), drops.probe());
    let handle = spawn(&executor, move || {
        let _captured = captured;
        returned
    });
    executor.run().unwrap();
    assert_eq!(drops.count(), 1);
    drop(handle);
    assert_eq!(drops.count(), 2);
}
