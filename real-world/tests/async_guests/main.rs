//! Async software that knows nothing of corun: hyper on corun, reqwest by the bridge to tokio, and coroutines in a tokio program.

mod hyper_on_corun;
mod reqwest_by_the_bridge;
mod tokio_program;

/// Raises the limit on descriptors as far as the system allows: 1,000 connections have 2,000 ends in this process.
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls are given a valid structure.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    assert!(limit.rlim_cur >= 4096, "too few descriptors may be open");
}

/// A runtime with so many workers.
fn runtime(workers: usize) -> corun::Runtime {
    let runtime = corun::Runtime::builder().workers(workers).build();
    runtime.expect("a runtime")
}
