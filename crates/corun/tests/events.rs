//! The steps that an observer is told: tasks, futures, timers, descriptors, messages; the closed loop of a timer future; and that an observer cannot
//! break anything. Needs the feature `events`.

use std::io::{Read, Write};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corun::channel::{Receiver, Sender, bounded, select, unbounded};
use corun::inspect::{Event, observe, stop_observing};
use corun::net::{TcpListener, TcpStream};
use corun::{Coroutine, State};

/// What was told, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Created(NonZeroU64),
    Woken(NonZeroU64),
    Resumed(NonZeroU64),
    Suspended(NonZeroU64),
    Ended(NonZeroU64, State),
    Pending(usize),
    Resolved(usize),
    Rejected(usize),
    Armed,
    Fired(usize),
    Registered(u64),
    Occurred(u64, bool),
    Sent(usize),
    Received(usize),
}

static LOG: Mutex<Vec<Step>> = Mutex::new(Vec::new());

fn note(event: Event<'_>) {
    let id = |task: &Coroutine| task.id().get();
    let step = match event {
        Event::TaskCreated(task) => Step::Created(id(task)),
        Event::TaskWoken(task) => Step::Woken(id(task)),
        Event::TaskEnded { task, how, .. } => Step::Ended(id(task), how),
        Event::Suspended(task) => Step::Suspended(id(task)),
        Event::Resumed(task) => Step::Resumed(id(task)),
        Event::FuturePending { future, .. } => Step::Pending(future),
        Event::FutureResolved { future, .. } => Step::Resolved(future),
        Event::FutureRejected { future, .. } => Step::Rejected(future),
        Event::TimerArmed { .. } => Step::Armed,
        Event::TimersFired { count, .. } => Step::Fired(count),
        Event::IoRegistered { descriptor, .. } => Step::Registered(descriptor),
        Event::IoOccurred {
            descriptor,
            readable,
            ..
        } => Step::Occurred(descriptor, readable),
        Event::MessageSent { channel, .. } => Step::Sent(channel),
        Event::MessageReceived { channel, .. } => Step::Received(channel),
        _ => return,
    };
    LOG.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(step);
}

/// There is one observer in a process, so one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f` on runtimes of 1, 2 and 8 workers, and has `check` look at what was told meanwhile.
fn watched<T: Send + 'static>(
    f: impl Fn() -> T + Copy + Send + 'static,
    check: impl Fn(T, &[Step]),
) {
    let _alone = alone();
    for workers in [1, 2, 8] {
        let builder = corun::Runtime::builder().workers(workers);
        let runtime = builder.start_paused(true).build().unwrap();
        LOG.lock().unwrap().clear();
        observe(note);
        let result = runtime.block_on(f);
        stop_observing();
        runtime.shutdown(Duration::from_secs(60)).unwrap();
        let log = std::mem::take(&mut *LOG.lock().unwrap());
        check(result, &log);
    }
}

/// What was told of one task.
fn of_task(log: &[Step], task: &Coroutine) -> Vec<Step> {
    let task = task.id().get();
    let is_of = |step: &&Step| match **step {
        Step::Created(id) | Step::Woken(id) | Step::Resumed(id) => id == task,
        Step::Suspended(id) | Step::Ended(id, _) => id == task,
        _ => false,
    };
    log.iter().filter(is_of).copied().collect()
}

/// Runtime -> executor -> future -> timers of the worker -> waker -> executor: each step once, in this order, and none more.
#[test]
fn the_loop_of_a_timer_future_is_closed() {
    watched(
        || {
            let task = corun::spawn_async(corun::time::sleep_async(Duration::from_secs(3600)));
            let handle = task.coroutine().clone();
            task.join().unwrap();
            handle
        },
        |task, log| {
            let id = task.id().get();
            let others = |step: &&Step| match **step {
                Step::Created(of) | Step::Woken(of) | Step::Resumed(of) => of == id,
                Step::Suspended(of) | Step::Ended(of, _) => of == id,
                _ => true,
            };
            let steps: Vec<Step> = log.iter().filter(others).copied().collect();
            let future = steps.iter().find_map(|step| match step {
                Step::Pending(future) => Some(*future),
                _ => None,
            });
            let future = future.expect("the future was pending");
            let expected = [
                // The runtime takes the task, the executor polls it, the future arms a timer with its worker and is pending.
                Step::Created(id),
                Step::Resumed(id),
                Step::Armed,
                Step::Pending(future),
                Step::Suspended(id),
                // The timers fire and call the waker, which puts the task in line.
                Step::Fired(1),
                Step::Woken(id),
                // The executor polls it again, the future is over, and with it the task.
                Step::Resumed(id),
                Step::Resolved(future),
                Step::Ended(id, State::Completed),
            ];
            assert_eq!(steps, expected);
        },
    );
}

#[test]
fn a_coroutine_that_waits_is_suspended_woken_and_resumed() {
    watched(
        || {
            let sleeper = corun::spawn(|| corun::sleep(Duration::from_secs(1)));
            let parked = corun::spawn(corun::park);
            let handles = [sleeper.coroutine().clone(), parked.coroutine().clone()];
            sleeper.join().unwrap();
            // The clock stands still while anybody runs: it had parked when the sleeper's time had come.
            parked.coroutine().unpark();
            parked.join().unwrap();
            handles
        },
        |handles, log| {
            for task in &handles {
                let id = task.id().get();
                let expected = [
                    Step::Created(id),
                    Step::Resumed(id),
                    Step::Suspended(id),
                    Step::Woken(id),
                    Step::Resumed(id),
                    Step::Ended(id, State::Completed),
                ];
                assert_eq!(of_task(log, task), expected);
            }
        },
    );
}

#[test]
fn it_is_told_how_tasks_end() {
    watched(
        || {
            let fine = corun::spawn(|| ());
            let failing = corun::spawn(|| std::panic::resume_unwind(Box::new("as expected")));
            let cancelled = corun::spawn(corun::park);
            cancelled.cancel();
            let waiting = corun::spawn_async(std::future::pending::<()>());
            waiting.cancel();
            let handles = [
                (fine.coroutine().clone(), State::Completed),
                (failing.coroutine().clone(), State::Failed),
                (cancelled.coroutine().clone(), State::Cancelled),
                (waiting.coroutine().clone(), State::Cancelled),
            ];
            fine.join().unwrap();
            failing.join().unwrap_err();
            cancelled.join().unwrap_err();
            waiting.join().unwrap_err();
            handles
        },
        |handles, log| {
            for (task, how) in &handles {
                let id = task.id().get();
                let steps = of_task(log, task);
                assert_eq!(steps.first(), Some(&Step::Created(id)));
                assert_eq!(steps.last(), Some(&Step::Ended(id, *how)));
                let ends = |step: &&Step| matches!(step, Step::Ended(..));
                assert_eq!(steps.iter().filter(ends).count(), 1);
            }
        },
    );
}

#[test]
fn giving_way_suspends_and_resumes_and_wakes_nobody() {
    watched(
        || {
            let task = corun::spawn(|| (0..3).for_each(|_| corun::yield_now()));
            let handle = task.coroutine().clone();
            task.join().unwrap();
            handle
        },
        |task, log| {
            let id = task.id().get();
            let turn = [Step::Suspended(id), Step::Resumed(id)];
            let begin = [Step::Created(id), Step::Resumed(id)];
            let end = [Step::Ended(id, State::Completed)];
            let expected = [&begin[..], &turn, &turn, &turn, &end].concat();
            assert_eq!(of_task(log, &task), expected);
        },
    );
}

#[test]
fn futures_are_pending_then_resolved_or_rejected() {
    watched(
        || {
            let (promise, future) = corun::future::promise::<u32, &str>();
            let waiting = corun::spawn(move || future.wait());
            let (broken, rejected) = corun::future::promise::<u32, &str>();
            let awaiting = corun::spawn_async(async move { rejected.await });
            // Both wait when the clock moves on.
            corun::sleep(Duration::from_secs(1));
            promise.resolve(1);
            broken.reject("no");
            assert_eq!(waiting.join().unwrap(), Ok(1));
            assert!(awaiting.join().unwrap().is_err());
        },
        |(), log| {
            let pending: Vec<usize> = log
                .iter()
                .filter_map(|step| match step {
                    Step::Pending(future) => Some(*future),
                    _ => None,
                })
                .collect();
            assert_eq!(pending.len(), 2, "{log:?}");
            let find = |wanted: Step| log.iter().position(|step| *step == wanted);
            let ends: Vec<_> = pending
                .iter()
                .map(|&future| {
                    let began = find(Step::Pending(future));
                    let resolved = find(Step::Resolved(future));
                    let rejected = find(Step::Rejected(future));
                    assert!(resolved.is_some() != rejected.is_some());
                    assert!(began < resolved.max(rejected));
                    resolved.is_some()
                })
                .collect();
            assert!(ends.contains(&true) && ends.contains(&false));
        },
    );
}

#[test]
fn descriptors_are_registered_once_and_then_occur() {
    watched(
        || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut far, _) = listener.accept().unwrap();
            let descriptor = {
                use std::os::fd::AsRawFd;
                near.as_raw_fd() as u64
            };
            let echo = corun::spawn(move || {
                let mut byte = [0];
                while far.read(&mut byte).unwrap() != 0 {
                    // It has been waiting by now.
                    far.write_all(&byte).unwrap();
                }
            });
            for sent in 0..20 {
                let mut byte = [sent];
                near.write_all(&byte).unwrap();
                near.read_exact(&mut byte).unwrap();
                assert_eq!(byte, [sent]);
            }
            drop(near);
            echo.join().unwrap();
            descriptor
        },
        |descriptor, log| {
            let count = |wanted: Step| log.iter().filter(|step| **step == wanted).count();
            assert_eq!(count(Step::Registered(descriptor)), 1);
            assert!(count(Step::Occurred(descriptor, true)) >= 1);
            let registered = log
                .iter()
                .position(|step| *step == Step::Registered(descriptor));
            let occurred = log
                .iter()
                .position(|step| *step == Step::Occurred(descriptor, true));
            assert!(registered < occurred);
        },
    );
}

/// Buffered, at a rendezvous, by futures and by selects: each message is sent once and received once.
#[test]
fn messages_are_counted_at_both_ends() {
    const EACH: usize = 50;

    fn send(sender: &Sender<usize>) {
        (0..EACH).for_each(|n| sender.send(n).unwrap());
        corun::spawn_async({
            let sender = sender.clone();
            async move {
                for n in 0..EACH {
                    sender.send_async(n).await.unwrap();
                }
            }
        })
        .join()
        .unwrap();
        for n in 0..EACH {
            select! { send(sender, n) -> sent => sent.unwrap() }
        }
    }

    fn receive(receiver: &Receiver<usize>) {
        (0..EACH).for_each(|_| assert!(receiver.recv().unwrap() < EACH));
        for _ in 0..EACH {
            select! { recv(receiver) -> message => assert!(message.unwrap() < EACH) }
        }
        corun::spawn_async({
            let receiver = receiver.clone();
            async move {
                for _ in 0..EACH {
                    receiver.recv_async().await.unwrap();
                }
            }
        })
        .join()
        .unwrap();
    }

    watched(
        || {
            for (sender, receiver) in [bounded(0), bounded(4), unbounded()] {
                let sending = corun::spawn(move || send(&sender));
                receive(&receiver);
                sending.join().unwrap();
                assert!(receiver.try_recv().is_err());
            }
        },
        |(), log| {
            let sent = log.iter().filter(|step| matches!(step, Step::Sent(_)));
            assert_eq!(sent.count(), 3 * 3 * EACH);
            let received = log.iter().filter(|step| matches!(step, Step::Received(_)));
            assert_eq!(received.count(), 3 * 3 * EACH);
        },
    );
}

/// Does something on a runtime: switches, timers, a wake-up from outside.
fn do_something() {
    for workers in [1, 2] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        let sum = runtime.block_on(|| {
            let children: Vec<_> = (0..20u64)
                .map(|n| {
                    corun::spawn(move || {
                        corun::sleep(Duration::from_micros(10 * n));
                        corun::yield_now();
                        n
                    })
                })
                .collect();
            children
                .into_iter()
                .map(|child| child.join().unwrap())
                .sum::<u64>()
        });
        assert_eq!(sum, 190);
        runtime.shutdown(Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn one_that_panics_is_not_called_again() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    let _alone = alone();
    CALLED.store(0, Ordering::SeqCst);
    observe(|_: Event<'_>| {
        CALLED.fetch_add(1, Ordering::SeqCst);
        std::panic::resume_unwind(Box::new("an observer's"));
    });
    do_something();
    // The thread that builds the runtimes is the only one that spawns there; each thread of a runtime may have been about to call it.
    let called = CALLED.load(Ordering::SeqCst);
    assert!((1..=4).contains(&called), "{called}");
    stop_observing();
}

/// Whatever it tries: a wait, in a coroutine or on the worker's own stack, is refused, and the runtime goes on.
#[test]
fn one_that_waits_is_stopped() {
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    static WAITED: AtomicBool = AtomicBool::new(false);
    let _alone = alone();
    type Attempt = fn();
    let attempts: [Attempt; 12] = [
        // What borrows, and so may not unwind once it has begun, is refused before.
        || {
            let mut done = false;
            corun::scope(|scope| drop(scope.spawn(|| done = true)));
            WAITED.store(done, Ordering::SeqCst);
        },
        || {
            let mut done = false;
            corun::runtime::Handle::try_current()
                .unwrap()
                .block_on(|| done = true);
            WAITED.store(done, Ordering::SeqCst);
        },
        || {
            corun::block_on(async {});
            WAITED.store(true, Ordering::SeqCst);
        },
        || corun::no_suspend(corun::park),
        || corun::shield(corun::park),
        || _ = corun::blocking(|| 1),
        || corun::sleep(Duration::from_secs(3600)),
        corun::yield_now,
        || corun::channel::never::<()>().recv().unwrap(),
        || {
            let (_sender, receiver) = unbounded::<()>();
            let _ = receiver.recv_timeout(Duration::from_secs(3600));
        },
        || {
            let (sender, _receiver) = bounded::<()>(0);
            let _ = sender.send(());
        },
        || _ = corun::spawn(|| corun::sleep(Duration::from_micros(1))).join(),
    ];
    for attempt in attempts {
        observe(move |event: Event<'_>| {
            if matches!(
                event,
                Event::Suspended(_) | Event::TaskWoken(_) | Event::TimersFired { .. }
            ) {
                TRIED.fetch_add(1, Ordering::SeqCst);
                attempt();
            }
        });
        do_something();
        stop_observing();
    }
    assert!(TRIED.load(Ordering::SeqCst) >= attempts.len());
    assert!(!WAITED.load(Ordering::SeqCst));
}

/// What it does itself is not told to it, so it is not entered twice.
#[test]
fn one_that_spawns_and_sends_is_not_told_of_it() {
    static DEPTH: AtomicUsize = AtomicUsize::new(0);
    static SPAWNED: AtomicUsize = AtomicUsize::new(0);
    let _alone = alone();
    SPAWNED.store(0, Ordering::SeqCst);
    let (sender, receiver) = unbounded();
    observe(move |event: Event<'_>| {
        if let Event::TaskEnded { task, .. } = event
            && task.name() == Some("told")
        {
            assert_eq!(DEPTH.fetch_add(1, Ordering::SeqCst), 0);
            let sender = sender.clone();
            drop(corun::spawn(move || {
                SPAWNED.fetch_add(1, Ordering::SeqCst);
                let _ = sender.send(());
            }));
            DEPTH.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let runtime = corun::Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(|| {
        for _ in 0..10 {
            let told = corun::Builder::new().name("told".into());
            told.spawn(|| ()).unwrap().join().unwrap();
        }
    });
    for _ in 0..10 {
        receiver.recv().unwrap();
    }
    stop_observing();
    assert_eq!(SPAWNED.load(Ordering::SeqCst), 10);
    runtime.shutdown(Duration::from_secs(60)).unwrap();
}
