//! What the tests of the blocking world share: crowds that run on OS threads or as coroutines, and the servers that they ask.
//!
//! The software under test is unmodified and knows nothing of corun: it blocks, as far as it knows. Each test runs the same closure 1,000
//! times (or as often as a server has connections), first on as many OS threads and then in as many coroutines on 2 workers, expects the
//! same results of both, and that the coroutines waited together.
//!
//! Servers come from Debian's packages, and are started by `real-world`. A program that is not installed makes its tests say so and pass, unless
//! `CORUN_REQUIRE_REAL` is set.

mod crowd;
mod slow;

pub use crowd::{Crowd, Took, WORKERS, alone, as_thread, both, both_of, coroutines, threads};
pub use slow::{DELAY, SlowServer, body_for};
