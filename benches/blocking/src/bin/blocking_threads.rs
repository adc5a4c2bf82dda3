//! A thread of the system's for each client.

use corun_bench_blocking::Load;
use std::sync::Arc;

fn main() {
    let load = Arc::new(Load::start());
    let clients: Vec<_> = (0..load.count)
        .map(|_| {
            let load = Arc::clone(&load);
            std::thread::spawn(move || load.run_client())
        })
        .collect();
    for client in clients {
        client.join().expect("no panic");
    }
    Arc::into_inner(load).expect("all are done").report();
}
