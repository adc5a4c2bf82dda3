//! The workloads on smol: an executor that the main thread runs, with more threads to help where two workers are asked for.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Instant;

use corun_bench::tasks::{self, Tasks};
use corun_bench::{Args, BUFFER, Lateness, report_port, timer_delays};
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
    let mut name = args.next::<String>();
    // All its tasks are.
    if name == "async" {
        name = args.next();
    }
    if !tasks::run(&Smol, &name, &mut args) {
        Smol.block_on(workload(name, args));
    }
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
        "timers" => timers(args.next()).await,
        "echo" => echo().await,
        "proxy" => proxy(args.next()).await,
        other => panic!("no such workload: {other}"),
    }
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
