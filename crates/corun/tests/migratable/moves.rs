//! They change threads, wherever they wait or give way, and nothing holds them up that keeps a worker busy.

use std::collections::HashSet;
use std::thread::{self, ThreadId};

/// Not inlined, as the thread's handle is a thread local, whose address must not be kept over a suspension.
#[inline(never)]
fn thread_id() -> ThreadId {
    thread::current().id()
}

#[test]
fn runs_to_its_end() {
    let runtime = corun::Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(|| {
        // SAFETY: it uses nothing of its thread.
        let handle = unsafe {
            corun::spawn_migratable(|| {
                for _ in 0..1000 {
                    corun::yield_now();
                }
                7
            })
        };
        assert_eq!(handle.join().unwrap(), 7);
    });
}

#[test]
fn smoke_many() {
    let runtime = corun::Runtime::builder().workers(4).build().unwrap();
    let seen: HashSet<ThreadId> = runtime.block_on(|| {
        let all: Vec<_> = (0..100)
            .map(|_| unsafe {
                corun::spawn_migratable(|| {
                    let mut seen = HashSet::new();
                    for _ in 0..100 {
                        seen.insert(thread_id());
                        corun::yield_now();
                        corun::sleep(std::time::Duration::from_micros(100));
                    }
                    seen
                })
            })
            .collect();
        all.into_iter().flat_map(|h| h.join().unwrap()).collect()
    });
    assert!(seen.len() > 1);
}
