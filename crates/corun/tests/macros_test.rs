//! `#[corun::test]`: the body is a coroutine of a runtime with the wanted number of workers, and everything else is as with `#[test]`.

use std::cell::Cell;
use std::error::Error;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use corun::runtime::Handle;

/// What the runtime of this test should have, given that `CORUN_WORKERS` overrides everything.
fn expected(workers: usize) -> usize {
    std::env::var("CORUN_WORKERS").map_or(workers, |text| text.parse().unwrap())
}

#[corun::test(workers = 3)]
fn it_has_the_workers_that_were_asked_for() {
    assert_eq!(Handle::try_current().unwrap().workers(), expected(3));
}

#[corun::test]
fn it_runs_in_a_coroutine_of_its_name() {
    assert_eq!(
        corun::current().name(),
        Some("it_runs_in_a_coroutine_of_its_name")
    );
    assert_eq!(corun::spawn_local(|| 5).join().unwrap(), 5);
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[corun::test(workers = [1, 2, 8])]
fn one_test_for_each_number() {
    let name = format!(
        "one_test_for_each_number_workers_{}",
        Handle::try_current().unwrap().workers()
    );
    if std::env::var_os("CORUN_WORKERS").is_none() {
        assert_eq!(corun::current().name(), Some(&*name));
    }
    RUNS.fetch_add(1, Ordering::Relaxed);
}

#[corun::test]
fn a_result_need_not_be_send() -> Result<(), Box<dyn Error>> {
    let count = Rc::new(Cell::new("5".parse::<u32>()?));
    corun::yield_now();
    count.set(count.get() + 1);
    assert_eq!(count.get(), 6);
    Ok(())
}

#[corun::test(workers = 1)]
fn an_exit_code_is_fine() -> ExitCode {
    ExitCode::SUCCESS
}

#[corun::test(workers = [1, 2])]
#[should_panic(expected = "as it should")]
fn it_may_be_meant_to_panic() {
    corun::yield_now();
    panic!("as it should");
}

#[corun::test(stack_size = 4 * 1024 * 1024)]
fn the_stack_is_as_large_as_asked_for() {
    fn deep(level: usize) -> usize {
        let block = std::hint::black_box([level as u8; 4096]);
        if level == 0 {
            0
        } else {
            1 + deep(level - 1) + usize::from(block[level % 4096] != level as u8)
        }
    }
    assert_eq!(deep(500), 500);
}

mod renamed {
    use corun as other_name;

    #[other_name::test(crate = "other_name", workers = 1)]
    fn the_crate_may_go_by_another_name() {
        other_name::yield_now();
    }
}
