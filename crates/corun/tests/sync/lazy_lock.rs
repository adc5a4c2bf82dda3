//! `corun::sync::LazyLock`: what std's has to offer, from coroutines and from threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::common::everywhere;
use corun::sync::atomic::{AtomicUsize, Ordering};
use corun::sync::{Arc, LazyLock, Mutex};

#[test]
fn it_is_made_once_by_whoever_comes_first() {
    everywhere(|place| {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let lazy = Arc::new(LazyLock::new(move || {
            corun::sleep(Duration::from_millis(1));
            counter.fetch_add(1, Ordering::SeqCst) + 92
        }));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let lazy = Arc::clone(&lazy);
                place.spawn(move || **lazy)
            })
            .collect();
        for task in tasks {
            assert_eq!(task.join(), 92);
        }
        assert_eq!(made.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn statics() {
    static LIST: LazyLock<Mutex<Vec<u32>>> = LazyLock::new(|| Mutex::new(vec![1, 2]));
    LIST.lock().unwrap().push(3);
    assert_eq!(*LIST.lock().unwrap(), [1, 2, 3]);
}

#[test]
fn a_panic_is_for_ever() {
    everywhere(|_| {
        let calls = AtomicUsize::new(0);
        let lazy: LazyLock<String, _> = LazyLock::new(|| {
            calls.fetch_add(1, Ordering::SeqCst);
            panic!("on purpose")
        });
        for _ in 0..3 {
            assert!(catch_unwind(AssertUnwindSafe(|| lazy.len())).is_err());
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(LazyLock::get(&lazy).is_none());
    });
}

#[test]
fn to_use_it_in_its_own_closure_is_a_panic() {
    static LAZY: LazyLock<u32> = LazyLock::new(|| *LAZY + 1);
    assert!(catch_unwind(|| *LAZY).is_err());
}

#[test]
fn looked_at_forced_and_changed() {
    everywhere(|_| {
        let mut lazy = LazyLock::new(|| 1);
        assert_eq!(LazyLock::get(&lazy), None);
        assert_eq!(LazyLock::get_mut(&mut lazy), None);
        assert_eq!(*LazyLock::force(&lazy), 1);
        *LazyLock::get_mut(&mut lazy).unwrap() = 2;
        assert_eq!(LazyLock::get(&lazy), Some(&2));
        *LazyLock::force_mut(&mut lazy) += 1;
        assert_eq!(*lazy, 3);
        assert_eq!(*LazyLock::force_mut(&mut LazyLock::new(|| 5)), 5);
    });
}

#[test]
fn closure_and_value_are_dropped_once() {
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let counts = Counts(Arc::clone(&drops));
    let unused: LazyLock<Counts, _> = LazyLock::new(move || counts);
    drop(unused);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    let counts = Counts(Arc::clone(&drops));
    let used: LazyLock<Counts, _> = LazyLock::new(move || counts);
    LazyLock::force(&used);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    drop(used);
    assert_eq!(drops.load(Ordering::SeqCst), 2);
}

#[test]
fn shown_and_shared_as_std_does() {
    fn shared<T: Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    shared::<LazyLock<String>>();
    let lazy: LazyLock<u32> = LazyLock::default();
    assert_eq!(format!("{lazy:?}"), "LazyLock(<uninit>)");
    assert_eq!(*lazy, 0);
    assert_eq!(format!("{lazy:?}"), "LazyLock(0)");
}
