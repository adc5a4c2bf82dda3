//! The workloads on tokio. `tokio ct WORKLOAD ...` runs on a current_thread runtime, `tokio mt WORKERS WORKLOAD ...` on a
//! multi_thread one.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use corun_bench::tasks::{self, Tasks};
use corun_bench::{Args, BUFFER, Lateness, Reactions, report_port, timer_delays};
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
    let mut name = args.next::<String>();
    // All its tasks are.
    if name == "async" {
        name = args.next();
    }
    let runtime = Tokio(runtime);
    if !tasks::run(&runtime, &name, &mut args) {
        // The thread that blocks on a multi_thread runtime is no worker: the workload itself runs as a task.
        runtime.block_on(workload(name, args));
    }
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
