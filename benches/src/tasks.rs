//! The workloads of async tasks, once for all runtimes: only how a task is spawned and gives way differs.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Instant;

use crate::{Args, Crowd, Stretch, report, report_per_operation};

/// A runtime with async tasks. The functions are called in its tasks, but for `block_on`.
pub trait Tasks: 'static {
    /// Spawns a task, and gives its output.
    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns a task whose output nobody wants.
    fn detach(future: impl Future<Output = ()> + Send + 'static);

    /// Lets the others run.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Spawns a task from a plain thread, which waits for it.
    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;
}

/// Runs the workload of this name, with its arguments, on the runtime, from a plain thread. Returns false if it is none of those here.
pub fn run<R: Tasks>(runtime: &R, name: &str, args: &mut Args) -> bool {
    match name {
        "yield" => runtime.block_on(yields::<R>(args.next(), args.next())),
        "spawn" => runtime.block_on(spawn_and_finish::<R>(args.next())),
        "parked" => runtime.block_on(parked::<R>(args.next())),
        "skynet" => runtime.block_on(skynet::<R>(args.next())),
        "pingpong" => runtime.block_on(ping_pong::<R>(args.next(), args.next())),
        "wake" => runtime.block_on(wake_from_a_thread::<R>(args.next())),
        "block_on" => block_on_and_back(runtime, args.next()),
        _ => return false,
    }
    true
}

async fn yields<R: Tasks>(tasks: u64, rounds: u64) {
    let stretch = Arc::new(Stretch::new(tasks));
    let mut handles = Vec::new();
    for _ in 0..tasks {
        let stretch = stretch.clone();
        handles.push(R::spawn(async move {
            stretch.arrive();
            while !stretch.all_here() {
                R::yield_now().await;
            }
            R::yield_now().await;
            stretch.enter();
            for _ in 0..rounds {
                R::yield_now().await;
            }
            stretch.leave();
        }));
    }
    for handle in handles {
        handle.await;
    }
    report_per_operation(stretch.elapsed(), tasks * rounds);
}

async fn spawn_and_finish<R: Tasks>(count: u64) {
    const BATCH: u64 = 1000;
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    let start = Instant::now();
    for batch in 1..=count / BATCH {
        for _ in 0..BATCH {
            R::detach(async {
                FINISHED.fetch_add(1, Ordering::Relaxed);
            });
        }
        while FINISHED.load(Ordering::Relaxed) < batch * BATCH {
            R::yield_now().await;
        }
    }
    report_per_operation(start.elapsed(), count);
}

async fn parked<R: Tasks>(count: u64) {
    static ARRIVED: AtomicU64 = AtomicU64::new(0);
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    let wakers: &'static Mutex<Vec<Waker>> = Box::leak(Box::new(Mutex::new(vec![
        Waker::noop()
            .clone();
        count as usize
    ])));
    wakers.lock().expect("no panic").clear();
    let mut crowd = Crowd::begin(count);
    for _ in 0..count {
        R::detach(async move {
            let mut waiting = false;
            poll_fn(|context| {
                if std::mem::replace(&mut waiting, true) {
                    return Poll::Ready(());
                }
                wakers
                    .lock()
                    .expect("no panic")
                    .push(context.waker().clone());
                ARRIVED.fetch_add(1, Ordering::Relaxed);
                Poll::Pending
            })
            .await;
            FINISHED.fetch_add(1, Ordering::Relaxed);
        });
    }
    while ARRIVED.load(Ordering::Relaxed) < count {
        R::yield_now().await;
    }
    crowd.parked();
    for waker in wakers.lock().expect("no panic").drain(..) {
        waker.wake();
    }
    while FINISHED.load(Ordering::Relaxed) < count {
        R::yield_now().await;
    }
    crowd.finished();
}

async fn skynet<R: Tasks>(leaves: u64) {
    fn node<R: Tasks>(first: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(async move {
            if size == 1 {
                return first;
            }
            let child = size / 10;
            let children: [_; 10] =
                std::array::from_fn(|i| R::spawn(node::<R>(first + i as u64 * child, child)));
            let mut sum = 0;
            for child in children {
                sum += child.await;
            }
            sum
        })
    }
    let start = Instant::now();
    assert_eq!(node::<R>(0, leaves).await, leaves * (leaves - 1) / 2);
    report(&[("ms", start.elapsed().as_secs_f64() * 1e3)]);
}

/// A flag with one who waits for it. The same in every runtime, so that what is compared are the runtimes.
#[derive(Default)]
struct Flag {
    up: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Flag {
    fn raise(&self) {
        self.up.store(true, Ordering::SeqCst);
        let waker = self.waker.lock().expect("no panic").take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn lower(&self) {
        poll_fn(|context| {
            if self.up.swap(false, Ordering::SeqCst) {
                return Poll::Ready(());
            }
            let mut waker = self.waker.lock().expect("no panic");
            *waker = Some(context.waker().clone());
            if self.up.swap(false, Ordering::SeqCst) {
                waker.take();
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

/// In each of several pairs two tasks wake each other in turn: the time of one wake-up and the switch to who was woken.
async fn ping_pong<R: Tasks>(pairs: u64, rounds: u64) {
    let start = Instant::now();
    let (mut servers, mut returners) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let (ping, pong) = (Arc::new(Flag::default()), Arc::new(Flag::default()));
        let (to, from) = (ping.clone(), pong.clone());
        servers.push(R::spawn(async move {
            for _ in 0..rounds {
                to.raise();
                from.lower().await;
            }
        }));
        returners.push(R::spawn(async move {
            for _ in 0..rounds {
                ping.lower().await;
                pong.raise();
            }
        }));
    }
    for server in servers {
        server.await;
    }
    for returner in returners {
        returner.await;
    }
    report_per_operation(start.elapsed(), 2 * pairs * rounds);
}

/// A plain thread wakes 1,000 tasks that wait, and waits until all have run.
async fn wake_from_a_thread<R: Tasks>(rounds: u64) {
    const CROWD: usize = 1000;
    static RUN: AtomicU64 = AtomicU64::new(0);
    static ENDED: AtomicU64 = AtomicU64::new(0);
    let flags: Arc<Vec<Flag>> = Arc::new((0..CROWD).map(|_| Flag::default()).collect());
    let mut handles = Vec::new();
    for index in 0..CROWD {
        let flags = flags.clone();
        handles.push(R::spawn(async move {
            for _ in 0..rounds {
                flags[index].lower().await;
                RUN.fetch_add(1, Ordering::Release);
            }
        }));
    }
    thread::spawn(move || {
        let start = Instant::now();
        for round in 1..=rounds {
            flags.iter().for_each(Flag::raise);
            while RUN.load(Ordering::Acquire) < round * CROWD as u64 {
                thread::yield_now();
            }
        }
        ENDED.store(start.elapsed().as_nanos() as u64, Ordering::Release);
    });
    for handle in handles {
        handle.await;
    }
    let elapsed = loop {
        match ENDED.load(Ordering::Acquire) {
            0 => R::yield_now().await,
            elapsed => break elapsed,
        }
    };
    let each = elapsed as f64 / (rounds * CROWD as u64) as f64;
    report(&[("ns", each)]);
}

/// A plain thread spawns a task and waits for it, again and again.
fn block_on_and_back<R: Tasks>(runtime: &R, rounds: u64) {
    let start = Instant::now();
    for round in 0..rounds {
        assert_eq!(runtime.block_on(async move { round }), round);
    }
    report_per_operation(start.elapsed(), rounds);
}
