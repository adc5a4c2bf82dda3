//! `JoinHandle` and `spawn`, with std's semantics.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

#[corun::test(workers = [1, 2, 8])]
fn join_gives_the_result() {
    assert_eq!(
        corun::spawn(|| String::from("done")).join().unwrap(),
        "done"
    );
    assert_eq!(corun::spawn(|| ()).join().unwrap(), ());
    // Large, over-aligned and zero-sized results.
    #[repr(align(256))]
    struct Large([u64; 1000]);
    let large = corun::spawn(|| Large([7; 1000])).join().unwrap();
    assert!(large.0.iter().all(|&n| n == 7) && (&raw const large).addr().is_multiple_of(256));
    let captured = Large([8; 1000]);
    assert_eq!(
        corun::spawn(move || captured.0.iter().sum::<u64>())
            .join()
            .unwrap(),
        8000
    );
}

#[corun::test(workers = [1, 2, 8])]
fn join_gives_the_payload_of_a_panic() {
    let payload =
        |handle: corun::JoinHandle<()>| -> Box<dyn Any + Send> { handle.join().unwrap_err() };
    assert_eq!(
        payload(corun::spawn(|| panic!("static"))).downcast_ref(),
        Some(&"static")
    );
    let formatted = payload(corun::spawn(|| {
        panic!("number {}", std::hint::black_box(5))
    }));
    assert_eq!(formatted.downcast_ref::<String>().unwrap(), "number 5");
    assert_eq!(
        payload(corun::spawn(|| std::panic::panic_any(9_u32))).downcast_ref(),
        Some(&9_u32)
    );
}

#[corun::test(workers = [1, 2, 8])]
fn join_after_the_end_returns_at_once() {
    let handle = corun::spawn(|| 5);
    while !handle.is_finished() {
        corun::yield_now();
    }
    assert_eq!(handle.join().unwrap(), 5);
}

#[corun::test(workers = [1, 2, 8])]
fn a_dropped_handle_detaches() {
    let (sender, receiver) = mpsc::channel();
    let me = corun::current();
    drop(corun::spawn(move || {
        corun::yield_now();
        sender.send(6).unwrap();
        me.unpark();
    }));
    let value = loop {
        match receiver.try_recv() {
            Ok(value) => break value,
            Err(_) => corun::park(),
        }
    };
    assert_eq!(value, 6);
}

struct CountDrops(Arc<AtomicUsize>);

impl Drop for CountDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[corun::test(workers = [1, 2, 8])]
fn results_and_closures_are_dropped_exactly_once() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (captured, returned) = (CountDrops(drops.clone()), drops.clone());
    let handle = corun::spawn(move || {
        drop(captured);
        CountDrops(returned)
    });
    let result = handle.join().unwrap();
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    drop(result);
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    // Nobody joins, before or after the end.
    let returned = drops.clone();
    let handle = corun::spawn(move || CountDrops(returned));
    while !handle.is_finished() {
        corun::yield_now();
    }
    drop(handle);
    assert_eq!(drops.load(Ordering::SeqCst), 3);
    let returned = drops.clone();
    drop(corun::spawn(move || CountDrops(returned)));
    while drops.load(Ordering::SeqCst) != 4 {
        corun::yield_now();
    }
}

#[corun::test(workers = [1, 2, 8])]
fn what_the_coroutine_did_is_seen_after_join() {
    for _ in 0..200 {
        let flag = Arc::new(AtomicBool::new(false));
        let written = flag.clone();
        corun::spawn(move || written.store(true, Ordering::Relaxed))
            .join()
            .unwrap();
        assert!(flag.load(Ordering::Relaxed));
        assert_eq!(Arc::strong_count(&flag), 1, "the captures are gone as well");
    }
}

#[corun::test(workers = [1, 2, 8])]
fn chains_and_trees_of_spawns() {
    fn chain(length: u32) -> u32 {
        if length == 0 {
            0
        } else {
            1 + corun::spawn(move || chain(length - 1)).join().unwrap()
        }
    }
    assert_eq!(chain(500), 500);
    fn tree(depth: u32) -> u32 {
        if depth == 0 {
            return 1;
        }
        let children: Vec<_> = (0..4)
            .map(|_| corun::spawn(move || tree(depth - 1)))
            .collect();
        children
            .into_iter()
            .map(|child| child.join().unwrap())
            .sum()
    }
    assert_eq!(tree(5), 1024);
}

#[test]
fn join_from_a_plain_thread_and_of_a_coroutine_of_another_runtime() {
    let handle = corun::spawn(|| 1);
    assert_eq!(handle.join().unwrap(), 1);
    let (a, b) = (
        corun::Runtime::builder().workers(1).build().unwrap(),
        corun::Runtime::builder().workers(2).build().unwrap(),
    );
    let far = b.spawn(|| {
        corun::yield_now();
        2
    });
    assert_eq!(a.block_on(move || far.join().unwrap() + 1), 3);
    // Handles go between threads of all kinds.
    let far = a.spawn(|| 4);
    assert_eq!(
        std::thread::spawn(move || far.join().unwrap())
            .join()
            .unwrap(),
        4
    );
}

#[test]
fn a_panic_of_one_leaves_the_others_alone() {
    let runtime = corun::Runtime::builder().workers(2).build().unwrap();
    let steady = runtime.spawn(|| {
        for _ in 0..100 {
            corun::yield_now();
        }
        "well"
    });
    let panicking: Vec<_> = (0..50)
        .map(|i| runtime.spawn(move || std::panic::resume_unwind(Box::new(i))))
        .collect();
    for (i, handle) in panicking.into_iter().enumerate() {
        let handle: corun::JoinHandle<()> = handle;
        assert_eq!(handle.join().unwrap_err().downcast_ref(), Some(&(i as i32)));
    }
    assert_eq!(steady.join().unwrap(), "well");
}

#[corun::test(workers = [1, 2, 8])]
fn a_panic_caught_inside_is_none_outside() {
    let handle = corun::spawn(|| {
        let caught = std::panic::catch_unwind(|| {
            corun::yield_now();
            std::panic::resume_unwind(Box::new(3_u8));
        });
        corun::yield_now();
        *caught.unwrap_err().downcast::<u8>().unwrap()
    });
    assert_eq!(handle.join().unwrap(), 3);
}

#[corun::test(workers = [1, 2, 8])]
fn destructors_may_suspend_while_a_coroutine_unwinds() {
    struct Joins(Arc<AtomicUsize>);
    impl Drop for Joins {
        fn drop(&mut self) {
            let drops = self.0.clone();
            corun::spawn(move || drops.fetch_add(1, Ordering::SeqCst))
                .join()
                .unwrap();
            corun::yield_now();
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..20)
        .map(|_| {
            let joins = Joins(drops.clone());
            corun::spawn(move || {
                let _joins = joins;
                std::panic::resume_unwind(Box::new(()));
            })
        })
        .collect();
    for handle in handles {
        let handle: corun::JoinHandle<()> = handle;
        assert!(handle.join().is_err());
    }
    assert_eq!(drops.load(Ordering::SeqCst), 20);
    assert!(!std::thread::panicking());
}

#[test]
fn the_handle_is_send_and_sync_as_stds() {
    fn is<T: Send + Sync>() {}
    is::<corun::JoinHandle<u32>>();
    // std's is so for any result, as only the owner of the handle gets it.
    is::<corun::JoinHandle<std::cell::Cell<u32>>>();
    is::<corun::Coroutine>();
    is::<corun::CoroutineId>();
}

#[test]
fn handles_may_be_used_in_catch_unwind() {
    fn is<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    is::<corun::Coroutine>();
    is::<corun::runtime::Handle>();
    is::<corun::Runtime>();
    is::<corun::LocalKey<std::cell::Cell<u32>>>();
}
