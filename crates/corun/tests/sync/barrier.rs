//! `corun::sync::Barrier`: what std's has to offer, from coroutines and from threads.

use std::time::Duration;

use crate::common::everywhere;
use corun::sync::atomic::{AtomicUsize, Ordering};
use corun::sync::{Arc, Barrier};

#[test]
fn all_meet_again_and_again_and_one_leads() {
    everywhere(|place| {
        const TASKS: usize = 20;
        const MEETINGS: usize = 30;
        let barrier = Arc::new(Barrier::new(TASKS));
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (barrier, inside) = (Arc::clone(&barrier), Arc::clone(&inside));
                place.spawn(move || {
                    let mut led = 0;
                    for meeting in 1..=MEETINGS {
                        inside.fetch_add(1, Ordering::SeqCst);
                        led += usize::from(barrier.wait().is_leader());
                        assert!(
                            inside.load(Ordering::SeqCst) >= meeting * TASKS,
                            "nobody is early"
                        );
                    }
                    led
                })
            })
            .collect();
        let led: usize = tasks.into_iter().map(crate::common::Task::join).sum();
        assert_eq!(led, MEETINGS);
    });
}

#[test]
fn nobody_waits_for_nobody() {
    everywhere(|_| {
        assert!(Barrier::new(0).wait().is_leader());
        assert!(Barrier::new(1).wait().is_leader());
    });
}

#[test]
fn who_gives_up_has_not_arrived() {
    everywhere(|place| {
        let barrier = Arc::new(Barrier::new(2));
        assert!(corun::timeout(Duration::from_millis(2), || barrier.wait()).is_err());
        let other = Arc::clone(&barrier);
        let other = place.spawn(move || other.wait().is_leader());
        let leads = barrier.wait().is_leader();
        assert!(leads != other.join());
    });
}

#[test]
fn shown_and_shared_as_std_does() {
    fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    shared::<Barrier>();
    static STATIC: Barrier = Barrier::new(1);
    assert_eq!(format!("{STATIC:?}"), "Barrier { .. }");
    assert_eq!(
        format!("{:?}", STATIC.wait()),
        format!("{:?}", std::sync::Barrier::new(1).wait())
    );
}
