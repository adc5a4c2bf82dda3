//! `corun::sync::Notify`, from coroutines and from threads. For async tasks see `sync/async_tasks.rs`.

use std::collections::VecDeque;
use std::time::Duration;

use crate::common::everywhere;
use corun::sync::atomic::{AtomicUsize, Ordering};
use corun::sync::{Arc, Mutex, Notify};

const SHORT: Duration = Duration::from_millis(2);

#[test]
fn one_notification_is_stored_and_no_more() {
    everywhere(|_| {
        let notify = Notify::new();
        notify.notify_one();
        notify.notify_one();
        notify.wait();
        assert!(corun::timeout(SHORT, || notify.wait()).is_err());
    });
}

#[test]
fn notify_waiters_is_not_stored() {
    everywhere(|_| {
        let notify = Notify::new();
        notify.notify_waiters();
        assert!(corun::timeout(SHORT, || notify.wait()).is_err());
    });
}

#[test]
fn nothing_is_missed_between_a_look_and_the_wait() {
    everywhere(|place| {
        const MESSAGES: usize = 2_000;
        let mail = Arc::new((Mutex::new(VecDeque::new()), Notify::new()));
        let sender = Arc::clone(&mail);
        let sender = place.spawn(move || {
            for n in 0..MESSAGES {
                sender.0.lock().unwrap().push_back(n);
                sender.1.notify_one();
                if n % 5 == 0 {
                    corun::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < MESSAGES {
            let letters = std::mem::take(&mut *mail.0.lock().unwrap());
            if letters.is_empty() {
                mail.1.wait();
            }
            for letter in letters {
                assert_eq!(letter, next);
                next += 1;
            }
        }
        sender.join();
    });
}

#[test]
fn all_who_wait_are_woken() {
    everywhere(|place| {
        const TASKS: usize = 40;
        let shared = Arc::new((Notify::new(), AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let shared = Arc::clone(&shared);
                place.spawn(move || {
                    shared.0.wait();
                    shared.1.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        // Who has not come to its wait yet is woken by a later call.
        while shared.1.load(Ordering::SeqCst) < TASKS {
            shared.0.notify_waiters();
            corun::yield_now();
        }
        for task in tasks {
            task.join();
        }
    });
}

/// Deadlines and notifications at the same time leave nobody behind.
#[test]
fn who_gives_up_does_no_harm() {
    everywhere(|place| {
        for round in 0..20 {
            let notify = Arc::new(Notify::new());
            let other = Arc::clone(&notify);
            let patient = place.spawn(move || other.wait());
            let impatient: Vec<_> = (0..3)
                .map(|n| {
                    let notify = Arc::clone(&notify);
                    let time = Duration::from_micros(round * 5 + n);
                    place.spawn(move || corun::timeout(time, || notify.wait()).is_ok())
                })
                .collect();
            let mut given = 0;
            for impatient in impatient {
                notify.notify_one();
                given += usize::from(impatient.join());
            }
            assert!(given <= 3);
            while !patient.is_finished() {
                notify.notify_one();
                corun::yield_now();
            }
        }
    });
}

#[test]
fn shown_and_shared() {
    fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    shared::<Notify>();
    static STATIC: Notify = Notify::new();
    assert_eq!(
        format!("{STATIC:?} {:?}", Notify::default()),
        "Notify { .. } Notify { .. }"
    );
    assert_eq!(
        format!("{:?}", STATIC.notified()),
        "Notified { done: false, .. }"
    );
}
