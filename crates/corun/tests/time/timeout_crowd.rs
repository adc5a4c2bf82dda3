//! 100,000 timeouts at once, half of which are over, on one, two and eight workers: each coroutine gets its own result, and nothing is left.

use std::time::Duration;

#[test]
fn a_hundred_thousand() {
    // Under a slow emulator all may wait at once, and without light guards 32,000 stacks are all there can be.
    let is_emulated =
        std::env::var_os("CORUN_TEST_RUNNER").is_some_and(|runner| !runner.is_empty());
    let coroutines: u64 = if is_emulated { 20_000 } else { 100_000 };
    for workers in [1, 2, 8] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        let over = runtime.block_on(|| {
            let handles: Vec<_> = (0..coroutines)
                .map(|n| {
                    corun::spawn(move || {
                        let time = Duration::from_micros(n % 5_000);
                        if n % 2 == 0 {
                            corun::timeout(time, corun::park).is_err()
                        } else {
                            corun::timeout(Duration::from_secs(3600), || corun::sleep(time))
                                .is_err()
                        }
                    })
                })
                .collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap())
                .filter(|over| *over)
                .count()
        });
        assert_eq!(over as u64, coroutines / 2);
        runtime.shutdown(Duration::from_secs(60)).unwrap();
    }
}
