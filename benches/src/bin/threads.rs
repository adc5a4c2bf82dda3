//! The workloads with channels and locks on plain threads: `threads CHANNEL|LOCK WORKLOAD ...`.

use std::sync::mpsc;

use corun_bench::Args;
use corun_bench::channels::blocking::{self, Channel, Select, Threads};
use corun_bench::channels::capacity;

fn main() {
    let (peer, mut args) = Args::parse();
    let workload: String = args.next();
    let run = match peer.as_str() {
        "crossbeam" => blocking::run::<Threads, Crossbeam>,
        "std" => blocking::run::<Threads, Std>,
        _ => |_: &str, _: &mut Args| false,
    };
    match (peer.as_str(), workload.as_str()) {
        ("crossbeam", "crowd") => blocking::crowd::<Threads, Crossbeam>(args.next()),
        ("crossbeam", "select") => blocking::select::<Threads, Crossbeam>(args.next()),
        ("std", "buffered") => match capacity(&args.next::<String>()) {
            None => blocking::buffered::<Threads, StdUnbounded>(None, args.next()),
            bounded => blocking::buffered::<Threads, Std>(bounded, args.next()),
        },
        ("std", "mutex") => blocking::mutex::<Threads, std::sync::Mutex<u64>>(args.next()),
        ("parking_lot", "mutex") => {
            blocking::mutex::<Threads, parking_lot::Mutex<u64>>(args.next())
        }
        (_, other) if run(other, &mut args) => {}
        other => panic!("no such peer or workload: {other:?}"),
    }
}

struct Crossbeam;

impl Channel for Crossbeam {
    type Sender = crossbeam_channel::Sender<u64>;
    type Receiver = crossbeam_channel::Receiver<u64>;

    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        capacity.map_or_else(crossbeam_channel::unbounded, crossbeam_channel::bounded)
    }

    fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).is_ok()
    }

    fn recv(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}

impl Select for Crossbeam {
    fn recv_either(one: &Self::Receiver, other: &Self::Receiver) -> u64 {
        crossbeam_channel::select! {
            recv(one) -> value => value.expect("open"),
            recv(other) -> value => value.expect("open"),
        }
    }
}

struct Std;

impl Channel for Std {
    type Sender = mpsc::SyncSender<u64>;
    type Receiver = mpsc::Receiver<u64>;

    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        mpsc::sync_channel(capacity.expect("a bounded channel"))
    }

    fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).is_ok()
    }

    fn recv(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}

struct StdUnbounded;

impl Channel for StdUnbounded {
    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;

    fn channel(_: Option<usize>) -> (Self::Sender, Self::Receiver) {
        mpsc::channel()
    }

    fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).is_ok()
    }

    fn recv(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}
