//! `corun::sync::OnceLock`: what std's has to offer, from coroutines and from threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::common::everywhere;
use corun::sync::atomic::{AtomicUsize, Ordering};
use corun::sync::{Arc, OnceLock};

#[test]
fn it_is_made_once() {
    everywhere(|place| {
        let shared = Arc::new((OnceLock::new(), AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..30)
            .map(|_| {
                let shared = Arc::clone(&shared);
                place.spawn(move || {
                    shared
                        .0
                        .get_or_init(|| {
                            corun::sleep(Duration::from_millis(1));
                            shared.1.fetch_add(1, Ordering::Relaxed);
                            "value".to_owned()
                        })
                        .clone()
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.join(), "value");
        }
        assert_eq!(shared.1.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn set_get_and_take() {
    everywhere(|_| {
        let mut place = OnceLock::new();
        assert_eq!(place.get(), None);
        assert_eq!(place.get_mut(), None);
        assert_eq!(place.set(1), Ok(()));
        assert_eq!(place.set(2), Err(2));
        assert_eq!(place.get(), Some(&1));
        *place.get_mut().unwrap() = 3;
        assert_eq!(*place.wait(), 3);
        assert_eq!(place.take(), Some(3));
        assert_eq!(place.take(), None);
        assert_eq!(*place.get_or_init(|| 4), 4);
        assert_eq!(place.into_inner(), Some(4));
        assert_eq!(OnceLock::<u8>::new().into_inner(), None);
    });
}

#[test]
fn waiters_get_the_value() {
    everywhere(|place| {
        let cell = Arc::new(OnceLock::new());
        let waiters: Vec<_> = (0..20)
            .map(|_| {
                let cell = Arc::clone(&cell);
                place.spawn(move || *cell.wait())
            })
            .collect();
        corun::yield_now();
        cell.set(92).unwrap();
        for waiter in waiters {
            assert_eq!(waiter.join(), 92);
        }
    });
}

#[test]
fn a_panic_leaves_it_empty() {
    everywhere(|_| {
        let cell: OnceLock<String> = OnceLock::new();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            cell.get_or_init(|| panic!("on purpose"));
        }));
        assert!(caught.is_err());
        assert_eq!(cell.get(), None);
        assert_eq!(cell.get_or_init(|| "value".to_owned()), "value");
    });
}

#[test]
fn a_cancelled_closure_leaves_it_empty() {
    everywhere(|_| {
        let cell = OnceLock::new();
        let cancelled = corun::timeout(Duration::from_millis(1), || {
            *cell.get_or_init(|| {
                corun::park();
                1
            })
        });
        assert!(cancelled.is_err());
        assert_eq!(*cell.get_or_init(|| 2), 2);
    });
}

#[test]
fn to_come_back_from_inside_is_a_panic() {
    everywhere(|_| {
        let cell = OnceLock::new();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            cell.get_or_init(|| *cell.get_or_init(|| 1));
        }));
        assert!(caught.is_err());
    });
}

#[test]
fn values_are_dropped_once() {
    everywhere(|_| {
        struct Counts(Arc<AtomicUsize>);
        impl Drop for Counts {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let drops = Arc::new(AtomicUsize::new(0));
        drop(OnceLock::<Counts>::new());
        let cell = OnceLock::new();
        assert!(cell.set(Counts(Arc::clone(&drops))).is_ok());
        drop(cell);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        let cell = OnceLock::from(Counts(Arc::clone(&drops)));
        drop(cell.into_inner());
        assert_eq!(drops.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn cloned_compared_and_shown() {
    let (empty, full) = (OnceLock::new(), OnceLock::from("value"));
    assert_eq!(empty.clone(), OnceLock::default());
    assert_eq!(full.clone(), full);
    assert_ne!(full, empty);
    let (std_empty, std_full) = (
        std::sync::OnceLock::new(),
        std::sync::OnceLock::from("value"),
    );
    assert_ne!(std_empty, std_full);
    assert_eq!(
        format!("{empty:?} {full:?}"),
        format!("{std_empty:?} {std_full:?}")
    );
}

#[test]
fn bounds_are_those_of_std() {
    fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    shared::<OnceLock<String>>();
    trait NotSync<A> {
        fn check() {}
    }
    struct IfSync;
    impl<T: ?Sized> NotSync<()> for T {}
    impl<T: ?Sized + Sync> NotSync<IfSync> for T {}
    <OnceLock<std::cell::Cell<u8>> as NotSync<_>>::check();
}
