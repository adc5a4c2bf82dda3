//! The pool of threads: its limits, its queue, its end, and what it tells of itself.

use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use corun::Runtime;
use corun::inspect::BlockingMetrics;
use corun::runtime::Handle;

fn metrics() -> BlockingMetrics {
    Handle::try_current().unwrap().metrics().blocking
}

#[corun::test(workers = [1, 2, 8])]
fn ten_thousand_jobs_at_once_all_run() {
    const JOBS: usize = 10_000;
    let most = AtomicUsize::new(0);
    let running = AtomicUsize::new(0);
    let sum = corun::scope(|scope| {
        let jobs: Vec<_> = (0..JOBS)
            .map(|job| {
                let (most, running) = (&most, &running);
                scope.spawn(move || {
                    corun::blocking(|| {
                        most.fetch_max(
                            1 + running.fetch_add(1, Ordering::SeqCst),
                            Ordering::SeqCst,
                        );
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        job
                    })
                })
            })
            .collect();
        jobs.into_iter()
            .map(|job| job.join().unwrap())
            .sum::<usize>()
    });
    assert_eq!(sum, JOBS * (JOBS - 1) / 2);
    let metrics = metrics();
    assert!(most.into_inner() <= 512 && metrics.threads <= 512);
    assert_eq!((metrics.queued, metrics.begun), (0, JOBS as u64));
}

#[corun::test(workers = [1, 2, 8])]
fn ten_thousand_panics_reach_their_callers() {
    let failed = corun::scope(|scope| {
        let jobs: Vec<_> = (0..10_000_usize)
            .map(|job| {
                scope.spawn(move || {
                    corun::blocking(|| {
                        if job % 2 == 0 {
                            std::panic::resume_unwind(Box::new(job));
                        }
                    })
                })
            })
            .collect();
        let ends = jobs.into_iter().map(|job| job.join());
        ends.filter_map(Result::err)
            .map(|payload| *payload.downcast::<usize>().unwrap())
            .sum::<usize>()
    });
    assert_eq!(failed, (0..10_000).step_by(2).sum());
    assert_eq!(corun::blocking(|| 1), 1);
}

/// Keeps the one thread of a pool busy while `f` runs, which returns what is to happen when the thread is free again.
fn with_busy_thread<After: FnOnce()>(queue: usize, f: impl Fn() -> After + Send + Sync) {
    for workers in [1, 2, 8] {
        let runtime = Runtime::builder()
            .workers(workers)
            .max_blocking_threads(1)
            .max_blocking_queue(queue)
            .build()
            .unwrap();
        runtime.block_on(|| {
            let (release, gate) = mpsc::channel::<()>();
            let gate = Mutex::new(gate);
            corun::scope(|scope| {
                let busy = scope.spawn(|| corun::blocking(|| gate.lock().unwrap().recv()));
                while (metrics().threads, metrics().queued) != (1, 0) || busy.is_finished() {
                    corun::yield_now();
                }
                let after = f();
                release.send(()).unwrap();
                busy.join().unwrap().unwrap();
                after();
            });
        });
    }
}

#[test]
fn a_full_queue_makes_callers_wait_and_refuses_those_who_only_try() {
    with_busy_thread(3, || {
        let ran = AtomicUsize::new(0);
        let (done, is_done) = corun::channel::unbounded();
        for _ in 0..20 {
            let done = done.clone();
            corun::spawn(move || done.send(corun::blocking(|| 1)).unwrap());
        }
        while metrics().queued != 20 {
            corun::yield_now();
        }
        let error = corun::try_blocking(|| ran.fetch_add(1, Ordering::SeqCst)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        assert!(error.to_string().contains("max_blocking_queue"), "{error}");
        assert_eq!(ran.into_inner(), 0);
        assert_eq!(metrics().max_queued, 3);
        move || assert_eq!(is_done.iter().take(20).sum::<i32>(), 20)
    });
}

#[test]
fn a_queue_of_no_length_still_lets_an_idle_thread_be_tried() {
    let runtime = Runtime::builder()
        .workers(1)
        .max_blocking_queue(0)
        .build()
        .unwrap();
    runtime.block_on(|| {
        for round in 0..100 {
            assert_eq!(corun::try_blocking(|| round).unwrap(), round);
        }
    });
}

#[test]
fn who_is_cancelled_before_his_job_has_begun_leaves_the_queue() {
    with_busy_thread(100, || {
        let ran = std::sync::Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..50)
            .map(|caller| {
                let ran = std::sync::Arc::clone(&ran);
                corun::spawn(move || {
                    // The captures outlive the call only if the call leaves the queue properly.
                    let borrowed = vec![caller; 100];
                    corun::blocking(|| ran.fetch_add(borrowed.len(), Ordering::SeqCst))
                })
            })
            .collect();
        while metrics().queued != 50 {
            corun::yield_now();
        }
        for caller in callers.iter().step_by(2) {
            caller.cancel();
        }
        while metrics().queued != 25 {
            corun::yield_now();
        }
        assert!(corun::timeout(Duration::from_millis(2), || corun::blocking(|| ())).is_err());
        assert_eq!(metrics().queued, 25);
        move || {
            let ends: Vec<_> = callers
                .into_iter()
                .map(|caller| caller.join().is_ok())
                .collect();
            let expected: Vec<_> = (0..50).map(|caller| caller % 2 == 1).collect();
            assert_eq!(ends, expected);
            assert_eq!(ran.load(Ordering::SeqCst), 25 * 100);
        }
    });
}

#[corun::test(workers = [1, 2, 8])]
fn cancelling_at_any_moment_neither_loses_nor_doubles_a_job() {
    let (began, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    corun::scope(|scope| {
        for round in 0..2_000_u32 {
            let (began, ended) = (&began, &ended);
            scope.spawn(move || {
                let _ = corun::timeout(Duration::from_micros(u64::from(round % 200)), || {
                    let mut inside = 0;
                    corun::blocking(|| {
                        began.fetch_add(1, Ordering::SeqCst);
                        inside += 1;
                        std::thread::yield_now();
                        ended.fetch_add(1, Ordering::SeqCst);
                    });
                    assert_eq!(inside, 1);
                });
            });
        }
    });
    assert_eq!(began.into_inner(), ended.into_inner());
    assert_eq!(metrics().queued, 0);
}
