//! Times for async tasks: the smallest closed loop of runtime, executor, future, timers and waker; and that nothing is early, lost or left behind.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::common::{CountingWaker, Place, block_on, everywhere, poll_once, takes_at_least};
use corun::time::{Sleep, Timer, interval, now, sleep_async, sleep_until_async, timeout_async};

const SHORT: Duration = Duration::from_millis(3);

/// What happens in the loop, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Executor,
    Future,
    Pending,
    Waker,
    Ready,
}

type Log = Arc<Mutex<Vec<Step>>>;

struct Watched {
    sleep: Pin<Box<Sleep>>,
    log: Log,
}

impl Future for Watched {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let log = Arc::clone(&self.log);
        log.lock().unwrap().push(Step::Future);
        let polled = self.sleep.as_mut().poll(cx);
        let step = match polled {
            Poll::Pending => Step::Pending,
            Poll::Ready(()) => Step::Ready,
        };
        log.lock().unwrap().push(step);
        polled
    }
}

struct Logs {
    log: Log,
    executor: corun::Coroutine,
}

impl Wake for Logs {
    fn wake(self: Arc<Self>) {
        self.log.lock().unwrap().push(Step::Waker);
        self.executor.unpark();
    }
}

/// Runtime -> executor -> future -> timers of the worker -> waker -> executor, each step once, and none more.
#[test]
fn the_loop_is_closed() {
    for workers in [1, 2, 8] {
        let builder = corun::Runtime::builder().workers(workers);
        let runtime = builder.start_paused(true).build().unwrap();
        let (steps, passed) = runtime.block_on(|| {
            let log = Log::default();
            let mut future = pin!(Watched {
                sleep: Box::pin(sleep_async(Duration::from_secs(3600))),
                log: Arc::clone(&log),
            });
            let waker = Waker::from(Arc::new(Logs {
                log: Arc::clone(&log),
                executor: corun::current(),
            }));
            let start = now();
            loop {
                log.lock().unwrap().push(Step::Executor);
                let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
                if polled.is_ready() {
                    break;
                }
                corun::park();
            }
            (log.lock().unwrap().clone(), now() - start)
        });
        let armed = [Step::Executor, Step::Future, Step::Pending];
        let fired = [Step::Waker];
        let found = [Step::Executor, Step::Future, Step::Ready];
        let expected = [&armed[..], &fired, &found].concat();
        assert_eq!(steps, expected);
        assert_eq!(passed, Duration::from_secs(3600), "not a moment more");
    }
}

/// One that was polled before its time had come, however slow the machine is.
fn pending_sleep(waker: &Waker) -> Pin<Box<Sleep>> {
    let mut time = SHORT;
    loop {
        let mut sleep = Box::pin(sleep_async(time));
        if poll_once(&mut sleep, waker).is_pending() {
            return sleep;
        }
        time *= 2;
    }
}

#[test]
fn nothing_is_early() {
    everywhere(|place| {
        takes_at_least(SHORT, || block_on(sleep_async(SHORT)));
        takes_at_least(SHORT, || {
            block_on(sleep_until_async(Instant::now() + SHORT))
        });
        block_on(sleep_async(Duration::ZERO));
        let sleepers: Vec<_> = (0..50)
            .map(|n| {
                place.spawn(move || {
                    let time = Duration::from_micros(100 * n);
                    takes_at_least(time, || block_on(sleep_async(time)));
                })
            })
            .collect();
        for sleeper in sleepers {
            sleeper.join();
        }
        let (_, waker) = CountingWaker::new();
        assert!(poll_once(&mut Box::pin(sleep_async(Duration::MAX)), &waker).is_pending());
    });
}

/// Polled on one worker or thread, dropped or waited for on another.
#[test]
fn a_sleep_may_move() {
    let moves = |place: Place| {
        let (count, waker) = CountingWaker::new();
        let near = pending_sleep(&waker);
        let mut far = Box::pin(sleep_async(Duration::from_secs(3600)));
        assert!(poll_once(&mut far, &waker).is_pending());
        let other = place.spawn(move || {
            drop(far);
            block_on(near);
        });
        other.join();
        count.count()
    };
    everywhere(move |place| assert!(moves(place) <= 1));
    // Where no time passes before the other one has polled, the newest waker is the one that is woken.
    let builder = corun::Runtime::builder().workers(2);
    let runtime = builder.start_paused(true).build().unwrap();
    assert_eq!(runtime.block_on(move || moves(Place::Coroutine)), 0);
}

#[test]
fn one_that_is_reset_keeps_the_new_time() {
    everywhere(|_| {
        let start = Instant::now();
        let mut sleep = Box::pin(sleep_async(Duration::from_secs(3600)));
        let (_, waker) = CountingWaker::new();
        assert!(poll_once(&mut sleep, &waker).is_pending());
        sleep.as_mut().reset(start + SHORT);
        assert_eq!(sleep.deadline(), Some(start + SHORT));
        block_on(sleep.as_mut());
        assert!(start.elapsed() >= SHORT && sleep.is_elapsed());
        assert!(poll_once(&mut sleep, &waker).is_ready(), "and stays so");
    });
}

#[test]
fn a_timeout_is_of_one_future() {
    everywhere(|_| {
        let late = block_on(timeout_async(SHORT, std::future::pending::<()>()));
        assert!(late.is_err());
        assert_eq!(block_on(timeout_async(Duration::MAX, async { 1 })), Ok(1));
        let (promise, future) = corun::future::promise::<u8, ()>();
        promise.resolve(2);
        assert_eq!(block_on(timeout_async(SHORT, future)), Ok(Ok(2)));
    });
}

/// The waker is called when the timers' lock is free, so that it may use them.
#[test]
fn a_waker_may_use_the_timers() {
    struct Uses(AtomicUsize, corun::Coroutine);
    impl Wake for Uses {
        fn wake(self: Arc<Self>) {
            let mut another = Box::pin(sleep_async(Duration::from_secs(60)));
            assert!(poll_once(&mut another, Waker::noop()).is_pending());
            drop(another);
            self.0.fetch_add(1, Ordering::SeqCst);
            self.1.unpark();
        }
    }
    everywhere(|_| {
        let uses = Arc::new(Uses(AtomicUsize::new(0), corun::current()));
        let mut sleep = Box::pin(sleep_async(SHORT));
        assert!(poll_once(&mut sleep, &Waker::from(Arc::clone(&uses))).is_pending());
        while uses.0.load(Ordering::SeqCst) == 0 {
            corun::park();
        }
        assert!(poll_once(&mut sleep, Waker::noop()).is_ready());
    });
}

#[test]
fn a_timer_is_had_once_and_moved_ones_are_waited_for() {
    everywhere(|place| {
        let timer = takes_at_least(SHORT, || {
            let timer = Arc::new(Timer::new(SHORT));
            block_on(timer.wait_async());
            timer
        });
        assert_eq!(timer.deadline(), None);
        // Stopped, and set again by another.
        let (_, waker) = CountingWaker::new();
        let mut waiting = Box::pin(timer.wait_async());
        assert!(poll_once(&mut waiting, &waker).is_pending());
        let other = place.spawn({
            let timer = Arc::clone(&timer);
            move || {
                timer.reset(Duration::from_secs(3600));
                timer.stop();
                timer.reset(SHORT)
            }
        });
        let due = block_on(waiting.as_mut());
        assert!(due <= now());
        assert!(!other.join(), "stopped in between");
        // Of two, one has it; the other, dropped, leaves nothing behind.
        timer.reset(Duration::ZERO);
        let mut late = Box::pin(timer.wait_async());
        assert!(poll_once(&mut waiting_anew(&timer), &waker).is_ready());
        assert!(poll_once(&mut late, &waker).is_pending());
        drop(late);
        timer.reset(Duration::ZERO);
        assert!(timer.try_wait().is_some());
    });
}

fn waiting_anew(timer: &Timer) -> Pin<Box<corun::time::TimerWait<'_>>> {
    Box::pin(timer.wait_async())
}

#[test]
fn ticks_for_tasks() {
    let runtime = corun::Runtime::builder()
        .start_paused(true)
        .build()
        .unwrap();
    let seen = runtime.block_on(|| {
        let (start, mut seen) = (now(), Vec::new());
        let mut ticks = interval(Duration::from_secs(10));
        for _ in 0..2 {
            seen.push((block_on(ticks.tick_async()) - start).as_secs());
        }
        // Given up, and so still to come.
        let given_up = block_on(timeout_async(
            Duration::from_secs(3),
            pin!(ticks.tick_async()),
        ));
        assert!(given_up.is_err());
        seen.push((block_on(ticks.tick_async()) - start).as_secs());
        seen
    });
    assert_eq!(seen, [0, 10, 20]);
}

/// A runtime whose timers somebody elsewhere waits for ends when they have fired, or were dropped.
#[test]
fn a_runtime_sees_its_timers_through() {
    for dropped in [false, true] {
        let runtime = corun::Runtime::builder().workers(2).build().unwrap();
        let (count, waker) = CountingWaker::new();
        let sleep = runtime.block_on({
            let waker = waker.clone();
            move || {
                if !dropped {
                    return pending_sleep(&waker);
                }
                let mut sleep = Box::pin(sleep_async(Duration::from_secs(3600)));
                assert!(poll_once(&mut sleep, &waker).is_pending());
                sleep
            }
        });
        let ending = std::thread::spawn(move || runtime.shutdown(Duration::from_secs(60)));
        if dropped {
            drop(sleep);
            ending.join().unwrap().unwrap();
        } else {
            ending.join().unwrap().unwrap();
            assert_eq!(count.count(), 1);
            block_on(sleep);
        }
    }
}

#[test]
fn ten_thousand() {
    for workers in [1, 2, 8] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(|| {
            let (count, waker) = CountingWaker::new();
            let start = Instant::now();
            let mut sleeps: Vec<_> = (0..10_000u64)
                .map(|n| Box::pin(sleep_until_async(start + Duration::from_micros(n))))
                .collect();
            for sleep in &mut sleeps {
                let _ = poll_once(sleep, &waker);
            }
            for sleep in sleeps {
                block_on(sleep);
            }
            assert!(start.elapsed() >= Duration::from_micros(9_999));
            assert!(count.count() <= 10_000);
        });
    }
}
