//! The workloads on corun.

mod channels;
mod named;
mod net;

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use corun::{Runtime, spawn, yield_now};
use corun_bench::tasks::{self, Tasks};
use corun_bench::{
    Args, Crowd, Lateness, Reactions, Stretch, report, report_per_operation, timer_delays,
};

fn main() {
    let (workers, mut args) = Args::parse();
    let workers = workers.parse().expect("a number of workers");
    let runtime = Runtime::builder()
        .workers(workers)
        .build()
        .expect("the runtime starts");
    let name = args.next::<String>();
    if name == "async" {
        let name = args.next::<String>();
        assert!(
            tasks::run(&Corun(runtime), &name, &mut args),
            "no such workload of async tasks: {name}"
        );
        return;
    }
    runtime.block_on(move || workload(workers, name, args));
}

struct Corun(Runtime);

impl Tasks for Corun {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = corun::spawn_async(future);
        async { handle.await.expect("no panic") }
    }

    fn detach(future: impl Future<Output = ()> + Send + 'static) {
        drop(corun::spawn_async(future));
    }

    async fn yield_now() {
        let mut yielded = false;
        poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        corun::block_on(self.0.spawn_async(future)).expect("the workload does not panic")
    }
}

fn workload(workers: usize, name: String, mut args: Args) {
    match name.as_str() {
        "yield" => yields(args.next(), args.next()),
        "spawn" => spawn_and_finish(args.next()),
        "parked" => parked(args.next()),
        "skynet" => skynet(args.next()),
        "timers" => timers(args.next()),
        "echo" => net::echo(),
        "proxy" => net::proxy(args.next()),
        "cancel" => cancel(args.next()),
        "named" => named::workload(workers, args),
        other => channels::workload(workers, other, args),
    }
}

fn cancel(count: u64) {
    let mut reactions = Reactions::default();
    for number in 0..count {
        let asleep = number % 2 == 1;
        let waiting = spawn(move || {
            if asleep {
                corun::sleep(Duration::from_secs(1000));
            } else {
                corun::park();
            }
        });
        while waiting.coroutine().state() != corun::State::Suspended {
            yield_now();
        }
        let start = Instant::now();
        waiting.cancel();
        waiting.join().expect_err("it is cancelled");
        reactions.ended(asleep, start);
    }
    reactions.report();
}

fn yields(tasks: u64, rounds: u64) {
    let stretch = Arc::new(Stretch::new(tasks));
    let mut handles = Vec::new();
    for _ in 0..tasks {
        let stretch = stretch.clone();
        handles.push(spawn(move || {
            stretch.arrive();
            corun::park();
            yield_now();
            stretch.enter();
            for _ in 0..rounds {
                yield_now();
            }
            stretch.leave();
        }));
    }
    // They gather parked and are woken in the order in which they were made, which is the order of the other runtimes' queues:
    // corun starts a new coroutine every so many yields of the old ones, and so would have them shuffled.
    while !stretch.all_here() {
        yield_now();
    }
    for handle in &handles {
        handle.coroutine().unpark();
    }
    for handle in handles {
        handle.join().expect("no panic");
    }
    report_per_operation(stretch.elapsed(), tasks * rounds);
}

fn spawn_and_finish(count: u64) {
    const BATCH: u64 = 1000;
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    let start = Instant::now();
    for batch in 1..=count / BATCH {
        for _ in 0..BATCH {
            drop(spawn(|| {
                FINISHED.fetch_add(1, Ordering::Relaxed);
            }));
        }
        while FINISHED.load(Ordering::Relaxed) < batch * BATCH {
            yield_now();
        }
    }
    report_per_operation(start.elapsed(), count);
}

fn parked(count: u64) {
    static ARRIVED: AtomicU64 = AtomicU64::new(0);
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    let mut handles = Vec::with_capacity(count as usize);
    let mut crowd = Crowd::begin(count);
    for _ in 0..count {
        handles.push(spawn(|| {
            ARRIVED.fetch_add(1, Ordering::Relaxed);
            corun::park();
            FINISHED.fetch_add(1, Ordering::Relaxed);
        }));
    }
    while ARRIVED.load(Ordering::Relaxed) < count {
        yield_now();
    }
    crowd.parked();
    for handle in &handles {
        handle.coroutine().unpark();
    }
    while FINISHED.load(Ordering::Relaxed) < count {
        yield_now();
    }
    crowd.finished();
}

fn skynet(leaves: u64) {
    fn node(first: u64, size: u64) -> u64 {
        if size == 1 {
            return first;
        }
        let child = size / 10;
        let children: [_; 10] =
            std::array::from_fn(|i| spawn(move || node(first + i as u64 * child, child)));
        children
            .into_iter()
            .map(|child| child.join().expect("no panic"))
            .sum()
    }
    let start = Instant::now();
    assert_eq!(node(0, leaves), leaves * (leaves - 1) / 2);
    report(&[("ms", start.elapsed().as_secs_f64() * 1e3)]);
}

fn timers(count: u64) {
    let delays = timer_delays(count);
    let lateness = Arc::new(Lateness::new(count));
    let mut handles = Vec::with_capacity(count as usize);
    for delay in delays {
        let lateness = lateness.clone();
        handles.push(spawn(move || {
            let due = Instant::now() + delay;
            corun::sleep(delay);
            lateness.record(due);
        }));
    }
    for handle in handles {
        handle.join().expect("no panic");
    }
    // A handle may be joined before the closure's captures are gone.
    while Arc::strong_count(&lateness) > 1 {
        corun::sleep(Duration::from_millis(1));
    }
    Arc::into_inner(lateness).expect("all are done").report();
}
