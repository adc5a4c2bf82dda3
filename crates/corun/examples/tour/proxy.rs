//! S2.35: the survey's proxy table. The same load, in turns, on `echo_proxy` and on a proxy over raw epoll.
//!
//! Each proxy has one thread on the first processor; the echo server and the clients, both over raw epoll, share the others.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use crate::load::{MESSAGE, load};
use crate::report::{Report, thousands};
use crate::{echo_proxy, epoll, system};

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_millis(400);
/// To lose nothing is to be within the noise of the limit.
const TARGET: f64 = 0.97;

/// One measurement of one proxy.
#[derive(Clone, Copy)]
struct Sample {
    /// Messages there and back per second.
    rate: f64,
    /// Microseconds of the proxy's processor time for each.
    cpu: f64,
    lost: u64,
}

/// A raw epoll loop on a thread of its own, which ends when the guard is dropped.
struct Loop {
    addr: SocketAddr,
    thread: u32,
    quit: SocketAddr,
    handle: Option<std::thread::JoinHandle<io::Result<()>>>,
}

impl Loop {
    fn start<F>(first_processor: bool, run: F) -> io::Result<Loop>
    where
        F: FnOnce(&std::net::TcpListener, &std::net::TcpListener) -> io::Result<()>
            + Send
            + 'static,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let quit = std::net::TcpListener::bind("127.0.0.1:0")?;
        let (addr, quit_addr) = (listener.local_addr()?, quit.local_addr()?);
        let (sender, thread) = mpsc::channel();
        let handle = std::thread::spawn(move || {
            system::pin(first_processor);
            sender.send(system::thread_id()).expect("the starter waits");
            run(&listener, &quit)
        });
        let thread = thread.recv().expect("the thread has started");
        Ok(Loop {
            addr,
            thread,
            quit: quit_addr,
            handle: Some(handle),
        })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _quit = std::net::TcpStream::connect(self.quit);
        let handle = self.handle.take().expect("dropped once");
        handle
            .join()
            .expect("no panic in a raw loop")
            .expect("no error in a raw loop");
    }
}

fn measure(addr: SocketAddr, thread: u32, connections: usize) -> io::Result<Sample> {
    let (before, after) = (Cell::new(0), Cell::new(0));
    let started = || before.set(system::cpu_time(thread));
    let done = || after.set(system::cpu_time(thread));
    let load = load(addr, connections, TIME, started, done)?;
    let cpu = (after.get() - before.get()) as f64 / 1000.0;
    Ok(Sample {
        rate: load.requests as f64 / load.seconds,
        cpu: cpu / load.requests as f64,
        lost: load.lost,
    })
}

/// Measures with each number of connections that `limit` descriptors allow. Runs on a plain thread.
pub fn compare(report: &mut Report, limit: u64) -> io::Result<()> {
    system::pin(false);
    let upstream = Loop::start(false, epoll::echo)?;
    let server = upstream.addr;
    let raw = Loop::start(true, move |listener, quit| {
        epoll::proxy(listener, quit, server)
    })?;
    let runtime = corun::Runtime::builder().workers(1).build()?;
    let worker = runtime.block_on(|| {
        system::pin(true);
        system::thread_id()
    });
    let mut lost = 0;
    for connections in [2, 16, 128, 1024] {
        if connections as u64 * 8 > limit {
            report.say(format!("{connections} connections need more descriptors than the {limit} allowed here: left out"));
            continue;
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let ours_now = || -> io::Result<Sample> {
                let listener = corun::net::TcpListener::bind("127.0.0.1:0")?;
                let addr = listener.local_addr()?;
                let proxy =
                    runtime.spawn(move || echo_proxy::serve_some(&listener, server, connections));
                let sample = measure(addr, worker, connections)?;
                proxy.join().expect("no panic in the proxy");
                Ok(sample)
            };
            // Whoever comes second finds warmer caches: take turns at that too.
            if round % 2 == 0 {
                ours.push(ours_now()?);
                theirs.push(measure(raw.addr, raw.thread, connections)?);
            } else {
                theirs.push(measure(raw.addr, raw.thread, connections)?);
                ours.push(ours_now()?);
            }
        }
        lost += ours.iter().map(|sample| sample.lost).sum::<u64>();
        let ratio = median(
            ours.iter()
                .zip(&theirs)
                .map(|(our, their)| our.rate / their.rate),
        );
        let (our, their) = (summary(&ours), summary(&theirs));
        let connections = thousands(connections as u64);
        report.say(format!(
            "{connections:>5} connections: corun {our}, raw epoll {their}"
        ));
        report.figure(
            &format!("proxy, {MESSAGE}-byte messages, {connections} connections"),
            "≥ 97 % of raw epoll",
            format!("{:.1} % ({our})", ratio * 100.0),
            ratio >= TARGET,
        );
    }
    report.figure("messages lost by the proxy", "0", lost, lost == 0);
    Ok(())
}

fn summary(samples: &[Sample]) -> String {
    let rate = median(samples.iter().map(|sample| sample.rate)) / 1000.0;
    let cpu = median(samples.iter().map(|sample| sample.cpu));
    format!("{rate:.0} k/s, {cpu:.1} µs CPU each")
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
