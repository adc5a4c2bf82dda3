//! Promises: each future comes to one end, whoever waits for it learns of it, and callbacks are called once.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use crate::common::{CountingWaker, block_on, everywhere, poll_once, takes_at_least};
use corun::future::{
    Eventual, Future, Promise, Rejected, SharedFuture, State, join_all, promise, select_ok,
};

/// Counts what each thread allocates.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATED.try_with(|allocated| {
            let (count, bytes) = allocated.get();
            allocated.set((count + 1, bytes + layout.size()));
        });
        // SAFETY: by the contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: by the contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many blocks, and bytes, the calling thread allocates meanwhile.
fn allocated<T>(f: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = ALLOCATED.get();
    let value = f();
    let after = ALLOCATED.get();
    (value, after.0 - before.0, after.1 - before.1)
}

type Pair = (Promise<u64, String>, Future<u64, String>);

#[test]
fn a_value_an_error_or_nothing() {
    everywhere(|place| {
        let (promise, future): Pair = promise();
        assert_eq!(future.state(), State::Pending);
        assert_eq!(future.get(), None);
        let keeper = place.spawn(move || promise.resolve(1));
        assert_eq!(future.wait(), Ok(1));
        keeper.join();

        let (promise, future): Pair = corun::future::promise();
        let keeper = place.spawn(move || promise.reject("no".into()));
        keeper.join();
        assert_eq!(future.state(), State::Rejected);
        assert_eq!(future.wait(), Err(Rejected::Error("no".into())));

        let (promise, future): Pair = corun::future::promise();
        let keeper = place.spawn(move || drop(promise));
        assert_eq!(future.wait(), Err(Rejected::Abandoned));
        keeper.join();

        let (promise, future): Pair = corun::future::promise();
        promise.complete(Ok(3));
        assert_eq!(future.state(), State::Resolved);
        assert_eq!(future.get(), Some(Ok(&3)));
        assert_eq!(future.try_take().unwrap(), Ok(3));
        assert_eq!(Future::<_, ()>::resolved(5).wait(), Ok(5));
        assert_eq!(Future::<(), _>::rejected(5).wait(), Err(Rejected::Error(5)));
    });
}

#[test]
fn errors_say_why() {
    let abandoned = Rejected::<io::Error>::Abandoned;
    assert_eq!(abandoned.to_string(), "the promise was dropped unresolved");
    let rejected = Rejected::Error(io::Error::other("why"));
    assert_eq!(rejected.to_string(), "why");
    let boxed: Box<dyn std::error::Error + Send + Sync> = rejected.into();
    assert_eq!(boxed.to_string(), "why");
    assert_eq!(io::Error::from(abandoned).kind(), io::ErrorKind::Other);
    assert_eq!(Rejected::Error(1).map(|n| n + 1).error(), Some(2));
    assert_eq!(Rejected::<u8>::Cancelled.error(), None);
}

/// A promise that unwinds with its owner.
#[test]
fn a_panic_abandons() {
    everywhere(|place| {
        let (promise, future): Pair = promise();
        let keeper = place.spawn(move || {
            let _ = catch_unwind(AssertUnwindSafe(move || {
                let _promise = promise;
                std::panic::resume_unwind(Box::new(()));
            }));
        });
        assert_eq!(future.wait(), Err(Rejected::Abandoned));
        keeper.join();
    });
}

#[test]
fn many_wait_in_all_the_ways_there_are() {
    everywhere(|place| {
        let (promise, future): Pair = promise();
        let future = future.shared();
        let called = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let called = Arc::clone(&called);
            future.on_complete(move |outcome| {
                called.fetch_add(*outcome.unwrap() as usize, Ordering::SeqCst);
            });
        }
        let tasks: Vec<_> = (0..24)
            .map(|n| {
                let future = future.clone();
                place.spawn(move || match n % 4 {
                    0 => *future.wait().unwrap(),
                    1 => block_on(future.cloned()).unwrap(),
                    2 => *block_on((&future).into_future()).unwrap(),
                    _ => *future
                        .wait_timeout(Duration::from_secs(60))
                        .unwrap()
                        .unwrap(),
                })
            })
            .collect();
        corun::yield_now();
        promise.resolve(7);
        for task in tasks {
            assert_eq!(task.join(), 7);
        }
        assert_eq!(called.load(Ordering::SeqCst), 21);
        assert_eq!(future.try_take().unwrap(), Ok(7), "nobody else is left");
    });
}

/// Kept and waited for by tasks without a stack, in a row of which each waits for the one before.
#[test]
fn async_tasks_keep_promises_and_wait_for_them() {
    const TASKS: u64 = 200;
    for workers in [1, 2, 8] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        let last = runtime.block_on(|| {
            let (first, mut before): Pair = promise();
            let mut tasks = Vec::new();
            for _ in 0..TASKS {
                let (promise, future): Pair = promise();
                let value = std::mem::replace(&mut before, future).map(|n| n + 1);
                tasks.push(corun::spawn_async(async move {
                    promise.resolve(value.await.unwrap());
                }));
            }
            first.resolve(0);
            for task in tasks {
                task.join().unwrap();
            }
            before.wait().unwrap()
        });
        assert_eq!(last, TASKS);
    }
}

#[test]
fn a_wait_may_have_a_limit() {
    everywhere(|_| {
        let (promise, future): Pair = promise();
        let limit = Duration::from_millis(3);
        let future = takes_at_least(limit, || future.wait_timeout(limit)).unwrap_err();
        let late = takes_at_least(limit, || corun::timeout(limit, || future.wait()));
        assert!(late.is_err());
        assert!(!promise.is_wanted(), "the future went with the closure");

        let (promise, future): Pair = corun::future::promise();
        let future = future.shared();
        assert_eq!(future.wait_timeout(limit), None);
        assert!(corun::timeout(limit, || future.wait().is_ok()).is_err());
        let doubled = future.cloned().map(|n| 2 * n);
        assert_eq!(doubled.wait_timeout(limit), None);
        promise.resolve(1);
        assert_eq!(future.wait_timeout(limit), Some(Ok(&1)));
    });
}

#[test]
fn a_promise_sees_that_nobody_wants_it() {
    everywhere(|_| {
        let (promise, future): Pair = promise();
        assert!(promise.is_wanted());
        future.cancel();
        assert!(!promise.is_wanted());
        assert_eq!(promise.try_resolve(1), Err(1));

        // A callback wants it, even with no handle left.
        let (promise, future): Pair = corun::future::promise();
        let (told, telling) = corun::future::promise::<_, ()>();
        future.on_complete(move |outcome| told.resolve(outcome));
        assert!(promise.is_wanted());
        assert_eq!(promise.try_resolve(2), Ok(()));
        assert_eq!(telling.wait(), Ok(Ok(2)));

        // Who loses a race is not wanted.
        let (slow, loser): Pair = corun::future::promise();
        let (fast, winner): Pair = corun::future::promise();
        fast.resolve(3);
        assert_eq!(loser.race(winner).wait(), Ok(3));
        assert!(!slow.is_wanted());

        // One of many may cancel for all.
        let (promise, future): Pair = corun::future::promise();
        let future = future.shared();
        let other = future.clone();
        assert!(other.cancel() && !other.cancel());
        assert!(!promise.is_wanted());
        assert_eq!(future.wait(), Err(&Rejected::Cancelled));
        promise.resolve(1);
        assert_eq!(future.state(), State::Rejected);
    });
}

#[test]
fn callbacks_are_called_once_in_order_and_with_no_lock_held() {
    everywhere(|_| {
        let (promise, future): Pair = promise();
        let future = future.shared();
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        for n in 0..10 {
            let (seen, again) = (Arc::clone(&seen), future.clone());
            let large = [n; 20];
            future.on_complete(move |outcome| {
                assert_eq!(outcome, again.get().unwrap());
                assert!(!again.cancel());
                seen.lock().unwrap().push(large[19]);
                let seen = Arc::clone(&seen);
                again.on_complete(move |_| seen.lock().unwrap().push(100 + n));
            });
        }
        assert!(seen.lock().unwrap().is_empty());
        promise.resolve(1);
        let expected: Vec<_> = (0..10).flat_map(|n| [n, 100 + n]).collect();
        assert_eq!(*seen.lock().unwrap(), expected);
    });
}

/// Neither the resolver, nor the other callbacks, nor those who wait.
#[test]
fn a_panic_in_a_callback_harms_nobody() {
    everywhere(|place| {
        let (promise, future): Pair = promise();
        let future = future.shared();
        let called = Arc::new(AtomicUsize::new(0));
        for n in 0..4 {
            let called = Arc::clone(&called);
            future.on_complete(move |_| {
                called.fetch_add(1, Ordering::SeqCst);
                if n % 2 == 0 {
                    std::panic::resume_unwind(Box::new("in a callback"));
                }
            });
        }
        let waiter = place.spawn({
            let future = future.clone();
            move || *future.wait().unwrap()
        });
        promise.resolve(9);
        assert_eq!(called.load(Ordering::SeqCst), 4);
        assert_eq!(waiter.join(), 9);
        future.on_complete(|_| std::panic::resume_unwind(Box::new("at once")));
    });
}

#[test]
fn a_callback_may_wait() {
    everywhere(|place| {
        let (promise, future): Pair = promise();
        let (gate, open) = corun::future::promise::<(), ()>();
        let (done, end) = corun::future::promise::<u64, ()>();
        future.on_complete(move |outcome| {
            open.wait().unwrap();
            done.resolve(outcome.unwrap());
        });
        let keeper = place.spawn(move || promise.resolve(1));
        // What others on the same worker resolve meanwhile does not wait for it.
        let (other, another): Pair = corun::future::promise();
        let (told, telling) = corun::future::promise::<_, ()>();
        another.on_complete(move |outcome| told.resolve(outcome));
        other.resolve(2);
        assert_eq!(telling.wait(), Ok(Ok(2)));
        gate.resolve(());
        assert_eq!(end.wait(), Ok(1));
        keeper.join();
    });
}

/// Each resolved, or abandoned, by the callback of the one before: a chain of calls, were they not made in turn.
#[test]
fn long_chains_do_not_pile_up() {
    const LENGTH: u64 = 10_000;
    everywhere(|_| {
        for kept in [true, false] {
            let (first, mut last): Pair = promise();
            for _ in 0..LENGTH {
                let (next, future): Pair = promise();
                last.on_complete(move |outcome| match outcome {
                    Ok(value) => next.resolve(value + 1),
                    Err(_) => drop(next),
                });
                last = future;
            }
            if kept {
                first.resolve(0);
                assert_eq!(last.wait(), Ok(LENGTH));
            } else {
                drop(first);
                assert_eq!(last.wait(), Err(Rejected::Abandoned));
            }
        }
        // And as adaptors, one after the other.
        let counted = block_on(async {
            let mut value = 0;
            for _ in 0..LENGTH {
                let (promise, future): Pair = promise();
                promise.resolve(value);
                value = future.map(|value| value + 1).await.unwrap();
            }
            value
        });
        assert_eq!(counted, LENGTH);
    });
}

#[test]
fn adaptors() {
    everywhere(|place| {
        let later = move |n: u64| {
            let (promise, future): Pair = promise();
            place.spawn(move || promise.resolve(n));
            future
        };
        let failing = move |error: &'static str| {
            let (promise, future): Pair = promise();
            place.spawn(move || promise.reject(error.into()));
            future
        };
        fn error<T>(error: &str) -> Result<T, Rejected<String>> {
            Err(Rejected::Error(error.to_string()))
        }
        assert_eq!(later(1).map(|n| n + 1).wait(), Ok(2));
        assert_eq!(failing("a").map(|n| n + 1).wait(), error("a"));
        assert_eq!(failing("a").map_err(|_| 5).wait(), Err(5));
        assert_eq!(later(1).map_err(|_| 5).wait(), Ok(1));
        assert_eq!(later(1).then(|n| later(n.unwrap() + 2)).wait(), Ok(3));
        assert_eq!(later(1).and_then(|n| later(n + 3)).wait(), Ok(4));
        assert_eq!(failing("b").and_then(|n| later(n + 3)).wait(), error("b"));
        assert_eq!(failing("c").or_else(|_| later(5)).wait(), Ok(5));
        assert_eq!(later(6).or_else(|_| later(5)).wait(), Ok(6));
        assert_eq!(later(1).chain(later(7)).wait(), Ok(7));
        assert_eq!(failing("d").chain(later(7)).wait(), error("d"));
        assert_eq!(later(1).join(later(2)).wait(), Ok((1, 2)));
        assert_eq!(later(1).join(failing("e")).wait(), error("e"));
        let (_never, pending): Pair = promise();
        assert_eq!(pending.join(failing("first")).wait(), error("first"));
        let (_never, pending): Pair = promise();
        assert_eq!(pending.race(later(8)).wait(), Ok(8));
        assert_eq!(join_all((0..50).map(later)).wait(), Ok((0..50).collect()));
        assert_eq!(
            join_all([later(1), failing("f"), later(3)]).wait(),
            error("f")
        );
        let (_never, pending): Pair = promise();
        assert_eq!(select_ok([failing("g"), pending, later(9)]).wait(), Ok(9));
        assert_eq!(select_ok([failing("h"), failing("h")]).wait(), error("h"));
        let of_all = corun::spawn(move || {
            block_on(
                async move { later(10).await.unwrap() + later(11).map(|n| n + 1).await.unwrap() },
            )
        });
        assert_eq!(of_all.join().unwrap(), 22);
    });
}

#[test]
fn a_panic_in_an_adaptor_is_of_who_waits() {
    let (promise, future): Pair = promise();
    promise.resolve(1);
    let waited = future.map(|_| -> u64 { std::panic::resume_unwind(Box::new("in a map")) });
    let payload = catch_unwind(AssertUnwindSafe(|| waited.wait())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"in a map"));
}

#[test]
fn the_newest_waker_is_woken_and_none_that_has_left() {
    let (promise, future): Pair = promise();
    let future = future.shared();
    let ((old_count, old), (new_count, new)) = (CountingWaker::new(), CountingWaker::new());
    let mut waiting = Box::pin(future.cloned());
    let mut leaving = Box::pin(future.cloned());
    assert!(poll_once(&mut leaving, &old).is_pending());
    for waker in [&old, &new] {
        assert!(poll_once(&mut waiting, waker).is_pending());
    }
    drop(leaving);
    promise.resolve(1);
    assert_eq!((old_count.count(), new_count.count()), (0, 1));
    assert!(poll_once(&mut waiting, &new).is_ready());
}

#[test]
fn values_are_dropped_once() {
    everywhere(|place| {
        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let drops = Arc::new(AtomicUsize::new(0));
        let mut made = 0;
        let mut pair = || {
            made += 1;
            (promise::<Counted, ()>(), Counted(Arc::clone(&drops)))
        };
        // Kept, and not looked at; taken; unwanted; seen by callbacks; raced.
        let ((promise, future), value) = pair();
        promise.resolve(value);
        drop(future);
        let ((promise, future), value) = pair();
        promise.resolve(value);
        drop(future.wait());
        let ((promise, future), value) = pair();
        drop(future);
        promise.resolve(value);
        let ((promise, future), value) = pair();
        future.on_complete(drop);
        promise.resolve(value);
        let ((promise, future), value) = pair();
        let future = future.shared();
        future.on_complete(|value| assert!(value.is_ok()));
        drop(future);
        promise.resolve(value);
        for _ in 0..50 {
            let ((promise, future), value) = pair();
            let keeper = place.spawn(move || promise.resolve(value));
            drop(future);
            keeper.join();
            let ((promise, future), value) = pair();
            let future = future.shared();
            let keeper = place.spawn(move || promise.resolve(value));
            future.cancel();
            keeper.join();
        }
        assert_eq!(drops.load(Ordering::SeqCst), made);
    });
}

#[test]
fn a_hundred_thousand() {
    const COUNT: u64 = 100_000;
    for workers in [1, 2, 8] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        let sum: u64 = runtime.block_on(|| {
            let (promises, futures): (Vec<_>, Vec<_>) = (0..COUNT).map(|_| promise()).unzip();
            let mut numbered: Vec<(u64, Promise<u64, ()>)> = (0..).zip(promises).collect();
            let rest = numbered.split_off(COUNT as usize / 2);
            for part in [numbered, rest] {
                corun::spawn(move || {
                    for (number, promise) in part.into_iter().rev() {
                        promise.resolve(number);
                    }
                });
            }
            let values = join_all(futures).wait().unwrap();
            values.into_iter().sum()
        });
        assert_eq!(sum, COUNT * (COUNT - 1) / 2);
    }
}

/// What an iterator does to make its futures, it does for all before the first is waited for.
#[test]
fn join_all_has_all_futures_made_first() {
    let all_here = Arc::new(corun::sync::Barrier::new(10));
    let crowd = (0..10).map(|number| {
        let all_here = Arc::clone(&all_here);
        corun::spawn(move || {
            all_here.wait();
            number
        })
    });
    let values = join_all(crowd).wait_timeout(Duration::from_secs(20));
    let values = values.expect("each waits for the others, which were all spawned");
    assert_eq!(values.unwrap(), (0..10).collect::<Vec<_>>());
}

/// 128 bytes at most, both handles included; and nothing but that.
#[test]
fn a_future_is_small_and_nothing_else_allocates() {
    let handles = size_of::<Promise<u64, ()>>() + size_of::<Future<u64, ()>>();
    let ((promise, future), blocks, bytes) = allocated(promise::<u64, ()>);
    assert_eq!(blocks, 1);
    assert_eq!((bytes, handles), (72, 16), "S1.20 allows less than 128");
    let (_, blocks, _) = allocated(|| {
        let counter = Arc::<AtomicUsize>::downgrade(&Arc::new(AtomicUsize::new(0)));
        drop(counter);
    });
    assert_eq!(blocks, 1, "that of the counter: the allocator counts");

    // Three words fit.
    let words = [1u64, 2, 3];
    let ((), blocks, _) = allocated(|| {
        future.on_complete(move |value| assert_eq!(value, Ok(words.iter().sum())));
        promise.resolve(6);
    });
    assert_eq!(blocks, 0);

    let pairs: [_; 8] = std::array::from_fn(|_| corun::future::promise::<u64, ()>());
    let mut promises = Vec::with_capacity(8);
    let futures = pairs.map(|(promise, future)| {
        promises.push(promise);
        future
    });
    let ((), blocks, _) = allocated(|| {
        let [a, b, c, d, e, f, g, h] = futures;
        let tree = a
            .map(|n| n + 1)
            .and_then(|n| b.map(move |m| n + m))
            .join(c.map_err(|error| error).or_else(|_| d))
            .then(|pair| e.map(move |n| pair.unwrap().0 + n))
            .chain(f.race(g))
            .join(h);
        let mut tree = pin!(tree);
        let mut context = std::task::Context::from_waker(Waker::noop());
        for promise in promises {
            assert!(std::future::Future::poll(tree.as_mut(), &mut context).is_pending());
            promise.resolve(1);
        }
        assert!(std::future::Future::poll(tree.as_mut(), &mut context).is_ready());
    });
    assert_eq!(blocks, 0);
}

#[test]
fn what_may_go_where() {
    fn sent<T: Send>() {}
    fn shown<T: Sync>() {}
    sent::<Promise<Cell<u8>, ()>>();
    shown::<Promise<Cell<u8>, ()>>();
    sent::<Future<Cell<u8>, ()>>();
    sent::<SharedFuture<u8, ()>>();
    shown::<SharedFuture<u8, ()>>();
    fn goes<T: Send>(_: T) {}
    let (_promise, future): Pair = promise();
    let (_other, another): Pair = promise();
    goes(
        future
            .map(|n| n + 1)
            .and_then(Future::resolved)
            .join(another),
    );
}
