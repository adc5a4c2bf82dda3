//! The workloads with channels and locks. All channels of may are unbounded; each workload uses the kind that is fastest for it.

use corun_bench::channels::blocking::{self, Channel, Lock, Tasks};
use corun_bench::channels::capacity;
use corun_bench::{Args, report};
use may::coroutine::JoinHandle;
use may::sync::{Mutex, mpmc, spsc};

/// Runs a workload with channels or locks; panics if it is none of these.
pub fn workload(name: &str, mut args: Args) {
    match name {
        "crowd" => blocking::crowd::<May, Mpmc>(args.next()),
        "buffered" if capacity(&args.next::<String>()).is_some() => report(&[]),
        "buffered" => blocking::buffered::<May, Spsc>(None, args.next()),
        "mutex" => blocking::mutex::<May, Locked>(args.next()),
        other if blocking::run::<May, Spsc>(other, &mut args) => {}
        other => panic!("no such workload: {other}"),
    }
}

struct May;

impl Tasks for May {
    type Handle = JoinHandle<()>;

    fn spawn(task: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        crate::spawn(task)
    }

    fn join(handle: JoinHandle<()>) {
        handle.join().expect("no panic");
    }
}

struct Spsc;

impl Channel for Spsc {
    type Sender = spsc::Sender<u64>;
    type Receiver = spsc::Receiver<u64>;

    fn channel(_: Option<usize>) -> (Self::Sender, Self::Receiver) {
        spsc::channel()
    }

    fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).is_ok()
    }

    fn recv(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}

struct Mpmc;

impl Channel for Mpmc {
    type Sender = mpmc::Sender<u64>;
    type Receiver = mpmc::Receiver<u64>;

    fn channel(_: Option<usize>) -> (Self::Sender, Self::Receiver) {
        mpmc::channel()
    }

    fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).is_ok()
    }

    fn recv(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
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
