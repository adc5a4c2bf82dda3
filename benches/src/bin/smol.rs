//! The workloads on smol: an executor that the main thread runs, with more threads to help where two workers are asked for.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Instant;

use corun_bench::tasks::{self, Tasks};
use corun_bench::{
    Args, BUFFER, Crowd, Lateness, Stretch, report, report_per_operation, report_port, timer_delays,
};
use smol::Executor;
use smol::future::yield_now;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

static EXECUTOR: Executor<'static> = Executor::new();

fn main() {
    let (workers, mut args) = Args::parse();
    for _ in 1..workers.parse::<usize>().expect("a number of workers") {
        std::thread::spawn(|| smol::block_on(EXECUTOR.run(pending::<()>())));
    }
    let name = args.next::<String>();
    if name == "async" {
        return tasks::run(&Smol, args);
    }
    smol::block_on(EXECUTOR.run(EXECUTOR.spawn(workload(name, args))));
}

struct Smol;

impl Tasks for Smol {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        EXECUTOR.spawn(future)
    }

    fn detach(future: impl Future<Output = ()> + Send + 'static) {
        EXECUTOR.spawn(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        yield_now()
    }

    fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        smol::block_on(EXECUTOR.run(EXECUTOR.spawn(future)))
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
        other => panic!("no such workload: {other}"),
    }
}

async fn yields(tasks: u64, rounds: u64) {
    let stretch = Arc::new(Stretch::new(tasks));
    let mut handles = Vec::new();
    for _ in 0..tasks {
        let stretch = stretch.clone();
        handles.push(EXECUTOR.spawn(async move {
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
        handle.await;
    }
    report_per_operation(stretch.elapsed(), tasks * rounds);
}

async fn spawn_and_finish(count: u64) {
    const BATCH: u64 = 1000;
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    let start = Instant::now();
    for batch in 1..=count / BATCH {
        for _ in 0..BATCH {
            let finish = async {
                FINISHED.fetch_add(1, Ordering::Relaxed);
            };
            EXECUTOR.spawn(finish).detach();
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
        let task = EXECUTOR.spawn(async move {
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
        task.detach();
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
                std::array::from_fn(|i| EXECUTOR.spawn(node(first + i as u64 * child, child)));
            let mut sum = 0;
            for child in children {
                sum += child.await;
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
        handles.push(EXECUTOR.spawn(async move {
            let due = Instant::now() + delay;
            smol::Timer::after(delay).await;
            lateness.record(due);
        }));
    }
    for handle in handles {
        handle.await;
    }
    Arc::into_inner(lateness).expect("all are done").report();
}

async fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    report_port(listener.local_addr().expect("bound").port());
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let serve = async move {
            let _ = stream.set_nodelay(true);
            let mut buffer = [0; BUFFER];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        };
        EXECUTOR.spawn(serve).detach();
    }
}

async fn proxy(upstream: u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    report_port(listener.local_addr().expect("bound").port());
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        let serve = async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else {
                return;
            };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            EXECUTOR
                .spawn(pump(client.clone(), server.clone()))
                .detach();
            pump(server, client).await;
        };
        EXECUTOR.spawn(serve).detach();
    }
}

/// Copies one direction until it ends.
async fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; BUFFER];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
