//! A coroutine may join one of another runtime, started or not.

use std::sync::mpsc;
use std::time::Duration;

use corun::Runtime;

fn runtime() -> Runtime {
    Runtime::builder().workers(1).build().unwrap()
}

/// The child stands unstarted in the list of the other runtime's only worker, which is busy; the list of the joiner's own worker
/// has the same place in its runtime. To mistake one for the other would break both lists.
#[test]
fn an_unstarted_child_of_another_runtime_is_left_where_it_stands() {
    let (one, other) = (runtime(), runtime());
    let (handles, received) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let parent = other.spawn(move || {
        let children: Vec<_> = (0..10).map(|n| corun::spawn(move || n)).collect();
        children
            .into_iter()
            .for_each(|child| handles.send(child).unwrap());
        // Keeps the worker, so that no child starts yet.
        released.recv().unwrap();
    });
    let joiner = one.spawn(move || {
        let siblings: Vec<_> = (0..10).map(|n| corun::spawn(move || n)).collect();
        let strangers: Vec<_> = (0..10).map(|_| received.recv().unwrap()).collect();
        let mut sum = 0;
        // From the middle, where an entry has two neighbours.
        let mut strangers = strangers.into_iter().skip(4);
        let first = strangers.next().unwrap();
        let helper = std::thread::spawn(move || release.send(()).unwrap());
        sum += first.join().unwrap();
        helper.join().unwrap();
        sum += strangers.map(|child| child.join().unwrap()).sum::<i32>();
        sum + siblings
            .into_iter()
            .map(|child| child.join().unwrap())
            .sum::<i32>()
    });
    assert_eq!(joiner.join().unwrap(), 39 + 45);
    parent.join().unwrap();
    for runtime in [one, other] {
        runtime.shutdown(Duration::from_secs(20)).unwrap();
    }
}

/// The other runtime's one worker sleeps, and its spawner is a worker as well, but of this runtime.
#[test]
fn a_spawn_by_another_runtimes_coroutine_wakes_a_lone_worker() {
    let (one, other) = (runtime(), runtime());
    let other_handle = other.handle().clone();
    let sum = one.block_on(move || {
        (0..5)
            .map(|n| {
                // Time for the other worker to go to sleep for good. Whether it has done so decides nothing but what is tested.
                corun::sleep(Duration::from_millis(30));
                other_handle.block_on(move || n)
            })
            .sum::<u64>()
    });
    assert_eq!(sum, 10);
    for runtime in [one, other] {
        runtime.shutdown(Duration::from_secs(20)).unwrap();
    }
}
