//! A coroutine that has started stays on its OS thread, however many workers there are and whoever wakes it.

use std::rc::Rc;
use std::time::Duration;

#[corun::test(workers = 4)]
fn a_started_coroutine_stays_on_its_thread() {
    let wanderers: Vec<_> = (0..200)
        .map(|number| {
            corun::spawn(move || {
                let home = std::thread::current().id();
                // Not `Send`, and its count is not atomic: both are sound only because of what this test shows.
                let counted = Rc::new(number);
                for round in 0..20 {
                    let held = Rc::clone(&counted);
                    match round % 4 {
                        0 => corun::yield_now(),
                        1 => corun::sleep(Duration::from_micros(100)),
                        // Woken from another worker, or from a thread that is no worker at all.
                        2 => corun::spawn(|| ()).join().expect("no panic"),
                        _ => corun::blocking(|| ()),
                    }
                    assert_eq!(std::thread::current().id(), home);
                    drop(held);
                }
                assert_eq!(Rc::strong_count(&counted), 1);
            })
        })
        .collect();
    for wanderer in wanderers {
        wanderer.join().expect("no panic");
    }
}
