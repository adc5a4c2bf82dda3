//! Random programs of everything at once, for some seconds: a lost wake-up hangs, a stack that two threads use at once crashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corun::channel::{Receiver, Sender, bounded};
use corun::sync::Mutex;

use crate::{runtime, spawn};

struct Shared {
    counters: Vec<Mutex<u64>>,
    added: AtomicU64,
    channels: Vec<(Sender<u64>, Receiver<u64>)>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Its canary lies on the stack, and tells if anybody else was there.
fn wander(shared: &Shared, seed: u64, steps: u64, depth: u32) {
    let mut random = Random(seed | 1);
    let canary = [seed; 16];
    for step in 0..steps {
        match random.below(12) {
            0..=2 => corun::yield_now(),
            3 => corun::sleep(Duration::from_micros(random.below(200))),
            4 | 5 => {
                let mut counter = shared.counters[random.below(4) as usize].lock().unwrap();
                let seen = *counter;
                if random.below(4) == 0 {
                    corun::yield_now();
                }
                *counter = seen + 1;
                shared.added.fetch_add(1, Ordering::Relaxed);
            }
            6 => {
                let (sender, _) = &shared.channels[random.below(3) as usize];
                let _ = sender.send_timeout(step, Duration::from_micros(random.below(100)));
            }
            7 => {
                let (_, receiver) = &shared.channels[random.below(3) as usize];
                let _ = receiver.recv_timeout(Duration::from_micros(random.below(100)));
            }
            8 => {
                let limit = Duration::from_micros(random.below(100));
                let _ = corun::timeout(limit, || corun::sleep(Duration::from_micros(50)));
            }
            9 => {
                let child = spawn(|| {
                    corun::yield_now();
                    corun::park();
                });
                if random.below(2) == 0 {
                    corun::yield_now();
                }
                if random.below(2) == 0 {
                    child.cancel();
                } else {
                    child.coroutine().unpark();
                }
                let _ = child.join();
            }
            10 => assert_eq!(corun::spawn(move || step).join().unwrap(), step),
            _ if depth > 0 => wander(shared, random.below(u64::MAX), 3, depth - 1),
            _ => corun::checkpoint(),
        }
        assert_eq!(canary, [seed; 16]);
    }
}

#[test]
fn random_programs() {
    for workers in [1, 2, 8] {
        let until = Instant::now() + Duration::from_secs(1);
        let mut round = 0;
        while Instant::now() < until {
            round += 1;
            runtime(workers).block_on(move || {
                let shared = Arc::new(Shared {
                    counters: (0..4).map(|_| Mutex::new(0)).collect(),
                    added: AtomicU64::new(0),
                    channels: (0..3).map(bounded).collect(),
                });
                let all: Vec<_> = (0..64u64)
                    .map(|n| {
                        let shared = Arc::clone(&shared);
                        let seed = (round * 64 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        let body = move || wander(&shared, seed, 60, 3);
                        if n % 4 == 0 {
                            corun::spawn(body)
                        } else {
                            spawn(body)
                        }
                    })
                    .collect();
                all.into_iter().for_each(|one| one.join().unwrap());
                let sum: u64 = shared.counters.iter().map(|one| *one.lock().unwrap()).sum();
                assert_eq!(sum, shared.added.load(Ordering::Relaxed));
            });
        }
    }
}
