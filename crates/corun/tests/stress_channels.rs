//! Channels, everything at once, for a while: coroutines and threads that pick at random what to send, to receive, to select, to close, to
//! give up and to break off by a panic, on several numbers of workers. No message may be lost or doubled, nobody may hang, and
//! memory stays flat. `CORUN_STRESS_SECONDS` makes it last longer than its usual second.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use corun::channel::{Receiver, Sender, after, bounded, select, unbounded};

/// Bytes of heap in use.
static HEAP: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is passed on to the system's allocator as it comes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP.fetch_add(layout.size(), SeqCst);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HEAP.fetch_sub(layout.size(), SeqCst);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A small generator of numbers that are random enough (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.roll(400))
    }
}

/// What became of the messages.
#[derive(Default)]
struct Counts {
    made: AtomicU64,
    received: AtomicU64,
    alive: AtomicI64,
    closed: AtomicU64,
    panicked: AtomicU64,
}

/// A message that knows whether it was kept well: a double one would be freed twice, a lost one never.
struct Message {
    counts: Arc<Counts>,
    text: String,
}

impl Message {
    fn new(counts: &Arc<Counts>) -> Message {
        counts.alive.fetch_add(1, SeqCst);
        let number = counts.made.fetch_add(1, SeqCst);
        Message {
            counts: Arc::clone(counts),
            text: format!("message {number}"),
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        assert!(self.text.starts_with("message "));
        assert!(self.counts.alive.fetch_sub(1, SeqCst) > 0);
    }
}

type Ends = (Sender<Message>, Receiver<Message>);

const CAPACITIES: [usize; 6] = [0, 0, 1, 7, 64, usize::MAX];

fn channel(place: usize) -> Ends {
    match CAPACITIES[place] {
        usize::MAX => unbounded(),
        capacity => bounded(capacity),
    }
}

struct World {
    end: Instant,
    /// The channels of this moment: one that is closed is replaced.
    channels: Vec<Mutex<Ends>>,
    counts: Arc<Counts>,
}

impl World {
    fn ends(&self, place: usize) -> Ends {
        self.channels[place].lock().unwrap().clone()
    }

    fn any(&self, dice: &mut Dice) -> Ends {
        self.ends(dice.roll(CAPACITIES.len() as u64) as usize)
    }

    fn message(&self) -> Message {
        Message::new(&self.counts)
    }

    fn receive<E>(&self, received: Result<Message, E>) {
        if let Ok(message) = received {
            assert!(message.text.starts_with("message "));
            self.counts.received.fetch_add(1, SeqCst);
        }
    }

    /// Closes a channel, from either side, and puts a new one in its place; what is still in it goes with the last who has it.
    fn close(&self, place: usize, by_sender: bool) {
        let (sender, receiver) =
            std::mem::replace(&mut *self.channels[place].lock().unwrap(), channel(place));
        let closed = if by_sender {
            sender.close()
        } else {
            receiver.close()
        };
        self.counts.closed.fetch_add(u64::from(closed), SeqCst);
    }
}

/// One step of somebody who sends, receives and selects.
fn step(world: &World, dice: &mut Dice) {
    let (sender, receiver) = world.any(dice);
    let (other_sender, other) = world.any(dice);
    let moment = dice.moment();
    match dice.roll(13) {
        0 if !world.is_swollen(&sender) => drop(sender.send(world.message())),
        1 => drop(sender.try_send(world.message())),
        2 if !world.is_swollen(&sender) => drop(sender.send_timeout(world.message(), moment)),
        3 => world.receive(receiver.recv()),
        4 => world.receive(receiver.try_recv()),
        5 => world.receive(receiver.recv_timeout(moment)),
        6 => select! {
            recv(receiver) -> message => world.receive(message),
            recv(other) -> message => world.receive(message),
            default(moment) => {}
        },
        7 => select! {
            send(sender, world.message()) -> _ => {}
            recv(other) -> message => world.receive(message),
            default => corun::yield_now(),
        },
        8 => select! {
            send(sender, world.message()) -> _ => {}
            send(other_sender, world.message()) -> _ => {}
            recv(receiver) -> message => world.receive(message),
            recv(after(moment)) -> _ => {}
        },
        9 => receiver
            .try_iter()
            .take(5)
            .for_each(|message| world.receive(Ok::<_, ()>(message))),
        10 => drop(corun::timeout(moment, || {
            world.receive(receiver.recv());
            world.receive(other.recv());
        })),
        11 if dice.roll(10) == 0 => {
            world.close(
                dice.roll(CAPACITIES.len() as u64) as usize,
                dice.roll(2) == 0,
            );
        }
        12 => break_off(world, sender, receiver),
        _ => corun::yield_now(),
    }
}

impl World {
    /// Unbounded channels grow only as far as there is use in it.
    fn is_swollen(&self, sender: &Sender<Message>) -> bool {
        sender.len() > 500
    }
}

/// Panics where a select is committed to a send whose message it does not have yet, and where a message is at hand.
fn break_off(world: &World, sender: Sender<Message>, receiver: Receiver<Message>) {
    let counts = Arc::clone(&world.counts);
    // Without the hook: thousands of messages would bury those that matter.
    fn stop<T>() -> T {
        std::panic::resume_unwind(Box::new(7_u8))
    }
    let unlucky = corun::spawn(move || {
        select! {
            send(sender, stop()) -> _ => {}
            recv(receiver) -> message => {
                counts.received.fetch_add(u64::from(message.is_ok()), SeqCst);
                stop()
            }
            default => stop(),
        }
    });
    let payload: Result<(), _> = unlucky.join();
    assert_eq!(
        payload.expect_err("it panicked").downcast_ref::<u8>(),
        Some(&7)
    );
    world.counts.panicked.fetch_add(1, SeqCst);
}

/// Keeps the others from all waiting for each other.
fn keep_going(world: &World) {
    while Instant::now() < world.end {
        for place in 0..CAPACITIES.len() {
            let (sender, receiver) = world.ends(place);
            world.receive(receiver.try_recv());
            let _ = sender.try_send(world.message());
        }
        corun::sleep(Duration::from_micros(100));
    }
    // Whoever waits now would wait for ever.
    for place in 0..CAPACITIES.len() {
        world.close(place, true);
    }
}

fn wander(world: &World, seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    while Instant::now() < world.end {
        step(world, &mut dice);
    }
}

fn everybody(world: &Arc<World>) {
    let threads: Vec<_> = (101..=102)
        .map(|seed| {
            let world = Arc::clone(world);
            std::thread::spawn(move || wander(&world, seed))
        })
        .collect();
    let coroutines: Vec<_> = (1..=64)
        .map(|seed| {
            let world = Arc::clone(world);
            corun::spawn(move || wander(&world, seed))
        })
        .collect();
    keep_going(world);
    // A last one may have come to a channel that is not closed yet.
    while !coroutines.iter().all(|coroutine| coroutine.is_finished())
        || !threads.iter().all(|thread| thread.is_finished())
    {
        for place in 0..CAPACITIES.len() {
            world.close(place, false);
        }
        corun::sleep(Duration::from_micros(100));
    }
    for coroutine in coroutines {
        coroutine.join().expect("no panic");
    }
    for thread in threads {
        thread.join().expect("no panic");
    }
}

/// Several rounds, so that what each of them leaves behind would add up. The first one fills the caches of the runtime.
fn rounds(total: Duration) {
    let counts = Arc::new(Counts::default());
    let mut heap = Vec::new();
    for _ in 0..5 {
        let world = Arc::new(World {
            end: Instant::now() + total / 5,
            channels: (0..CAPACITIES.len())
                .map(|place| Mutex::new(channel(place)))
                .collect(),
            counts: Arc::clone(&counts),
        });
        everybody(&world);
        while Arc::strong_count(&world) > 1 {
            corun::yield_now();
        }
        drop(world);
        assert_eq!(counts.alive.load(SeqCst), 0, "every message went somewhere");
        heap.push(HEAP.load(SeqCst));
    }
    let (made, received) = (counts.made.load(SeqCst), counts.received.load(SeqCst));
    println!("{received} of {made} messages; bytes of heap after each round: {heap:?}");
    assert!(received > 1000 && received < made);
    assert!(counts.closed.load(SeqCst) > 30 && counts.panicked.load(SeqCst) > 10);
    assert!(heap[4] < heap[1] + 200_000, "{heap:?}");
}

// One test, since the heap is counted for all of them.
#[test]
fn no_message_is_lost_and_memory_stays_flat() {
    let seconds = std::env::var("CORUN_STRESS_SECONDS")
        .map_or(1, |text| text.parse().expect("a number of seconds"));
    for workers in [1, 2, 16] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(move || rounds(Duration::from_secs(seconds)));
    }
}
