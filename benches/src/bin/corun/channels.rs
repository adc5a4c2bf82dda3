//! The workloads with channels and locks.

use corun::JoinHandle;
use corun::channel::{self, Receiver, Sender};
use corun::sync::Mutex;
use corun_bench::Args;
use corun_bench::channels::blocking::{self, Channel, Lock, Select, Tasks};

/// Runs a workload with channels or locks; panics if it is none of these.
pub fn workload(name: &str, mut args: Args) {
    match name {
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
