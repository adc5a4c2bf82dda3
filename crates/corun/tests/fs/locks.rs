//! Locks of files.

use std::fs::TryLockError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corun::fs::File;

use crate::common::everywhere;
use crate::scratch::Scratch;

#[test]
fn a_lock_keeps_others_out_and_more_wait_than_there_are_threads() {
    let body = |place: crate::common::Place| {
        let scratch = Scratch::new();
        let path = scratch.join("file");
        std::fs::write(&path, "").unwrap();
        let inside = Arc::new(AtomicUsize::new(0));
        let holders: Vec<_> = (0..20)
            .map(|_| {
                let (path, inside) = (path.clone(), Arc::clone(&inside));
                place.spawn(move || {
                    let file = File::open(&path).unwrap();
                    file.lock().unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    // What needs the pool, while others wait for the lock.
                    corun::fs::write(&path, "held").unwrap();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    file.unlock().unwrap();
                })
            })
            .collect();
        holders.into_iter().for_each(|holder| holder.join());
    };
    everywhere(body);
    let runtime = corun::Runtime::builder()
        .workers(2)
        .max_blocking_threads(2)
        .build()
        .unwrap();
    runtime.block_on(|| body(crate::common::Place::Coroutine));
}

#[test]
fn shared_and_exclusive() {
    everywhere(|_| {
        let scratch = Scratch::new();
        let path = scratch.join("file");
        std::fs::write(&path, "").unwrap();
        let [one, two] = [0; 2].map(|_| File::open(&path).unwrap());
        one.lock_shared().unwrap();
        two.try_lock_shared().unwrap();
        two.unlock().unwrap();
        assert!(matches!(two.try_lock(), Err(TryLockError::WouldBlock)));
        one.unlock().unwrap();
        two.try_lock().unwrap();
        assert!(matches!(
            one.try_lock_shared(),
            Err(TryLockError::WouldBlock)
        ));
    });
}

#[corun::test(workers = [1, 2, 8])]
fn the_wait_for_a_lock_can_be_cancelled() {
    let scratch = Scratch::new();
    let path = scratch.join("file");
    std::fs::write(&path, "").unwrap();
    let [held, wanted] = [0; 2].map(|_| File::open(&path).unwrap());
    held.lock().unwrap();
    assert!(corun::timeout(Duration::from_millis(5), || wanted.lock()).is_err());
    held.unlock().unwrap();
    wanted.try_lock().unwrap();
}
