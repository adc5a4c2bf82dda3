//! A program written for `std::thread` moves by changing its imports: everything below also compiles with `use std::thread;`, which the
//! macro does, so that the two cannot drift apart.

/// The program, once for each of the two.
macro_rules! program {
    ($name:ident, $test:meta, $thread:path, $local:path) => {
        mod $name {
            use std::cell::{Cell, RefCell};
            use std::collections::HashMap;
            use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
            use std::sync::mpsc::channel;
            use std::sync::{Arc, Mutex, RwLock};
            use std::time::{Duration, Instant};

            use thread::{Builder, JoinHandle, LocalKey, ScopedJoinHandle, Thread, ThreadId};
            use $thread as thread;

            #[$test]
            fn spawning_and_joining() {
                let adder: JoinHandle<i32> = thread::spawn(|| 2 + 2);
                assert_eq!(adder.join().unwrap(), 4);
                let (sender, receiver) = channel();
                let workers: Vec<JoinHandle<()>> = (0..4)
                    .map(|id| {
                        let sender = sender.clone();
                        thread::spawn(move || sender.send(id * id).unwrap())
                    })
                    .collect();
                drop(sender);
                for worker in workers {
                    worker.join().unwrap();
                }
                let mut squares: Vec<i32> = receiver.iter().collect();
                squares.sort();
                assert_eq!(squares, [0, 1, 4, 9]);
            }

            #[$test]
            fn shared_state() {
                let words = Arc::new(Mutex::new(HashMap::new()));
                let text = "one two two three three three";
                let counters: Vec<_> = text
                    .split(' ')
                    .map(|word| {
                        let words = Arc::clone(&words);
                        thread::spawn(move || *words.lock().unwrap().entry(word).or_insert(0) += 1)
                    })
                    .collect();
                for counter in counters {
                    counter.join().expect("a counter has panicked");
                }
                assert_eq!(words.lock().unwrap()["three"], 3);
                let shared = Arc::new(RwLock::new(1));
                let reader = thread::spawn({
                    let shared = shared.clone();
                    move || *shared.read().unwrap()
                });
                assert_eq!(reader.join().unwrap(), 1);
            }

            #[$test]
            fn builders_and_identity() {
                let builder = Builder::new()
                    .name("foo".to_string())
                    .stack_size(256 * 1024);
                let handle = builder.spawn(|| {
                    let me: Thread = thread::current();
                    assert_eq!(me.name(), Some("foo"));
                    me.id()
                });
                let handle = handle.unwrap();
                let id: ThreadId = handle.thread().id();
                assert_eq!(handle.thread().name(), Some("foo"));
                assert_eq!(handle.join().unwrap(), id);
                assert_ne!(thread::current().id(), id);
                assert!(format!("{:?} {:?}", thread::current(), id).len() > 5);
                let scoped = thread::scope(|scope| {
                    let handle = Builder::new()
                        .name("bar".into())
                        .spawn_scoped(scope, || 5)
                        .unwrap();
                    assert_eq!(handle.thread().name(), Some("bar"));
                    handle.join().unwrap()
                });
                assert_eq!(scoped, 5);
            }

            #[$test]
            fn scopes() {
                let mut a = vec![1, 2, 3];
                let mut x = 0;
                let sum: i32 = thread::scope(|s| {
                    let handle: ScopedJoinHandle<'_, i32> = s.spawn(|| a.iter().sum());
                    s.spawn(|| x += a[0] + a[2]);
                    handle.join().unwrap()
                });
                a.push(4);
                assert_eq!((x, a.len(), sum), (4, 4, 6));
            }

            #[$test]
            fn parking() {
                let flag = Arc::new(AtomicBool::new(false));
                let parked = thread::spawn({
                    let flag = Arc::clone(&flag);
                    move || {
                        while !flag.load(Ordering::Acquire) {
                            thread::park();
                        }
                    }
                });
                flag.store(true, Ordering::Release);
                parked.thread().unpark();
                parked.join().unwrap();
                let begin = Instant::now();
                let timeout = Duration::from_millis(5);
                let mut remaining = timeout;
                while !remaining.is_zero() {
                    thread::park_timeout(remaining);
                    remaining = timeout.saturating_sub(begin.elapsed());
                }
                assert!(begin.elapsed() >= timeout);
            }

            #[$test]
            fn time_and_turns() {
                let now = Instant::now();
                thread::sleep(Duration::from_millis(3));
                thread::yield_now();
                assert!(now.elapsed() >= Duration::from_millis(3));
                assert!(thread::available_parallelism().unwrap().get() >= 1);
                assert!(!thread::panicking());
            }

            #[$test]
            fn panics() {
                let result: thread::Result<()> =
                    thread::spawn(|| std::panic::resume_unwind(Box::new("oh"))).join();
                assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "oh");
                struct Witness(Arc<AtomicUsize>);
                impl Drop for Witness {
                    fn drop(&mut self) {
                        if thread::panicking() {
                            self.0.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                let seen = Arc::new(AtomicUsize::new(0));
                let witness = Witness(seen.clone());
                let panicking = thread::spawn(move || {
                    let _witness = witness;
                    std::panic::resume_unwind(Box::new(()));
                });
                let result: thread::Result<()> = panicking.join();
                assert!(result.is_err());
                assert_eq!(seen.load(Ordering::Relaxed), 1);
            }

            use $local as thread_local;
            thread_local! {
                pub static FOO: Cell<u32> = const { Cell::new(1) };
                static BAR: RefCell<Vec<f32>> = RefCell::new(vec![1.0, 2.0]);
            }

            #[$test]
            fn locals() {
                fn increase(key: &'static LocalKey<Cell<u32>>) -> u32 {
                    key.set(key.get() + 1);
                    key.get()
                }
                assert_eq!(increase(&FOO), 2);
                BAR.with_borrow(|v| assert_eq!(v[1], 2.0));
                let other = thread::spawn(|| {
                    assert_eq!(FOO.get(), 1);
                    BAR.with_borrow_mut(|v| v.push(3.0));
                    BAR.take().len()
                });
                assert_eq!(other.join().unwrap(), 3);
                assert_eq!((FOO.get(), BAR.with(|v| v.borrow().len())), (2, 2));
                assert_eq!(FOO.try_with(|foo| foo.get()), Ok(2));
            }
        }
    };
}

program!(with_std, test, std::thread, std::thread_local);
program!(
    with_corun_from_a_plain_thread,
    test,
    corun::thread,
    corun::thread::thread_local
);
program!(
    with_corun_in_a_coroutine,
    corun::test,
    corun::thread,
    corun::thread::thread_local
);
