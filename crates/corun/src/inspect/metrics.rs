//! Counts of a runtime: [`Metrics`].

use crate::blocking::BlockingMetrics;
use crate::runtime::{Handle, Runtime};

/// Counts of one runtime, taken one after the other while it runs: they need not fit each other to the last one.
///
/// Each is counted anyway. To take them locks the timers and the descriptors of each worker for a moment.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// let runtime = corun::Runtime::builder().workers(2).build()?;
/// let sleeper = runtime.spawn(|| corun::sleep(Duration::from_millis(1)));
/// println!("{:?}", runtime.metrics());
/// sleeper.join().unwrap();
/// assert_eq!(runtime.metrics().workers, 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Worker threads, with the spare ones that stand in for stalled ones.
    pub workers: usize,
    /// Coroutines that have begun and have not ended: each has a stack. Async tasks that are bound to a worker count here, too.
    pub coroutines: usize,
    /// Coroutines that have not begun, and async tasks that are ready: whatever stands in a line and may run on any worker. (What was spawned by
    /// [`spawn_local`](crate::spawn_local) does not count before it has begun.)
    pub queued: usize,
    /// Async tasks that have not ended, ready or not, and are bound to no worker.
    pub tasks: usize,
    /// How often a worker has chosen whom to run next, since the beginning.
    pub switches: u64,
    /// Waits with a deadline that are under way, those of async tasks included.
    pub timers: usize,
    /// Descriptors that are watched: each since somebody first had to wait for it.
    pub descriptors: usize,
    /// The threads that run what blocks, and who waits for them.
    pub blocking: BlockingMetrics,
}

impl Handle {
    /// Counts of the runtime, at about this moment.
    pub fn metrics(&self) -> Metrics {
        self.scheduler.metrics()
    }
}

impl Runtime {
    /// As [`Handle::metrics`].
    pub fn metrics(&self) -> Metrics {
        self.handle().metrics()
    }
}
