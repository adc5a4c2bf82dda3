//! Random programs of a few coroutines and channels, and an oracle that says whether what happened could have happened.
//!
//! A program runs until all its coroutines have ended or wait for each other. The oracle then looks for an order of the operations in which a
//! simple sequential model of channels gives the very results that were observed. So no message may be lost, invented, doubled or reordered, no
//! capacity exceeded, no operation fail falsely; and coroutines may wait for ever only if in the model they would as well.
//!
//! A failure names its seed: `CORUN_ORACLE_SEED=n` runs that program alone; `CORUN_ORACLE_PROGRAMS=n` runs more of them than usual.

use crate::oracle::{check, program::Program, run::run};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn programs(workers: u64) {
    let only = number("CORUN_ORACLE_SEED");
    let count =
        number("CORUN_ORACLE_PROGRAMS").unwrap_or(if cfg!(debug_assertions) { 500 } else { 5_000 });
    let mut waited_for_ever = 0;
    for seed in 0..count {
        let seed = only.unwrap_or(workers * 1_000_000_000 + seed);
        let program = Program::random(seed);
        let history = run(&program, |history| {
            check::explain(&program, history).is_ok()
        });
        waited_for_ever += usize::from(history.stuck());
        if let Err(why) = check::explain(&program, &history) {
            panic!("seed {seed}: {why}\n{program:#?}\n{history:#?}");
        }
    }
    // The generator must reach both ends.
    if count > 100 && only.is_none() {
        assert!(waited_for_ever > 0 && (waited_for_ever as u64) < count);
    }
}

#[corun::test(workers = 1)]
fn random_programs_on_one_worker() {
    programs(1);
}

#[corun::test(workers = 2)]
fn random_programs_on_two_workers() {
    programs(2);
}

#[corun::test(workers = 4)]
fn random_programs_on_four_workers() {
    programs(4);
}

#[test]
fn the_oracle_finds_seeded_mistakes() {
    check::finds_seeded_mistakes();
}
