//! Cancellation. One program, since each is linked four times in CI.

mod scopes;
mod threads;
mod waits;

/// Runs a test as a coroutine of runtimes of all sizes for which its rule must hold.
fn on_workers(test: impl Fn() + Send + Sync + Copy) {
    on_each(&test);
}

/// Compiled once, rather than for each test.
fn on_each(test: &(dyn Fn() + Send + Sync)) {
    for count in [1, 2, 8] {
        corun::Runtime::builder()
            .workers(count)
            .build()
            .unwrap()
            .block_on(test);
    }
}
