//! Whoever is cancelled leaves the wait that it is in, whatever it waits for, and loses nothing.

use std::io::Read;
use std::net::Shutdown;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::channel::{bounded, select, unbounded};
#[cfg(unix)]
use corun::net::unix::UnixStream;
use corun::net::{TcpListener, TcpStream, UdpSocket};
use corun::sync::{Barrier, Condvar, Mutex, Notify, Once, RwLock, Semaphore, WaitGroup};
use corun::{CancelToken, Cancelled, Runtime, State};

use super::on_workers;

/// Returns once the coroutine waits.
fn until_suspended<T>(coroutine: &corun::JoinHandle<T>) {
    while coroutine.coroutine().state() != State::Suspended {
        corun::yield_now();
    }
}

/// Cancels a coroutine that waits in `wait`, and one that is about to.
fn is_left(wait: impl Fn() + Send + Sync + 'static) {
    is_left_boxed(Arc::new(wait));
}

/// Compiled once, rather than for each wait.
fn is_left_boxed(wait: Arc<dyn Fn() + Send + Sync>) {
    for early in [false, true] {
        let dropped = Arc::new(AtomicBool::new(false));
        let waiting = corun::spawn({
            let (wait, guard) = (Arc::clone(&wait), SetOnDrop(Arc::clone(&dropped)));
            move || {
                let _guard = guard;
                wait();
                unreachable!("the wait has an end");
            }
        });
        if !early {
            until_suspended(&waiting);
        }
        waiting.cancel();
        let coroutine = waiting.coroutine().clone();
        let payload = waiting.join().unwrap_err();
        assert!(payload.is::<Cancelled>(), "it panicked");
        assert_eq!(coroutine.state(), State::Cancelled);
        assert!(dropped.load(Ordering::SeqCst));
    }
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn what_has_no_deadline() {
    on_workers(|| {
        is_left(corun::park);
        is_left(|| corun::sleep(Duration::MAX));
        is_left(|| corun::sleep(Duration::from_secs(1_000)));
        is_left(|| corun::park_timeout(Duration::from_secs(1_000)));
        // The child ends when the test is over.
        let (sender, receiver) = unbounded::<()>();
        is_left(move || {
            let receiver = receiver.clone();
            drop(corun::spawn(move || receiver.recv()).join());
        });
        drop(sender);
    });
}

#[test]
fn who_only_gives_way() {
    on_workers(|| {
        let turns = Arc::new(AtomicUsize::new(0));
        let yielding = corun::spawn({
            let turns = Arc::clone(&turns);
            move || {
                loop {
                    turns.fetch_add(1, Ordering::SeqCst);
                    corun::yield_now();
                }
            }
        });
        while turns.load(Ordering::SeqCst) < 3 {
            corun::yield_now();
        }
        yielding.cancel();
        assert!(yielding.join().unwrap_err().is::<Cancelled>());
    });
}

#[test]
fn channels() {
    on_workers(|| {
        let (full, _keep) = bounded(1);
        full.send(0).unwrap();
        let (_sender, empty) = unbounded::<u32>();
        is_left({
            let empty = empty.clone();
            move || _ = empty.recv()
        });
        is_left({
            let empty = empty.clone();
            move || _ = empty.recv_timeout(Duration::from_secs(1_000))
        });
        is_left({
            let full = full.clone();
            move || _ = full.send(1)
        });
        is_left(move || {
            select! {
                recv(empty) -> _ => {}
                send(full, 2) -> _ => {}
            }
        });
        assert_eq!(_keep.try_iter().collect::<Vec<_>>(), [0]);
    });
}

#[test]
fn locks() {
    on_workers(|| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock().unwrap();
        is_left({
            let mutex = Arc::clone(&mutex);
            move || drop(mutex.lock())
        });
        drop(guard);
        assert!(mutex.try_lock().is_ok());

        let lock = Arc::new(RwLock::new(()));
        let guard = lock.write().unwrap();
        is_left({
            let lock = Arc::clone(&lock);
            move || drop(lock.read())
        });
        is_left({
            let lock = Arc::clone(&lock);
            move || drop(lock.write())
        });
        drop(guard);
        assert!(lock.try_write().is_ok());

        let pair = Arc::new((Mutex::new(()), Condvar::new()));
        is_left({
            let pair = Arc::clone(&pair);
            move || drop(pair.1.wait(pair.0.lock().unwrap()))
        });
        is_left({
            let pair = Arc::clone(&pair);
            move || {
                drop(
                    pair.1
                        .wait_timeout(pair.0.lock().unwrap(), Duration::from_secs(1_000)),
                )
            }
        });

        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire().unwrap();
        is_left({
            let semaphore = Arc::clone(&semaphore);
            move || drop(semaphore.acquire())
        });
        drop(permit);
        assert_eq!(semaphore.available_permits(), 1);

        let notify = Arc::new(Notify::new());
        is_left({
            let notify = Arc::clone(&notify);
            move || notify.wait()
        });
        let barrier = Arc::new(Barrier::new(2));
        is_left(move || _ = barrier.wait());
        let group = WaitGroup::new();
        let other = group.clone();
        is_left(move || group.clone().wait());
        drop(other);
        let once = Arc::new(Once::new());
        let caller = corun::spawn({
            let once = Arc::clone(&once);
            move || once.call_once(corun::park)
        });
        until_suspended(&caller);
        is_left({
            let once = Arc::clone(&once);
            move || once.call_once(|| {})
        });
        caller.coroutine().unpark();
        caller.join().unwrap();
    });
}

#[test]
fn sockets() {
    on_workers(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = Arc::new(TcpStream::connect(address).unwrap());
        let (peer, _) = listener.accept().unwrap();
        is_left({
            let stream = Arc::clone(&stream);
            move || drop((&*stream).read(&mut [0]))
        });
        is_left({
            let stream = Arc::clone(&stream);
            stream
                .set_read_timeout(Some(Duration::from_secs(1_000)))
                .unwrap();
            move || drop((&*stream).read(&mut [0]))
        });
        is_left(move || drop(listener.accept()));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        is_left(move || drop(socket.recv_from(&mut [0])));
        #[cfg(unix)]
        {
            let (left, _right) = UnixStream::pair().unwrap();
            is_left(move || drop((&left).read(&mut [0])));
        }
        // The stream works on.
        peer.shutdown(Shutdown::Both).unwrap();
        assert_eq!((&*stream).read(&mut [0]).unwrap(), 0);
    });
}

/// A message goes to one that was not cancelled, or stays.
#[test]
fn no_message_is_lost() {
    on_workers(|| {
        for capacity in [0, 1, 16] {
            let (sender, receiver) = bounded(capacity);
            let received = Arc::new(AtomicUsize::new(0));
            let sent = Arc::new(AtomicUsize::new(0));
            let mut parties = Vec::new();
            for number in 0..60 {
                let (receiver, received) = (receiver.clone(), Arc::clone(&received));
                parties.push(corun::spawn(move || {
                    for _ in 0..20 {
                        if receiver.recv().is_ok() {
                            received.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }));
                let (sender, sent) = (sender.clone(), Arc::clone(&sent));
                parties.push(corun::spawn(move || {
                    for message in 0..20 {
                        if sender.send(message).is_ok() {
                            sent.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }));
                if number % 3 == 0 {
                    corun::yield_now();
                    parties[number].cancel();
                    parties[number / 2].cancel();
                }
            }
            drop((sender, receiver.clone()));
            // Some in the midst of it, the others when nothing moves any more.
            parties.iter().step_by(7).for_each(|party| party.cancel());
            let rests = |party: &corun::JoinHandle<()>| {
                party.is_finished() || party.coroutine().state() == State::Suspended
            };
            while !parties.iter().all(rests) {
                corun::yield_now();
            }
            for party in &parties {
                party.cancel();
            }
            for party in parties {
                drop(party.join());
            }
            let left = receiver.try_iter().count();
            assert_eq!(
                received.load(Ordering::SeqCst) + left,
                sent.load(Ordering::SeqCst),
                "capacity {capacity}"
            );
        }
    });
}

#[test]
fn one_that_has_not_started_never_does() {
    Runtime::builder().workers(1).build().unwrap().block_on(|| {
        let started = Arc::new(AtomicBool::new(false));
        let dropped = Arc::new(AtomicBool::new(false));
        let fresh = corun::spawn({
            let (started, guard) = (Arc::clone(&started), SetOnDrop(Arc::clone(&dropped)));
            move || {
                let _guard = guard;
                started.store(true, Ordering::SeqCst);
            }
        });
        fresh.cancel();
        assert!(fresh.join().unwrap_err().is::<Cancelled>());
        assert!(!started.load(Ordering::SeqCst));
        assert!(dropped.load(Ordering::SeqCst));
    });
}

#[test]
fn what_has_succeeded_counts() {
    on_workers(|| {
        let quick = corun::spawn(|| 1);
        while !quick.is_finished() {
            corun::yield_now();
        }
        quick.cancel();
        assert_eq!(quick.join().unwrap(), 1);

        let token = CancelToken::new();
        token.cancel();
        assert_eq!(token.run(|| 2).unwrap(), 2);
        // An operation that need not wait is done.
        let (sender, receiver) = bounded(1);
        let outcome = token.run(|| {
            sender.send(3).unwrap();
            receiver.recv().unwrap()
        });
        assert_eq!(outcome.unwrap(), 3);
    });
}

#[test]
fn catching_the_unwinding_does_not_help() {
    on_workers(|| {
        let times = Arc::new(AtomicUsize::new(0));
        let stubborn = corun::spawn({
            let times = Arc::clone(&times);
            move || {
                for _ in 0..3 {
                    drop(catch_unwind(corun::park));
                    times.fetch_add(1, Ordering::SeqCst);
                }
                corun::park();
            }
        });
        until_suspended(&stubborn);
        stubborn.cancel();
        assert!(stubborn.join().unwrap_err().is::<Cancelled>());
        assert_eq!(times.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn destructors_may_wait() {
    struct Waits(Arc<AtomicBool>);
    impl Drop for Waits {
        fn drop(&mut self) {
            corun::sleep(Duration::from_millis(2));
            corun::yield_now();
            corun::spawn(|| corun::sleep(Duration::from_millis(1)))
                .join()
                .unwrap();
            self.0.store(true, Ordering::SeqCst);
        }
    }
    corun::coroutine_local!(static AT_THE_END: std::cell::RefCell<Option<Waits>> = const { std::cell::RefCell::new(None) });
    on_workers(|| {
        let done = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicBool::new(false));
        let waiting = corun::spawn({
            let (waits, local) = (Waits(Arc::clone(&done)), Waits(Arc::clone(&late)));
            move || {
                AT_THE_END.with(|cell| *cell.borrow_mut() = Some(local));
                let _waits = waits;
                corun::park();
            }
        });
        until_suspended(&waiting);
        waiting.cancel();
        assert!(waiting.join().unwrap_err().is::<Cancelled>());
        assert!(done.load(Ordering::SeqCst));
        assert!(late.load(Ordering::SeqCst));
    });
}

#[test]
fn a_panic_stays_a_panic() {
    on_workers(|| {
        let panicking = corun::spawn(|| -> () {
            struct Waits;
            impl Drop for Waits {
                fn drop(&mut self) {
                    corun::park();
                }
            }
            let _waits = Waits;
            std::panic::resume_unwind(Box::new("own"));
        });
        until_suspended(&panicking);
        panicking.cancel();
        panicking.coroutine().unpark();
        assert_eq!(
            *panicking
                .join()
                .unwrap_err()
                .downcast_ref::<&str>()
                .unwrap(),
            "own"
        );
    });
}

#[test]
fn a_hundred_thousand_at_once() {
    let count = if cfg!(debug_assertions) {
        10_000
    } else {
        100_000
    };
    Runtime::builder()
        .workers(2)
        .build()
        .unwrap()
        .block_on(move || {
            let token = CancelToken::new();
            let parked: Vec<_> = (0..count)
                .map(|number| {
                    let token = token.clone();
                    corun::spawn(move || {
                        if number % 2 == 0 {
                            token.run(corun::park).unwrap_err();
                        } else {
                            corun::park();
                        }
                    })
                })
                .collect();
            let start = Instant::now();
            token.cancel();
            for (number, parked) in parked.iter().enumerate() {
                if number % 2 != 0 {
                    parked.cancel();
                }
            }
            for (number, parked) in parked.into_iter().enumerate() {
                assert_eq!(parked.join().is_err(), number % 2 != 0);
            }
            println!("{count} cancelled in {:?}", start.elapsed());
        });
}

#[test]
fn an_async_task_loses_its_future() {
    on_workers(|| {
        let dropped = Arc::new(AtomicBool::new(false));
        let guard = SetOnDrop(Arc::clone(&dropped));
        let task = corun::spawn_async(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        corun::yield_now();
        task.cancel();
        assert!(corun::block_on(task).unwrap_err().is::<Cancelled>());
        assert!(dropped.load(Ordering::SeqCst));
        is_left(|| corun::block_on(std::future::pending()));
    });
}

/// A blocking call may borrow, so it is waited for; who has given it to another coroutine need not.
#[test]
fn a_blocking_call_is_waited_for_or_left_behind() {
    on_workers(|| {
        let (go_on, may_go_on) = bounded::<()>(0);
        let (has_begun, begins) = bounded::<()>(0);
        let ended = Arc::new(AtomicBool::new(false));
        let calling = corun::spawn({
            let ended = Arc::clone(&ended);
            move || {
                corun::blocking(|| {
                    has_begun.send(()).unwrap();
                    may_go_on.recv().unwrap();
                    ended.store(true, Ordering::SeqCst);
                });
                unreachable!("it is left after the call");
            }
        });
        // Before that it would leave the queue of the pool.
        begins.recv().unwrap();
        until_suspended(&calling);
        calling.cancel();
        corun::yield_now();
        assert!(!calling.is_finished());
        go_on.send(()).unwrap();
        assert!(calling.join().unwrap_err().is::<Cancelled>());
        assert!(ended.load(Ordering::SeqCst));

        let (go_on, may_go_on) = bounded::<()>(0);
        let (tell, told) = unbounded();
        is_left({
            let job = std::sync::Mutex::new(Some((may_go_on, tell)));
            move || {
                // The second caller finds no job, and waits all the same.
                let Some((may_go_on, tell)) = job.lock().unwrap().take() else {
                    return corun::park();
                };
                let job = corun::spawn(move || {
                    corun::blocking(|| may_go_on.recv().unwrap());
                    tell.send(()).unwrap();
                });
                drop(job.join());
            }
        });
        go_on.send(()).unwrap();
        told.recv().unwrap();
    });
}
