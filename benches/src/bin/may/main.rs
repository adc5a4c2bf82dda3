//! The workloads on may.

mod channels;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corun_bench::{
    Args, BUFFER, Crowd, Lateness, Stretch, report, report_per_operation, report_port, timer_delays,
};
use may::coroutine::{self, JoinHandle, yield_now};
use may::net::{TcpListener, TcpStream};

/// may's own `go!` hides the same `unsafe`: nothing here uses thread-locals or overflows its stack.
fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: the closures of this file keep nothing thread-bound across a suspension, and need little stack.
    unsafe { coroutine::spawn(f) }
}

fn main() {
    let (workers, args) = Args::parse();
    may::config().set_workers(workers.parse().expect("a number of workers"));
    spawn(move || workload(args))
        .join()
        .expect("the workload does not panic");
}

fn workload(mut args: Args) {
    let name = args.next::<String>();
    match name.as_str() {
        "yield" => yields(args.next(), args.next()),
        "spawn" => spawn_and_finish(args.next()),
        "parked" => parked(args.next()),
        "skynet" => skynet(args.next()),
        "timers" => timers(args.next()),
        "echo" => echo(),
        "proxy" => proxy(args.next()),
        other => channels::workload(other, args),
    }
}

fn yields(tasks: u64, rounds: u64) {
    let stretch = Arc::new(Stretch::new(tasks));
    let mut handles = Vec::new();
    for _ in 0..tasks {
        let stretch = stretch.clone();
        handles.push(spawn(move || {
            stretch.arrive();
            while !stretch.all_here() {
                // A loop of yield_now would keep new coroutines of may from ever starting.
                coroutine::sleep(Duration::from_millis(1));
            }
            yield_now();
            stretch.enter();
            for _ in 0..rounds {
                yield_now();
            }
            stretch.leave();
        }));
    }
    for handle in handles {
        handle.join().expect("no panic");
    }
    report_per_operation(stretch.elapsed(), tasks * rounds);
}

fn spawn_and_finish(count: u64) {
    const BATCH: usize = 1000;
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    let mut batch = Vec::with_capacity(BATCH);
    let start = Instant::now();
    for _ in 0..count / BATCH as u64 {
        batch.extend((0..BATCH).map(|_| {
            spawn(|| {
                FINISHED.fetch_add(1, Ordering::Relaxed);
            })
        }));
        // A loop of yield_now, as the others wait here, would keep new coroutines of may from ever starting.
        for handle in batch.drain(..) {
            handle.join().expect("no panic");
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
            coroutine::park();
            FINISHED.fetch_add(1, Ordering::Relaxed);
        }));
    }
    while ARRIVED.load(Ordering::Relaxed) < count {
        coroutine::sleep(Duration::from_millis(1));
    }
    crowd.parked();
    for handle in &handles {
        handle.coroutine().unpark();
    }
    while FINISHED.load(Ordering::Relaxed) < count {
        coroutine::sleep(Duration::from_millis(1));
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
            coroutine::sleep(delay);
            lateness.record(due);
        }));
    }
    for handle in handles {
        handle.join().expect("no panic");
    }
    // A handle is joined before the closure's captures are gone.
    while Arc::strong_count(&lateness) > 1 {
        coroutine::sleep(Duration::from_millis(1));
    }
    Arc::into_inner(lateness).expect("all are done").report();
}

fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    report_port(listener.local_addr().expect("bound").port());
    loop {
        let (mut stream, _) = listener.accept().expect("a connection");
        spawn(move || {
            let _ = stream.set_nodelay(true);
            let mut buffer = [0; BUFFER];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
        });
    }
}

fn proxy(upstream: u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    report_port(listener.local_addr().expect("bound").port());
    loop {
        let (client, _) = listener.accept().expect("a connection");
        spawn(move || {
            let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else {
                return;
            };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (Ok(client_reads), Ok(server_writes)) = (client.try_clone(), server.try_clone())
            else {
                return;
            };
            spawn(move || pump(client_reads, server_writes));
            pump(server, client);
        });
    }
}

/// Copies one direction until it ends.
fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; BUFFER];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
