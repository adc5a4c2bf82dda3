//! Async software that knows nothing of corun: hyper on corun, reqwest and tokio-postgres by the bridge to tokio, and coroutines in a tokio
//! program.

mod hyper_on_corun;
mod reqwest_by_the_bridge;
mod tokio_postgres_by_the_bridge;
mod tokio_program;

use real_world::raise_descriptor_limit;

/// A runtime with so many workers.
fn runtime(workers: usize) -> corun::Runtime {
    let runtime = corun::Runtime::builder().workers(workers).build();
    runtime.expect("a runtime")
}
