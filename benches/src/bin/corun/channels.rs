//! The workloads with channels and locks. Those whose names begin with `spread-` have their coroutines dealt out to the two workers.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use corun::JoinHandle;
use corun::channel::{self, Receiver, Sender};
use corun::sync::Mutex;
use corun_bench::channels::blocking::{self, Channel, Lock, Select, Tasks};
use corun_bench::{Args, report};

/// Runs a workload with channels or locks; panics if it is none of these.
pub fn workload(workers: usize, name: &str, mut args: Args) {
    match name {
        "spread-pingpong" if prepare(workers) => {
            blocking::pingpong::<Spread, Channels>(args.next())
        }
        "spread-crowd" if prepare(workers) => blocking::crowd::<Spread, Channels>(args.next()),
        "spread-mutex" if prepare(workers) => blocking::mutex::<Spread, Locked>(args.next()),
        "spread-pingpong" | "spread-crowd" | "spread-mutex" => report(&[]),
        "crowd" => blocking::crowd::<Coroutines, Channels>(args.next()),
        "select" => blocking::select::<Coroutines, Channels>(args.next()),
        "mutex" => blocking::mutex::<Coroutines, Locked>(args.next()),
        other if blocking::run::<Coroutines, Channels>(other, &mut args) => {}
        other => panic!("no such workload: {other}"),
    }
}

struct Coroutines;

impl Tasks for Coroutines {
    type Handle = JoinHandle<()>;

    fn spawn(task: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        corun::spawn(task)
    }

    fn join(handle: JoinHandle<()>) {
        handle.join().expect("no panic");
    }
}

/// Deals coroutines out to two workers, where each of them stays: by itself the scheduler often leaves all of them to one.
struct Spread;

type Task = Box<dyn FnOnce() + Send>;

/// Takes tasks to start on the second worker.
static AGENT: OnceLock<Sender<(Task, Sender<JoinHandle<()>>)>> = OnceLock::new();

/// Starts the agent on another worker than the caller's. False if there is none.
fn prepare(workers: usize) -> bool {
    static STARTED: AtomicBool = AtomicBool::new(false);
    if workers != 2 {
        return false;
    }
    let (tasks, to_start) = channel::unbounded::<(Task, Sender<JoinHandle<()>>)>();
    corun::spawn(move || {
        STARTED.store(true, Ordering::Release);
        for (task, to) in to_start {
            to.send(corun::spawn_local(task)).expect("it is waited for");
        }
    });
    // The caller keeps its own worker busy, so the other one starts it.
    while !STARTED.load(Ordering::Acquire) {
        std::hint::spin_loop();
    }
    AGENT.set(tasks).is_ok()
}

impl Tasks for Spread {
    type Handle = JoinHandle<()>;

    fn spawn(task: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        if COUNT.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            return corun::spawn_local(task);
        }
        let (to, handle) = channel::bounded(1);
        let agent = AGENT.get().expect("it was prepared");
        agent.send((Box::new(task), to)).expect("it lives");
        handle.recv().expect("it answers")
    }

    fn join(handle: JoinHandle<()>) {
        handle.join().expect("no panic");
    }
}

struct Channels;

impl Channel for Channels {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        capacity.map_or_else(channel::unbounded, channel::bounded)
    }

    fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).is_ok()
    }

    fn recv(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}

impl Select for Channels {
    fn recv_either(one: &Self::Receiver, other: &Self::Receiver) -> u64 {
        channel::select! {
            recv(one) -> value => value.expect("open"),
            recv(other) -> value => value.expect("open"),
        }
    }
}

/// The trait belongs to the library, so the lock of a peer that it does not know needs a type of its own.
struct Locked(Mutex<u64>);

impl Lock for Locked {
    fn new() -> Self {
        Locked(Mutex::new(0))
    }

    fn increment(&self) {
        *self.0.lock().expect("no panic") += 1;
    }

    fn value(&self) -> u64 {
        *self.0.lock().expect("no panic")
    }
}
