//! `corun::sync::SingleFlight`, from coroutines and from threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::common::everywhere;
use corun::sync::atomic::{AtomicUsize, Ordering};
use corun::sync::{Arc, Notify, SingleFlight};

/// A flight that others can join before it lands.
struct Held {
    flights: SingleFlight<String, usize>,
    calls: AtomicUsize,
    land: Notify,
}

impl Held {
    fn new() -> Arc<Held> {
        Arc::new(Held {
            flights: SingleFlight::new(),
            calls: AtomicUsize::new(0),
            land: Notify::new(),
        })
    }

    fn take_off(&self) -> usize {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if call == 1 {
            self.land.wait();
        }
        call
    }

    fn until_flying(&self) {
        while self.calls.load(Ordering::SeqCst) == 0 {
            corun::yield_now();
        }
    }
}

fn settle() {
    for _ in 0..50 {
        corun::yield_now();
    }
}

#[test]
fn those_who_come_during_a_flight_share_it() {
    everywhere(|place| {
        let held = Held::new();
        let spawn = || {
            let held = Arc::clone(&held);
            place.spawn(move || held.flights.run("key".to_owned(), || held.take_off()))
        };
        let first = spawn();
        held.until_flying();
        let others: Vec<_> = (0..10).map(|_| spawn()).collect();
        settle();
        held.land.notify_one();
        let first = first.join();
        assert_eq!(first.value, 1);
        // Who came too late, as may be on a busy machine, has flown again.
        for other in others {
            let flown = other.join();
            assert!(flown.value == 1 && flown.shared || flown.value > 1);
        }
        let alone = held.flights.run("key".to_owned(), || 100);
        assert!(alone.value == 100 && !alone.shared, "nothing is kept");
    });
}

#[test]
fn keys_do_not_wait_for_each_other() {
    everywhere(|place| {
        let held = Held::new();
        let other = Arc::clone(&held);
        let first = place.spawn(move || other.flights.run("a".to_owned(), || other.take_off()));
        held.until_flying();
        assert_eq!(
            held.flights.run("b".to_owned(), || held.take_off()).value,
            2
        );
        held.land.notify_one();
        assert_eq!(first.join().value, 1);
    });
}

#[test]
fn a_forgotten_flight_goes_on_beside_a_new_one() {
    everywhere(|place| {
        let held = Held::new();
        let other = Arc::clone(&held);
        let first = place.spawn(move || other.flights.run("key".to_owned(), || other.take_off()));
        held.until_flying();
        held.flights.forget("key");
        assert_eq!(
            held.flights.run("key".to_owned(), || held.take_off()).value,
            2
        );
        held.land.notify_one();
        assert_eq!(first.join().value, 1);
    });
}

#[test]
fn a_panic_reaches_all_who_share() {
    everywhere(|place| {
        let held = Held::new();
        let spawn = || {
            let held = Arc::clone(&held);
            place.spawn(move || {
                catch_unwind(AssertUnwindSafe(|| {
                    held.flights.run("key".to_owned(), || {
                        assert!(held.take_off() != 1, "on purpose");
                        2
                    })
                }))
                .map_err(|payload| *payload.downcast::<String>().unwrap_or_default())
            })
        };
        let first = spawn();
        held.until_flying();
        let second = spawn();
        settle();
        held.land.notify_one();
        assert!(first.join().is_err());
        match second.join() {
            // It came too late, and flew for itself.
            Ok(flown) => assert_eq!(flown.value, 2),
            Err(message) => assert_eq!(
                message,
                "the closure of a shared flight panicked: on purpose"
            ),
        }
        assert_eq!(held.flights.run("key".to_owned(), || 3).value, 3);
    });
}

#[test]
fn somebody_else_flies_if_the_pilot_is_cancelled() {
    everywhere(|place| {
        let held = Held::new();
        let other = Arc::clone(&held);
        let first = place.spawn(move || {
            corun::timeout(Duration::from_millis(5), || {
                other.flights.run("key".to_owned(), || other.take_off())
            })
            .is_err()
        });
        held.until_flying();
        assert_eq!(
            held.flights.run("key".to_owned(), || held.take_off()).value,
            2
        );
        assert!(first.join());
    });
}

#[test]
fn to_ask_for_ones_own_flight_is_a_panic() {
    everywhere(|_| {
        let flights = SingleFlight::new();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            flights.run(1, || flights.run(1, || 1).value)
        }));
        assert!(caught.is_err());
        assert_eq!(flights.run(1, || 2).value, 2);
    });
}

#[test]
fn shared() {
    fn shared<T: Send + Sync>() {}
    shared::<SingleFlight<String, std::cell::Cell<u8>>>();
    assert_eq!(
        format!("{:?}", SingleFlight::<u8, u8>::default()),
        "SingleFlight { .. }"
    );
}
