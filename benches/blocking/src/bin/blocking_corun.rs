//! A coroutine for each client, on two workers, with corun-hook.

use corun_bench_blocking::Load;
use std::sync::Arc;

fn main() {
    // SAFETY: no client holds a lock, nor anything of its thread's, while it waits.
    unsafe { corun_hook::install() };
    let load = Arc::new(Load::start());
    let runtime = corun::Runtime::builder().workers(2).build();
    let runtime = runtime.expect("a runtime");
    let clients: Vec<_> = (0..load.count)
        .map(|_| {
            let load = Arc::clone(&load);
            runtime.spawn(move || load.run_client())
        })
        .collect();
    for client in clients {
        client.join().expect("no panic");
    }
    drop(runtime);
    Arc::into_inner(load).expect("all are done").report();
}
