//! A pool of workers that share one queue, and a limit on the rate at which they start: say, what a service allows its clients.
//!
//! ```text
//! cargo run --release --example worker_pool
//! ```

use std::time::{Duration, Instant};

use corun::channel::{bounded, unbounded};
use corun::sync::RateLimiter;

const JOBS: u64 = 20;
const WORKERS: usize = 4;

/// What became of a job.
struct Report {
    job: u64,
    worker: usize,
    began: Duration,
    ended: Duration,
}

/// Takes its time, each job another one.
fn work(job: u64) {
    corun::sleep(Duration::from_millis(40 + job * 37 % 90));
}

#[corun::main]
fn main() {
    let start = Instant::now();
    // One every 20 ms; after a pause up to three at once.
    let limiter = RateLimiter::new(50, Duration::from_secs(1)).burst(3);
    let (queue, jobs) = bounded(0);
    let (done, reports) = unbounded();

    let mut reports: Vec<Report> = corun::scope(|scope| {
        for worker in 1..=WORKERS {
            let (jobs, done, limiter) = (jobs.clone(), done.clone(), &limiter);
            scope.spawn(move || {
                for job in jobs {
                    limiter.wait();
                    let began = start.elapsed();
                    work(job);
                    let ended = start.elapsed();
                    let report = Report {
                        job,
                        worker,
                        began,
                        ended,
                    };
                    done.send(report).expect("the reports are collected below");
                }
            });
        }
        // Only the workers' ends are left, so that each iteration ends when it should.
        drop((jobs, done));
        for job in 1..=JOBS {
            // Waits until a worker is free.
            queue.send(job).expect("workers do not give up");
        }
        drop(queue);
        reports.iter().collect()
    });

    reports.sort_by_key(|report| report.began);
    println!("{JOBS} jobs, {WORKERS} workers, a start every 20 ms; one column is 10 ms");
    let columns = |time: Duration| (time.as_millis() / 10) as usize;
    for report in &reports {
        println!(
            "job {:>2}  {:indent$}{}",
            report.job,
            "",
            report
                .worker
                .to_string()
                .repeat(columns(report.ended - report.began).max(1)),
            indent = columns(report.began)
        );
    }
    let busy: Duration = reports
        .iter()
        .map(|report| report.ended - report.began)
        .sum();
    println!(
        "{busy:.1?} of work in {:.1?}",
        reports.iter().map(|report| report.ended).max().unwrap()
    );
}
