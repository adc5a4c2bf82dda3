//! A coroutine of the runtime may wait while it stands on the stack of a generator, and goes on there.

use std::time::Duration;

use corun::Runtime;
use corun_context::Generator;

/// Yields the numbers up to `end`, and gives way to others of the thread before each.
fn slow(end: u64) -> Generator<u64> {
    Generator::new(move |to| {
        for n in 0..end {
            match n % 3 {
                0 => corun::yield_now(),
                1 => corun::sleep(Duration::from_micros(50)),
                _ => corun::spawn(|| ()).join().unwrap(),
            }
            to.suspend(n);
        }
    })
}

#[test]
fn they_wait_inside() {
    for workers in [1, 2] {
        let runtime = Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(|| {
            let sums: Vec<_> = (0..50)
                .map(|_| corun::spawn(|| slow(20).zip(slow(10)).map(|(a, b)| a + b).sum::<u64>()))
                .collect();
            for sum in sums {
                assert_eq!(sum.join().unwrap(), 2 * 45);
            }
        });
        runtime.shutdown(Duration::from_secs(20)).unwrap();
    }
}

#[test]
fn a_panic_inside_reaches_join() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let payload = runtime.block_on(|| {
        let failing = corun::spawn(|| {
            let mut bad = Generator::<()>::new(|_| {
                corun::yield_now();
                panic!("in the generator");
            });
            bad.next();
        });
        failing.join().unwrap_err()
    });
    assert_eq!(payload.downcast_ref(), Some(&"in the generator"));
    runtime.shutdown(Duration::from_secs(20)).unwrap();
}
