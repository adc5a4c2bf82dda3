//! The workloads on tokio. `tokio ct WORKLOAD ...` runs on a current_thread runtime, `tokio mt WORKERS WORKLOAD ...` on a
//! multi_thread one.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use corun_bench::tasks::{self, Tasks};
use corun_bench::{
    Args, BUFFER, Crowd, Lateness, Reactions, Stretch, report, report_per_operation, report_port,
    timer_delays,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

fn main() {
    let (flavour, mut args) = Args::parse();
    let runtime = match flavour.as_str() {
        "ct" => Builder::new_current_thread().enable_all().build(),
        "mt" => Builder::new_multi_thread()
            .worker_threads(args.next())
            .enable_all()
            .build(),
        other => panic!("no such flavour: {other}"),
    }
    .expect("the runtime starts");
    let name = args.next::<String>();
    if name == "async" {
        return tasks::run(&Tokio(runtime), args);
    }
    // The thread that blocks on a multi_thread runtime is no worker: the workload itself runs as a task.
    runtime.block_on(async {
        tokio::spawn(workload(name, args))
            .await
            .expect("the workload does not panic")
    });
}

struct Tokio(Runtime);

impl Tasks for Tokio {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = tokio::spawn(future);
        async { handle.await.expect("no panic") }
    }

    fn detach(future: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(future));
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        yield_now()
    }

    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0
            .block_on(self.0.spawn(future))
            .expect("the workload does not panic")
    }
}

async fn workload(name: String, mut args: Args) {
    match name.as_str() {
        "yield" => yields(args.next(), args.next()).await,
        "spawn" => spawn_and_finish(args.next()).await,
        "parked" => parked(args.next()).await,
        "skynet" => skynet(args.next()).await,
        "timers" => timers(args.next()).await,
        "echo" => echo().await,
        "proxy" => proxy(args.next()).await,
        "cancel" => cancel(args.next()).await,
        other => panic!("no such workload: {other}"),
    }
}

async fn cancel(count: u64) {
    let mut reactions = Reactions::default();
    for number in 0..count {
        let asleep = number % 2 == 1;
        let waits = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn({
            let waits = waits.clone();
            async move {
                waits.store(true, Ordering::Release);
                if asleep {
                    tokio::time::sleep(Duration::from_secs(1000)).await;
                } else {
                    std::future::pending::<()>().await;
                }
            }
        });
        while !waits.load(Ordering::Acquire) {
            yield_now().await;
        }
        yield_now().await;
        let start = Instant::now();
        task.abort();
        task.await.expect_err("it is cancelled");
        reactions.ended(asleep, start);
    }
    reactions.report();
}

async fn yields(tasks: u64, rounds: u64) {
    let stretch = Arc::new(Stretch::new(tasks));
    let mut handles = Vec::new();
    for _ in 0..tasks {
        let stretch = stretch.clone();
        handles.push(tokio::spawn(async move {
            stretch.arrive();
            while !stretch.all_here() {
                yield_now().await;
            }
            yield_now().await;
            stretch.enter();
            for _ in 0..rounds {
                yield_now().await;
            }
            stretch.leave();
        }));
    }
    for handle in handles {
        handle.await.expect("no panic");
    }
    report_per_operation(stretch.elapsed(), tasks * rounds);
}

async fn spawn_and_finish(count: u64) {
    const BATCH: u64 = 1000;
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    let start = Instant::now();
    for batch in 1..=count / BATCH {
        for _ in 0..BATCH {
            drop(tokio::spawn(async {
                FINISHED.fetch_add(1, Ordering::Relaxed);
            }));
        }
        while FINISHED.load(Ordering::Relaxed) < batch * BATCH {
            yield_now().await;
        }
    }
    report_per_operation(start.elapsed(), count);
}

async fn parked(count: u64) {
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
        drop(tokio::spawn(async move {
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
        }));
    }
    while ARRIVED.load(Ordering::Relaxed) < count {
        yield_now().await;
    }
    crowd.parked();
    for waker in wakers.lock().expect("no panic").drain(..) {
        waker.wake();
    }
    while FINISHED.load(Ordering::Relaxed) < count {
        yield_now().await;
    }
    crowd.finished();
}

async fn skynet(leaves: u64) {
    fn node(first: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(async move {
            if size == 1 {
                return first;
            }
            let child = size / 10;
            let children: [_; 10] =
                std::array::from_fn(|i| tokio::spawn(node(first + i as u64 * child, child)));
            let mut sum = 0;
            for child in children {
                sum += child.await.expect("no panic");
            }
            sum
        })
    }
    let start = Instant::now();
    assert_eq!(node(0, leaves).await, leaves * (leaves - 1) / 2);
    report(&[("ms", start.elapsed().as_secs_f64() * 1e3)]);
}

async fn timers(count: u64) {
    let delays = timer_delays(count);
    let lateness = Arc::new(Lateness::new(count));
    let mut handles = Vec::with_capacity(count as usize);
    for delay in delays {
        let lateness = lateness.clone();
        handles.push(tokio::spawn(async move {
            let due = Instant::now() + delay;
            tokio::time::sleep(delay).await;
            lateness.record(due);
        }));
    }
    for handle in handles {
        handle.await.expect("no panic");
    }
    Arc::into_inner(lateness).expect("all are done").report();
}

async fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    report_port(listener.local_addr().expect("bound").port());
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let mut buffer = [0; BUFFER];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn proxy(upstream: u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    report_port(listener.local_addr().expect("bound").port());
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else {
                return;
            };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (client_reads, client_writes) = client.into_split();
            let (server_reads, server_writes) = server.into_split();
            tokio::spawn(pump(client_reads, server_writes));
            pump(server_reads, client_writes).await;
        });
    }
}

/// Copies one direction until it ends.
async fn pump(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
    let mut buffer = [0; BUFFER];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
