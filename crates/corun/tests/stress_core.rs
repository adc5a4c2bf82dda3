//! Random programs of the core alone, on several numbers of workers: what was made is dropped, what was started ends, and nothing hangs.
//! The seed is printed; `CORUN_STRESS_SEED` repeats a run as far as threads can be repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corun::{JoinHandle, Runtime};

/// A small generator of numbers that are random enough (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) % sides
    }
    fn split(&mut self) -> Dice {
        Dice(self.roll(u64::MAX))
    }
}

fn seed() -> u64 {
    let given = std::env::var("CORUN_STRESS_SEED").ok();
    let seed = given.map_or_else(
        || std::process::id().into(),
        |text| text.parse().expect("a number"),
    );
    println!("CORUN_STRESS_SEED={seed}");
    seed
}

#[derive(Default)]
struct World {
    /// Tokens that are alive: closures, results and frames hold one each.
    alive: AtomicI64,
    ended: AtomicU64,
}

struct Token(Arc<World>);

impl Token {
    fn new(world: &Arc<World>) -> Token {
        world.alive.fetch_add(1, Ordering::Relaxed);
        Token(Arc::clone(world))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One coroutine: a few random steps. Returns a token, and how many coroutines it stands for.
fn program(world: &Arc<World>, mut dice: Dice, depth: u32) -> (Token, u64) {
    let mut count = 1;
    let mut handles: Vec<JoinHandle<(Token, u64)>> = Vec::new();
    for _ in 0..dice.roll(6) {
        match dice.roll(9) {
            0..3 if depth > 0 => {
                let (frame, child) = (Token::new(world), dice.split());
                let world = Arc::clone(world);
                let body = move || {
                    let _frame = frame;
                    program(&world, child, depth - 1)
                };
                handles.push(if dice.roll(4) == 0 {
                    corun::spawn_local(body)
                } else {
                    corun::spawn(body)
                });
            }
            3 => corun::yield_now(),
            4 => corun::sleep(Duration::from_micros(dice.roll(300))),
            5 => {
                let me = corun::current();
                if dice.roll(2) == 0 {
                    std::thread::spawn(move || me.unpark());
                } else {
                    corun::spawn(move || me.unpark());
                }
                corun::park();
            }
            6 => corun::park_timeout(Duration::from_micros(dice.roll(200))),
            7 => {
                let mut borrowed = [0u64; 3];
                corun::scope(|scope| {
                    for (n, slot) in borrowed.iter_mut().enumerate() {
                        let frame = Token::new(world);
                        scope.spawn(move || {
                            let _frame = frame;
                            corun::yield_now();
                            *slot = n as u64;
                        });
                    }
                });
                assert_eq!(borrowed, [0, 1, 2]);
            }
            _ => {
                if let Some(handle) = handles.pop() {
                    count += handle.join().unwrap().1;
                }
            }
        }
    }
    for handle in handles {
        if dice.roll(3) != 0 {
            count += handle.join().unwrap().1;
        }
        // Else it is dropped, before or after the end, and its result with it.
    }
    world.ended.fetch_add(1, Ordering::Relaxed);
    (Token::new(world), count)
}

#[test]
fn random_programs_leave_nothing_behind() {
    let mut dice = Dice(seed());
    for workers in [1, 2, 8] {
        let runtime = Runtime::builder().workers(workers).build().unwrap();
        let world = Arc::new(World::default());
        let end = Instant::now() + Duration::from_millis(400);
        while Instant::now() < end {
            let (world, dice) = (Arc::clone(&world), dice.split());
            let (_token, count) = runtime.block_on(|| program(&world, dice, 5));
            assert!(count >= 1);
        }
        // Those that nobody waits for end before their threads do.
        runtime.shutdown(Duration::from_secs(60)).unwrap();
        assert!(world.ended.load(Ordering::Relaxed) > 0);
        assert_eq!(world.alive.load(Ordering::Relaxed), 0, "{workers} workers");
    }
}

#[test]
fn runtimes_that_end_under_spawns_from_outside_run_or_refuse_each() {
    let mut dice = Dice(seed());
    let end = Instant::now() + Duration::from_millis(600);
    while Instant::now() < end {
        let runtime = Runtime::builder()
            .workers(1 + dice.roll(3) as usize)
            .build()
            .unwrap();
        let world = Arc::new(World::default());
        let (accepted, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (handle, world) = (runtime.handle().clone(), Arc::clone(&world));
                let (accepted, stop) = (&accepted, &stop);
                let mut dice = dice.split();
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let (token, short) = (Token::new(&world), dice.roll(2) == 0);
                        let spawned = corun::Builder::new().spawn_on(&handle, move || {
                            if !short {
                                corun::yield_now();
                            }
                            token.0.ended.fetch_add(1, Ordering::Relaxed);
                        });
                        match spawned {
                            Ok(_) => accepted.fetch_add(1, Ordering::Relaxed),
                            Err(_) => return,
                        };
                    }
                });
            }
            for _ in 0..dice.roll(200) {
                std::thread::yield_now();
            }
            let ended = runtime.shutdown(Duration::from_secs(60));
            stop.store(true, Ordering::Relaxed);
            ended.unwrap();
        });
        assert_eq!(
            world.ended.load(Ordering::Relaxed),
            accepted.load(Ordering::Relaxed)
        );
        assert_eq!(world.alive.load(Ordering::Relaxed), 0);
    }
}
