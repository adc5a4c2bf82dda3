//! Async tasks send and receive at the same channels as coroutines and threads, and may be cancelled at any time.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use corun::channel::{
    Receiver, RecvError, Select, SendError, TryRecvError, TrySendError, after, bounded, unbounded,
};

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A plain thread as an executor.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Counts how often it wakes.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Probe(Arc<Count>, Waker);

impl Probe {
    fn new() -> Probe {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        Probe(count.clone(), Waker::from(count))
    }
    fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&self.1))
    }
    fn woken(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }
}

#[test]
fn tasks_and_coroutines_exchange_messages() {
    for capacity in [0, 1, 10] {
        let (requests, jobs) = bounded(capacity);
        let (results, answers) = bounded(capacity);
        let worker = corun::spawn(move || {
            for job in jobs {
                results.send(job * 2).unwrap();
            }
        });
        let client = thread::spawn(move || {
            block_on(async {
                for n in 0..1_000 {
                    requests.send_async(n).await.unwrap();
                    assert_eq!(answers.recv_async().await, Ok(n * 2));
                }
            })
        });
        client.join().unwrap();
        worker.join().unwrap();
    }
}

#[test]
fn a_waiting_task_is_handed_the_message_and_woken_once() {
    let (sender, receiver) = bounded(0);
    let probe = Probe::new();
    let mut future = pin!(receiver.recv_async());
    assert!(probe.poll(future.as_mut()).is_pending());
    assert_eq!(sender.try_send(7), Ok(()));
    assert_eq!(probe.woken(), 1);
    assert_eq!(sender.try_send(8), Err(TrySendError::Full(8)));
    assert_eq!(probe.poll(future.as_mut()), Poll::Ready(Ok(7)));
}

#[test]
fn the_newest_waker_is_the_one_that_is_woken() {
    let (sender, receiver) = bounded(0);
    let (old, new) = (Probe::new(), Probe::new());
    let mut future = pin!(receiver.recv_async());
    assert!(old.poll(future.as_mut()).is_pending());
    assert!(new.poll(future.as_mut()).is_pending());
    sender.try_send(1).unwrap();
    assert_eq!((old.woken(), new.woken()), (0, 1));
}

#[test]
fn a_dropped_future_that_waits_stands_in_nobodys_way() {
    let (sender, receiver) = bounded(0);
    let probe = Probe::new();
    {
        let mut future = pin!(receiver.recv_async());
        assert!(probe.poll(future.as_mut()).is_pending());
    }
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    {
        let mut future = pin!(sender.send_async(2));
        assert!(probe.poll(future.as_mut()).is_pending());
    }
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(probe.woken(), 0);
}

#[test]
fn a_message_on_its_way_to_a_dropped_future_is_received_by_the_next() {
    let (sender, receiver) = unbounded();
    let probe = Probe::new();
    {
        let mut future = pin!(receiver.recv_async());
        assert!(probe.poll(future.as_mut()).is_pending());
        sender.send(1).unwrap();
    }
    sender.send(2).unwrap();
    assert_eq!(receiver.len(), 2);
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1, 2]);
    assert!(receiver.is_empty());
}

#[test]
fn a_message_on_its_way_to_a_dropped_future_goes_to_who_waits() {
    let (sender, receiver) = bounded(0);
    let (first, second) = (Probe::new(), Probe::new());
    let mut later = pin!(receiver.recv_async());
    {
        let mut future = pin!(receiver.recv_async());
        assert!(first.poll(future.as_mut()).is_pending());
        assert!(second.poll(later.as_mut()).is_pending());
        sender.try_send(1).unwrap();
        assert_eq!((first.woken(), second.woken()), (1, 0));
    }
    assert_eq!(second.woken(), 1);
    assert_eq!(second.poll(later.as_mut()), Poll::Ready(Ok(1)));
}

#[test]
fn a_select_that_was_committed_to_a_dropped_future_still_sends() {
    let (sender, receiver) = bounded(0);
    let probe = Probe::new();
    let mut select = Select::new();
    select.send(&sender);
    let operation = {
        let mut future = pin!(receiver.recv_async());
        assert!(probe.poll(future.as_mut()).is_pending());
        select.try_select().unwrap()
    };
    operation.send(&sender, 5).unwrap();
    assert_eq!(receiver.recv(), Ok(5));
}

#[test]
fn closing_wakes_tasks_and_gives_messages_back() {
    let (sender, receiver) = bounded(0);
    let probe = Probe::new();
    let mut sending = pin!(sender.send_async("mine"));
    assert!(probe.poll(sending.as_mut()).is_pending());
    assert!(receiver.close());
    assert_eq!(probe.woken(), 1);
    assert_eq!(
        probe.poll(sending.as_mut()),
        Poll::Ready(Err(SendError("mine")))
    );

    let (sender, receiver) = bounded::<()>(0);
    let mut receiving = pin!(receiver.recv_async());
    assert!(probe.poll(receiving.as_mut()).is_pending());
    drop(sender);
    assert_eq!(probe.poll(receiving.as_mut()), Poll::Ready(Err(RecvError)));
}

#[test]
fn a_full_channel_takes_the_message_of_a_waiting_task_when_there_is_room() {
    let (sender, receiver) = bounded(1);
    let probe = Probe::new();
    sender.send(1).unwrap();
    let mut sending = pin!(sender.send_async(2));
    assert!(probe.poll(sending.as_mut()).is_pending());
    assert_eq!(receiver.recv(), Ok(1));
    assert_eq!(probe.woken(), 1);
    assert_eq!(receiver.recv(), Ok(2));
    assert_eq!(probe.poll(sending.as_mut()), Poll::Ready(Ok(())));
}

#[test]
fn messages_are_dropped_once_whatever_becomes_of_the_futures() {
    let message = Arc::new(());
    let probe = Probe::new();
    let (sender, receiver): (_, Receiver<Arc<()>>) = bounded(1);
    drop(sender.send_async(message.clone()));
    {
        let mut full = pin!(sender.send_async(message.clone()));
        assert_eq!(probe.poll(full.as_mut()), Poll::Ready(Ok(())));
        let mut waiting = pin!(sender.send_async(message.clone()));
        assert!(probe.poll(waiting.as_mut()).is_pending());
    }
    assert_eq!(Arc::strong_count(&message), 2);
    drop(receiver.try_recv());
    {
        let mut receiving = pin!(receiver.recv_async());
        assert!(probe.poll(receiving.as_mut()).is_pending());
        sender.send(message.clone()).unwrap();
    }
    assert_eq!(Arc::strong_count(&message), 2);
    drop((sender, receiver));
    assert_eq!(Arc::strong_count(&message), 1);
}

#[test]
fn a_task_waits_for_the_clock() {
    let start = Instant::now();
    let due = block_on(after(Duration::from_millis(10)).recv_async()).unwrap();
    assert!(due >= start + Duration::from_millis(10) && Instant::now() >= due);
    // One that is dropped leaves nothing that waits for an hour.
    let probe = Probe::new();
    let hour = after(Duration::from_secs(3600));
    assert!(probe.poll(pin!(hour.recv_async())).is_pending());
}

#[test]
fn a_stream_ends_with_the_channel() {
    let (sender, receiver) = unbounded();
    corun::spawn(move || (0..100).for_each(|n| sender.send(n).unwrap()));
    let mut stream = pin!(receiver.stream());
    let mut sum = 0;
    while let Some(n) = block_on(std::future::poll_fn(|cx| {
        futures_core::Stream::poll_next(stream.as_mut(), cx)
    })) {
        sum += n;
    }
    assert_eq!(sum, 4950);
}
