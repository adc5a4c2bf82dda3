//! Async tasks: results, wake-ups from everywhere, panics, names, states, locals, and what must not be done in a poll.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::guests::{on_runtimes, poll_once, yield_once};
use corun::channel::{bounded, unbounded};
use corun::{State, block_on, spawn, spawn_async, spawn_async_local};

#[test]
fn a_task_gives_its_result_to_joins_and_awaits() {
    on_runtimes(|| {
        assert_eq!(spawn_async(async { 1 }).join().unwrap(), 1);
        assert_eq!(block_on(spawn_async(async { 2 })).unwrap(), 2);
        let nested = spawn_async(async {
            let coroutine = spawn(|| 3).await.unwrap();
            let task = spawn_async(async {
                yield_once().await;
                4
            });
            coroutine + task.await.unwrap()
        });
        assert_eq!(nested.join().unwrap(), 7);
    });
    assert_eq!(spawn_async(async { 5 }).join().unwrap(), 5, "from a thread");
}

/// An executor that knows nothing of corun.
fn foreign_block_on<F: Future>(future: F) -> F::Output {
    struct Unparks(std::thread::Thread);
    impl std::task::Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unparks(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn handles_can_be_awaited_on_other_executors() {
    for workers in [1, 2, 8] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        for n in 0..500 {
            let coroutine = runtime.spawn(move || n);
            let task = runtime.spawn_async(async move {
                yield_once().await;
                n
            });
            let both = foreign_block_on(async { coroutine.await.unwrap() + task.await.unwrap() });
            assert_eq!(both, 2 * n);
        }
    }
}

#[test]
fn a_hundred_thousand_at_once() {
    on_runtimes(|| {
        let (gate, opened) = bounded::<()>(0);
        let tasks: Vec<_> = (0..100_000_u64)
            .map(|n| {
                let opened = opened.clone();
                spawn_async(async move {
                    let _ = opened.recv_async().await;
                    n
                })
            })
            .collect();
        drop(gate);
        let sum: u64 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 4_999_950_000);
    });
}

#[test]
fn wake_ups_from_coroutines_tasks_threads_and_timers_all_arrive() {
    const EACH: usize = 300;
    on_runtimes(|| {
        let (sender, receiver) = unbounded();
        let counter = spawn_async(async move {
            let mut count = 0;
            while receiver.recv_async().await.is_ok() {
                count += 1;
            }
            count
        });
        let (one, two, three) = (sender.clone(), sender.clone(), sender.clone());
        let coroutine = spawn(move || {
            for _ in 0..EACH {
                one.send(()).unwrap();
                corun::yield_now();
            }
        });
        let task = spawn_async(async move {
            for _ in 0..EACH {
                two.send_async(()).await.unwrap();
                yield_once().await;
            }
        });
        let thread = std::thread::spawn(move || (0..EACH).for_each(|_| three.send(()).unwrap()));
        let timer = spawn(move || {
            corun::sleep(Duration::from_millis(1));
            sender.send(()).unwrap();
        });
        coroutine.join().unwrap();
        task.join().unwrap();
        corun::blocking(move || thread.join().unwrap());
        timer.join().unwrap();
        assert_eq!(counter.join().unwrap(), 3 * EACH + 1);
    });
}

#[test]
fn a_wake_up_during_the_poll_is_not_lost() {
    on_runtimes(|| {
        // Another thread wakes it while it is being polled, and nobody does after.
        let task = spawn_async(async {
            let mut polls = 0;
            poll_fn(move |context| {
                polls += 1;
                if polls == 3 {
                    return Poll::Ready(polls);
                }
                let waker = context.waker().clone();
                std::thread::spawn(move || waker.wake()).join().unwrap();
                Poll::Pending
            })
            .await
        });
        assert_eq!(task.join().unwrap(), 3);
    });
}

#[test]
fn a_panic_reaches_whoever_joins_or_awaits() {
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    on_runtimes(|| {
        let task = spawn_async(async {
            yield_once().await;
            panic!("in a poll");
        });
        let payload = task.join().unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "in a poll");
        let awaiting = spawn_async(async { spawn_async(async { panic!("inner") }).await });
        assert!(awaiting.join().unwrap().is_err());
        // A future that is dropped when it is ready.
        let guard = PanicsWhenDropped;
        let task = spawn_async(poll_fn(move |_| {
            let _held = &guard;
            Poll::Ready(())
        }));
        let payload = task.join().unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "in a destructor");
    });
}

#[test]
fn names_ids_and_states() {
    on_runtimes(|| {
        let (sender, receiver) = bounded::<()>(0);
        let task = corun::Builder::new()
            .name("reader".into())
            .spawn_async(async move {
                let me = corun::current();
                assert_eq!(me.name(), Some("reader"));
                assert_eq!(me.state(), State::Running);
                let _ = receiver.recv_async().await;
                me.id()
            })
            .unwrap();
        while task.coroutine().state() != State::Suspended {
            corun::yield_now();
        }
        assert!(task.coroutine().spawn_site().file().ends_with("tasks.rs"));
        drop(sender);
        let handle = task.coroutine().clone();
        assert_eq!(task.join().unwrap(), handle.id());
        assert_eq!(handle.state(), State::Completed);
        let failing = spawn_async(async { std::panic::resume_unwind(Box::new(())) });
        let handle = failing.coroutine().clone();
        assert!(failing.join().is_err());
        assert_eq!(handle.state(), State::Failed);
    });
}

corun::coroutine_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
    static SHARED: RefCell<Option<Rc<u32>>> = const { RefCell::new(None) };
}

#[test]
fn each_task_has_its_own_locals_which_stay_on_one_thread() {
    on_runtimes(|| {
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                spawn_async(async move {
                    yield_once().await;
                    SHARED.set(Some(Rc::new(n)));
                    let thread = std::thread::current().id();
                    for round in 0..20 {
                        assert_eq!(COUNT.get(), round);
                        COUNT.set(round + 1);
                        yield_once().await;
                        assert_eq!(std::thread::current().id(), thread, "it is bound now");
                    }
                    SHARED.with_borrow(|shared| **shared.as_ref().unwrap() == n)
                })
            })
            .collect();
        for task in tasks {
            assert!(task.join().unwrap());
        }
        assert_eq!(COUNT.get(), 0, "the coroutine's own");
    });
}

#[test]
fn a_local_task_may_use_what_is_not_send() {
    on_runtimes(|| {
        let shared = Rc::new(Cell::new(0));
        let (sender, receiver) = unbounded();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (shared, receiver) = (Rc::clone(&shared), receiver.clone());
                spawn_async_local(async move {
                    let thread = std::thread::current().id();
                    while receiver.recv_async().await.is_ok() {
                        shared.set(shared.get() + 1);
                        assert_eq!(std::thread::current().id(), thread);
                    }
                })
            })
            .collect();
        // Wake-ups from other threads.
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let sender = sender.clone();
                spawn(move || (0..500).for_each(|_| sender.send(()).unwrap()))
            })
            .collect();
        drop(sender);
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(shared.get(), 2_000);
    });
}

/// What `blocks` does in a poll is an error, at once; and the task, its worker and what it has used go on.
#[track_caller]
fn is_refused(blocks: impl FnOnce() + Send + 'static) {
    let task = spawn_async(async move {
        let result = catch_unwind(AssertUnwindSafe(blocks));
        let payload = result.expect_err("it would have waited");
        yield_once().await;
        *payload.downcast::<&str>().expect("a message")
    });
    let message = task.join().unwrap();
    assert!(message.contains(".await"), "{message}");
}

#[test]
fn what_would_block_in_a_poll_is_refused() {
    on_runtimes(|| {
        is_refused(|| corun::sleep(Duration::from_millis(1)));
        is_refused(corun::yield_now);
        is_refused(corun::park);
        is_refused(|| drop(spawn(|| corun::sleep(Duration::from_millis(5))).join()));
        is_refused(|| block_on(async {}));
        is_refused(|| corun::scope(|_| ()));
        is_refused(|| corun::blocking(|| ()));
        is_refused(|| {
            corun::no_suspend(|| ());
            corun::sleep(Duration::from_millis(1));
        });
        let (sender, receiver) = bounded::<u32>(0);
        let (again, back) = (sender.clone(), receiver.clone());
        is_refused(move || assert!(receiver.recv().is_err()));
        is_refused(move || assert!(sender.send(1).is_err()));
        let waiting = spawn(move || back.recv().unwrap());
        again.send(2).unwrap();
        assert_eq!(waiting.join().unwrap(), 2, "the channel is as it was");
        let mutex = Arc::new(corun::sync::Mutex::new(0));
        let guard = mutex.lock().unwrap();
        let other = Arc::clone(&mutex);
        is_refused(move || drop(other.lock()));
        drop(guard);
        *mutex.lock().unwrap() += 1;
    });
}

#[test]
fn what_need_not_wait_may_be_called_in_a_poll() {
    on_runtimes(|| {
        let task = spawn_async(async {
            let (sender, receiver) = unbounded();
            sender.send(1).unwrap();
            corun::checkpoint();
            let done = spawn(|| ());
            while !done.is_finished() {
                yield_once().await;
            }
            done.join().unwrap();
            let handle = corun::current();
            handle.unpark();
            corun::park();
            receiver.recv().unwrap()
        });
        assert_eq!(task.join().unwrap(), 1);
    });
}

#[test]
fn a_dropped_handle_leaves_the_task_to_itself() {
    on_runtimes(|| {
        let (sender, receiver) = unbounded();
        for n in 0..100 {
            let sender = sender.clone();
            drop(spawn_async(async move {
                yield_once().await;
                sender.send(n).unwrap();
            }));
        }
        drop(sender);
        let mut all: Vec<u32> = receiver.iter().collect();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    });
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_task_that_can_never_run_again_is_dropped() {
    let drops = Arc::new(AtomicUsize::new(0));
    for workers in [1, 2, 8] {
        drops.store(0, Ordering::SeqCst);
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(|| {
            // Nobody has its waker.
            let held = Counted(drops.clone());
            drop(spawn_async(async move {
                let _held = held;
                pending::<()>().await;
            }));
            // Its last waker goes, somewhere else.
            let (give, taken) = bounded::<Waker>(1);
            let held = Counted(drops.clone());
            drop(spawn_async(async move {
                let _held = held;
                poll_fn(|context| {
                    let _ = give.try_send(context.waker().clone());
                    Poll::<()>::Pending
                })
                .await;
            }));
            let waker = taken.recv().unwrap();
            corun::blocking(|| std::thread::spawn(move || drop(waker)).join().unwrap());
            // Not `Send`: it has to go on its own thread.
            let (give, taken) = bounded::<Waker>(1);
            let held = Rc::new(Counted(drops.clone()));
            drop(spawn_async_local(async move {
                let _held = held;
                poll_fn(|context| {
                    let _ = give.try_send(context.waker().clone());
                    Poll::<()>::Pending
                })
                .await;
            }));
            let waker = taken.recv().unwrap();
            corun::blocking(|| std::thread::spawn(move || drop(waker)).join().unwrap());
        });
        // They do not keep the runtime either.
        runtime.shutdown(Duration::from_secs(60)).unwrap();
        assert_eq!(drops.load(Ordering::SeqCst), 3);
    }
}

#[test]
fn a_runtime_that_is_shut_down_lets_its_tasks_finish() {
    for workers in [1, 2, 8] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        let (sender, receiver) = bounded::<u32>(0);
        let task = runtime.spawn_async(async move {
            let mut sum = 0;
            while let Ok(number) = receiver.recv_async().await {
                sum += number;
            }
            sum
        });
        let handle = runtime.handle().clone();
        let closing = std::thread::spawn(move || runtime.shutdown(Duration::from_secs(60)));
        // Its wake-ups come from outside of a runtime that takes nothing new.
        while catch_unwind(AssertUnwindSafe(|| handle.spawn_async(async {}))).is_ok() {}
        (1..=100).for_each(|n| sender.send(n).unwrap());
        drop(sender);
        assert_eq!(task.join().unwrap(), 5050);
        closing.join().unwrap().unwrap();
    }
}

#[test]
fn a_handle_may_be_dropped_or_joined_after_it_was_polled() {
    on_runtimes(|| {
        for wait in 0..4 {
            let (sender, receiver) = bounded::<()>(1);
            let mut task = spawn_async(async move {
                let _ = receiver.recv_async().await;
                Counted(Arc::default())
            });
            let (first, second) = (Arc::new(NoWake), Arc::new(NoWake));
            for waker in [&first, &second, &first] {
                assert!(poll_once(&mut task, &Waker::from(waker.clone())).is_pending());
            }
            if wait & 1 == 0 {
                sender.send(()).unwrap();
            }
            if wait & 2 == 0 {
                drop(task);
            } else {
                drop(sender);
                assert!(task.join().is_ok());
            }
            assert_eq!(Arc::strong_count(&second), 1, "the waker was exchanged");
        }
    });
}

struct NoWake;
impl std::task::Wake for NoWake {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_may_outlive_its_task_and_its_runtime() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let runtime = corun::Runtime::builder().workers(2).build().unwrap();
    for _ in 0..10 {
        let kept = Arc::clone(&kept);
        let task = runtime.spawn_async(poll_fn(move |context| {
            kept.lock().unwrap().push(context.waker().clone());
            Poll::Ready(())
        }));
        task.join().unwrap();
    }
    runtime.shutdown(Duration::from_secs(60)).unwrap();
    for waker in kept.lock().unwrap().drain(..) {
        waker.wake_by_ref();
        let again = waker.clone();
        drop(waker);
        again.wake();
    }
}

#[test]
fn block_on_waits_on_threads_and_in_coroutines_and_nests() {
    let nested = || {
        let (sender, receiver) = bounded::<u32>(0);
        let other = spawn(move || {
            sender.send(20).unwrap();
            block_on(sender.send_async(1)).unwrap();
        });
        let sum = block_on(async {
            let first = receiver.recv_async().await.unwrap();
            // Code that knows nothing of the executor that it is in.
            first + block_on(async { receiver.recv_async().await.unwrap() })
        });
        other.join().unwrap();
        sum
    };
    assert_eq!(nested(), 21);
    on_runtimes(move || {
        assert_eq!(nested(), 21);
        // Only the coroutine is suspended: its sisters go on, on the same worker.
        let (sender, receiver) = bounded::<()>(0);
        let waiting = corun::spawn_local(move || block_on(receiver.recv_async()));
        let other = corun::spawn_local(move || sender.send(()).unwrap());
        waiting.join().unwrap().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_waker_of_block_on_may_be_used_late() {
    let wakers = Mutex::new(Vec::<Waker>::new());
    let wait = || {
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            wakers.lock().unwrap().push(context.waker().clone());
            context.waker().wake_by_ref();
            if polls == 3 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        for waker in wakers.lock().unwrap().drain(..) {
            waker.wake();
        }
        // None of them is taken for a token of `park`.
        corun::park_timeout(Duration::ZERO);
    };
    wait();
    on_runtimes(wait);
}

#[cfg(unix)]
#[test]
fn a_local_runtime_runs_tasks() {
    let runtime = corun::runtime::LocalRuntime::new().unwrap();
    let count = Rc::new(Cell::new(0));
    for _ in 0..10 {
        let count = Rc::clone(&count);
        runtime.spawn_async_local(async move {
            yield_once().await;
            count.set(count.get() + 1);
        });
    }
    let other = runtime.handle().spawn_async(async { 7 });
    assert_eq!(runtime.block_on(|| other.join().unwrap()), 7);
    runtime.run_until_idle();
    assert_eq!(count.get(), 10);
}
