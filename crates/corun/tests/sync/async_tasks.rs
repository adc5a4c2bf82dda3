//! What async tasks may wait for: permits, notifications and groups. Futures that are dropped lose nothing for others.

use std::pin::pin;
use std::task::{Context, Poll};

use crate::common::{CountingWaker, block_on, everywhere, poll_once};
use corun::sync::atomic::{AtomicUsize, Ordering};
use corun::sync::{Arc, Notify, Semaphore, WaitGroup};

#[test]
fn coroutines_threads_and_tasks_share_a_semaphore() {
    everywhere(|place| {
        let shared = Arc::new((Semaphore::new(2), AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..9)
            .map(|n| {
                let shared = Arc::clone(&shared);
                place.spawn(move || {
                    for _ in 0..50 {
                        let permit = if n % 2 == 0 {
                            shared.0.acquire().unwrap()
                        } else {
                            block_on(shared.0.acquire_async()).unwrap()
                        };
                        assert!(shared.1.fetch_add(1, Ordering::SeqCst) < 2);
                        corun::yield_now();
                        shared.1.fetch_sub(1, Ordering::SeqCst);
                        drop(permit);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join();
        }
        assert_eq!(shared.0.available_permits(), 2);
    });
}

#[test]
fn a_dropped_future_leaves_the_queue_and_what_it_has_got() {
    everywhere(|_| {
        let semaphore = Arc::new(Semaphore::new(0));
        let (count, waker) = CountingWaker::new();
        let mut first = Box::pin(semaphore.acquire_many_async(2));
        let mut second = Box::pin(semaphore.acquire_async());
        let mut third = Box::pin(Arc::clone(&semaphore).acquire_owned_async());
        assert!(poll_once(&mut first, &waker).is_pending());
        assert!(poll_once(&mut second, &waker).is_pending());
        assert!(poll_once(&mut third, &waker).is_pending());
        semaphore.add_permits(1);
        assert_eq!(count.count(), 0, "the first wants two");
        drop(first);
        assert_eq!(count.count(), 1, "and stood in the way");
        // The second has its permit, and does not know it.
        drop(second);
        assert_eq!(count.count(), 2);
        let Poll::Ready(Ok(permit)) = poll_once(&mut third, &waker) else {
            panic!("it was passed on");
        };
        assert_eq!(semaphore.available_permits(), 0);
        drop(permit);
        assert_eq!(semaphore.available_permits(), 1);
        drop(semaphore.acquire_async());
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn closing_ends_a_tasks_wait() {
    everywhere(|_| {
        let semaphore = Semaphore::new(0);
        let (count, waker) = CountingWaker::new();
        let mut future = Box::pin(semaphore.acquire_async());
        assert!(poll_once(&mut future, &waker).is_pending());
        semaphore.close();
        assert_eq!(count.count(), 1);
        assert!(matches!(
            poll_once(&mut future, &waker),
            Poll::Ready(Err(_))
        ));
        assert!(block_on(semaphore.acquire_async()).is_err());
    });
}

#[test]
fn the_newest_waker_is_woken() {
    everywhere(|_| {
        let (semaphore, notify) = (Semaphore::new(0), Notify::new());
        let ((old_count, old), (new_count, new)) = (CountingWaker::new(), CountingWaker::new());
        let mut permit = Box::pin(semaphore.acquire_async());
        let mut notified = Box::pin(notify.notified());
        for waker in [&old, &new] {
            assert!(poll_once(&mut permit, waker).is_pending());
            assert!(poll_once(&mut notified, waker).is_pending());
        }
        semaphore.add_permits(1);
        notify.notify_one();
        assert_eq!((old_count.count(), new_count.count()), (0, 2));
        assert!(poll_once(&mut permit, &new).is_ready());
        assert!(poll_once(&mut notified, &new).is_ready());
    });
}

/// A waker may do anything, what it wakes for included: no lock is held.
#[test]
fn a_waker_may_use_what_woke_it() {
    struct Uses(Arc<(Semaphore, Notify)>);
    impl std::task::Wake for Uses {
        fn wake(self: Arc<Self>) {
            let (semaphore, notify) = &*self.0;
            semaphore.add_permits(1);
            notify.notify_one();
            notify.notify_waiters();
        }
    }
    let shared = Arc::new((Semaphore::new(0), Notify::new()));
    let waker = Arc::new(Uses(Arc::clone(&shared))).into();
    let mut permit = Box::pin(shared.0.acquire_async());
    let mut notified = Box::pin(shared.1.notified());
    assert!(poll_once(&mut permit, &waker).is_pending());
    assert!(poll_once(&mut notified, &waker).is_pending());
    shared.0.add_permits(1);
    assert!(poll_once(&mut permit, &waker).is_ready());
    assert!(poll_once(&mut notified, &waker).is_ready());
}

#[test]
fn a_notified_future_that_is_dropped_passes_it_on() {
    everywhere(|_| {
        let notify = Notify::new();
        let (count, waker) = CountingWaker::new();
        let mut first = Box::pin(notify.notified());
        let mut second = Box::pin(notify.notified());
        assert!(poll_once(&mut first, &waker).is_pending());
        assert!(poll_once(&mut second, &waker).is_pending());
        notify.notify_one();
        drop(first);
        assert_eq!(count.count(), 2);
        assert!(poll_once(&mut second, &waker).is_ready());
        drop(second);
        // Taken, so not passed on.
        assert!(poll_once(&mut Box::pin(notify.notified()), &waker).is_pending());

        // Without others it is stored.
        let mut third = Box::pin(notify.notified());
        assert!(poll_once(&mut third, &waker).is_pending());
        notify.notify_one();
        drop(third);
        notify.wait();

        // That of `notify_waiters` is not passed on, as it was for all.
        let mut fourth = Box::pin(notify.notified());
        assert!(poll_once(&mut fourth, &waker).is_pending());
        notify.notify_waiters();
        drop(fourth);
        assert!(poll_once(&mut Box::pin(notify.notified()), &waker).is_pending());
    });
}

#[test]
fn notify_waiters_reaches_futures_that_were_made_before() {
    everywhere(|_| {
        let notify = Notify::new();
        let before = notify.notified();
        notify.notify_waiters();
        block_on(before);
        let (_, waker) = CountingWaker::new();
        assert!(poll_once(&mut Box::pin(notify.notified()), &waker).is_pending());
    });
}

#[test]
fn an_enabled_future_has_its_place() {
    everywhere(|_| {
        let notify = Notify::new();
        let mut future = pin!(notify.notified());
        assert!(!future.as_mut().enable());
        notify.notify_one();
        // It went to the one that waits, and was not stored.
        let (_, waker) = CountingWaker::new();
        assert!(poll_once(&mut Box::pin(notify.notified()), &waker).is_pending());
        assert!(future.as_mut().enable());
        assert!(future.poll(&mut Context::from_waker(&waker)).is_ready());
    });
}

#[test]
fn a_task_waits_for_a_group() {
    everywhere(|place| {
        let group = WaitGroup::new();
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..5 {
            let (handle, done) = (group.clone(), Arc::clone(&done));
            let _task = place.spawn(move || {
                corun::yield_now();
                done.fetch_add(1, Ordering::SeqCst);
                drop(handle);
            });
        }
        block_on(async { group.await });
        assert_eq!(done.load(Ordering::SeqCst), 5);

        let group = WaitGroup::new();
        let handle = group.clone();
        let (count, waker) = CountingWaker::new();
        let mut future = Box::pin(IntoFuture::into_future(group));
        assert!(poll_once(&mut future, &waker).is_pending());
        assert!(poll_once(&mut future, &waker).is_pending());
        drop(future);
        drop(handle);
        assert_eq!(count.count(), 0);
    });
}

#[test]
fn futures_may_move_between_threads() {
    fn send<T: Send>(_: &T) {}
    let semaphore = Arc::new(Semaphore::new(1));
    send(&semaphore.acquire_async());
    send(&Arc::clone(&semaphore).acquire_owned_async());
    send(&Notify::new().notified());
    send(&WaitGroup::new().into_future());
}
