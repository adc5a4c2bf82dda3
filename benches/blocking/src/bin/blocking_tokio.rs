//! A task of tokio's for each client, which asks by `spawn_blocking`. With the further argument `all` the pool may have a thread for each
//! client, otherwise as many as tokio gives it, 512.

use corun_bench_blocking::Load;
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let load = Arc::new(Load::start());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all();
    if std::env::args().any(|word| word == "all") {
        runtime.max_blocking_threads(load.count);
    }
    let runtime = runtime.build().expect("a runtime");
    let clients: Vec<_> = (0..load.count)
        .map(|_| {
            let load = Arc::clone(&load);
            runtime.spawn(async move {
                let mut client = load.client();
                for _ in 0..load.rounds {
                    let since = Instant::now();
                    let asking = tokio::task::spawn_blocking(move || {
                        client.ask();
                        client
                    });
                    client = asking.await.expect("no panic");
                    load.answered(since);
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for client in clients {
            client.await.expect("no panic");
        }
    });
    Arc::into_inner(load).expect("all are done").report();
}
