//! The workloads with channels and locks on tokio: `tokio_channels WORKERS CHANNEL WORKLOAD ...`. One worker is a
//! current_thread runtime.

use corun_bench::Args;
use corun_bench::channels::awaiting::{self, Channel};
use corun_bench::channels::capacity;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

fn main() {
    let (workers, args) = Args::parse();
    let runtime = match workers.parse().expect("a number of workers") {
        1 => Builder::new_current_thread().build(),
        workers => Builder::new_multi_thread().worker_threads(workers).build(),
    }
    .expect("the runtime starts");
    // The thread that blocks on a multi_thread runtime is no worker: the workload itself runs as a task.
    runtime.block_on(async {
        tokio::spawn(workload(args))
            .await
            .expect("the workload does not panic")
    });
}

async fn workload(mut args: Args) {
    let (peer, name) = (args.next::<String>(), args.next::<String>());
    let known = match (peer.as_str(), name.as_str()) {
        ("kanal", "crowd") => return awaiting::crowd::<Kanal>(args.next()).await,
        ("flume", "crowd") => return awaiting::crowd::<Flume>(args.next()).await,
        ("async_channel", "crowd") => return awaiting::crowd::<AsyncChannel>(args.next()).await,
        ("tokio", "mutex") => return awaiting::mutex::<tokio::sync::Mutex<u64>>(args.next()).await,
        ("tokio", "buffered") => match capacity(&args.next::<String>()) {
            None => return awaiting::buffered::<TokioUnbounded>(None, args.next()).await,
            bounded => return awaiting::buffered::<Tokio>(bounded, args.next()).await,
        },
        ("kanal", other) => awaiting::run::<Kanal>(other, &mut args).await,
        ("flume", other) => awaiting::run::<Flume>(other, &mut args).await,
        ("async_channel", other) => awaiting::run::<AsyncChannel>(other, &mut args).await,
        ("tokio", other) => awaiting::run::<Tokio>(other, &mut args).await,
        _ => false,
    };
    assert!(known, "no such peer or workload: {peer} {name}");
}

struct Kanal;

impl Channel for Kanal {
    type Sender = kanal::AsyncSender<u64>;
    type Receiver = kanal::AsyncReceiver<u64>;

    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        capacity.map_or_else(kanal::unbounded_async, kanal::bounded_async)
    }

    async fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).await.is_ok()
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await.ok()
    }
}

struct Flume;

impl Channel for Flume {
    type Sender = flume::Sender<u64>;
    type Receiver = flume::Receiver<u64>;

    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        capacity.map_or_else(flume::unbounded, flume::bounded)
    }

    async fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send_async(value).await.is_ok()
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv_async().await.ok()
    }
}

/// It has no rendezvous: a capacity of one stands in for it.
struct AsyncChannel;

impl Channel for AsyncChannel {
    type Sender = async_channel::Sender<u64>;
    type Receiver = async_channel::Receiver<u64>;

    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        capacity.map_or_else(async_channel::unbounded, |capacity| {
            async_channel::bounded(capacity.max(1))
        })
    }

    async fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).await.is_ok()
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await.ok()
    }
}

/// It has no rendezvous either.
struct Tokio;

impl Channel for Tokio {
    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;

    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver) {
        mpsc::channel(capacity.expect("a bounded channel").max(1))
    }

    async fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).await.is_ok()
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await
    }
}

struct TokioUnbounded;

impl Channel for TokioUnbounded {
    type Sender = mpsc::UnboundedSender<u64>;
    type Receiver = mpsc::UnboundedReceiver<u64>;

    fn channel(_: Option<usize>) -> (Self::Sender, Self::Receiver) {
        mpsc::unbounded_channel()
    }

    async fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).is_ok()
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv().await
    }
}
