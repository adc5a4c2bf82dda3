//! Everything at once, for a while: coroutines that pick at random what to wait for, on several numbers of workers. What is counted must
//! add up at the end, and nothing may hang. `CORUN_STRESS_SECONDS` makes it last longer than its usual second.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use corun::net::{TcpListener, TcpStream};

/// A small generator of numbers that are random enough (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

struct World {
    end: Instant,
    echo: std::net::SocketAddr,
    started: AtomicU64,
    finished: AtomicU64,
    panicked: AtomicU64,
    caught: AtomicU64,
    dropped: AtomicU64,
}

/// Counts what is dropped, also by a panic.
struct Token<'a>(&'a World);

impl Drop for Token<'_> {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, SeqCst);
    }
}

fn wander(world: &Arc<World>, seed: u64, depth: u32) {
    world.started.fetch_add(1, SeqCst);
    let _token = Token(world);
    let mut dice = Dice(seed | 1);
    while Instant::now() < world.end {
        match dice.roll(10) {
            0 | 1 => corun::yield_now(),
            2 => corun::sleep(Duration::from_micros(dice.roll(2_000))),
            3 => drop(corun::blocking(|| std::thread::current().id())),
            4 => park_until_woken(dice.roll(2) == 0),
            5 => echo(world, &mut dice),
            6 if depth < 3 => raise_children(world, dice.roll(u64::MAX), depth),
            7 => borrow(dice.roll(50)),
            8 => catch(world),
            9 => corun::park_timeout(Duration::from_micros(dice.roll(500))),
            _ => corun::checkpoint(),
        }
    }
    world.finished.fetch_add(1, SeqCst);
}

/// Parks until another coroutine, or a thread of the blocking pool, has set a flag.
fn park_until_woken(by_thread: bool) {
    let (flag, me) = (Arc::new(AtomicBool::new(false)), corun::current());
    let set = Arc::clone(&flag);
    let wake = move || {
        set.store(true, SeqCst);
        me.unpark();
    };
    let waker = corun::spawn(move || {
        if by_thread {
            corun::blocking(wake)
        } else {
            wake()
        }
    });
    while !flag.load(SeqCst) {
        corun::park();
    }
    waker.join().expect("no panic");
}

fn echo(world: &World, dice: &mut Dice) {
    let mut stream = TcpStream::connect(world.echo).expect("connect");
    let sent: Vec<u8> = (0..dice.roll(100_000)).map(|index| index as u8).collect();
    let mut received = Vec::new();
    corun::scope(|scope| {
        let mut writer = &stream;
        let sent = &sent;
        scope.spawn(move || {
            writer.write_all(sent).expect("write");
            writer
                .shutdown(std::net::Shutdown::Write)
                .expect("shutdown");
        });
        (&stream).read_to_end(&mut received).expect("read");
    });
    assert_eq!(sent, received);
    assert_eq!(stream.read(&mut [0]).expect("still at its end"), 0);
}

fn raise_children(world: &Arc<World>, seed: u64, depth: u32) {
    let mut dice = Dice(seed | 1);
    let child = || {
        let (world, seed) = (Arc::clone(world), dice.roll(u64::MAX));
        corun::spawn(move || wander(&world, seed, depth + 1))
    };
    // Half of them are waited for; the others end by themselves, and are counted all the same.
    let children: Vec<_> = std::iter::repeat_with(child).take(4).collect();
    for child in children.into_iter().step_by(2) {
        child.join().expect("no panic");
    }
}

fn borrow(parts: u64) {
    let total = AtomicU64::new(0);
    corun::scope(|scope| {
        for part in 0..parts {
            let total = &total;
            scope.spawn(move || total.fetch_add(part, SeqCst));
        }
    });
    assert_eq!(total.into_inner(), parts * parts.saturating_sub(1) / 2);
}

fn catch(world: &Arc<World>) {
    let inside = Arc::clone(world);
    let unlucky = corun::spawn(move || {
        inside.panicked.fetch_add(1, SeqCst);
        // Without the hook: thousands of messages would bury those that matter.
        std::panic::resume_unwind(Box::new(7_u8));
    });
    let payload: Result<(), _> = unlucky.join();
    assert_eq!(
        payload.expect_err("it panicked").downcast_ref::<u8>(),
        Some(&7)
    );
    world.caught.fetch_add(1, SeqCst);
}

#[corun::test(workers = [1, 2, 16])]
fn what_is_counted_adds_up() {
    let seconds = std::env::var("CORUN_STRESS_SECONDS")
        .map_or(1, |text| text.parse().expect("a number of seconds"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let world = Arc::new(World {
        end: Instant::now() + Duration::from_secs(seconds),
        echo: listener.local_addr().expect("bound"),
        started: AtomicU64::new(0),
        finished: AtomicU64::new(0),
        panicked: AtomicU64::new(0),
        caught: AtomicU64::new(0),
        dropped: AtomicU64::new(0),
    });
    corun::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("accept");
            corun::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    let wanderers: Vec<_> = (1..=64)
        .map(|seed: u64| {
            let world = Arc::clone(&world);
            corun::spawn(move || wander(&world, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), 0))
        })
        .collect();
    for wanderer in wanderers {
        wanderer.join().expect("no panic");
    }
    // Those that nobody joins see the end of the time as well.
    while Arc::strong_count(&world) > 1 {
        corun::yield_now();
    }
    let count = |counter: &AtomicU64| counter.load(SeqCst);
    assert!(count(&world.started) >= 64);
    assert_eq!(count(&world.started), count(&world.finished));
    assert_eq!(count(&world.started), count(&world.dropped));
    assert_eq!(count(&world.panicked), count(&world.caught));
}
