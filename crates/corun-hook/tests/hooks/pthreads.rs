//! Locks of pthreads, as C programs use them.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{errno, let_others_wait, on_one_worker, on_workers, takes_at_least};

/// Something of pthreads that stays where it is.
struct Shared<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: what is in it is made to be shared.
unsafe impl<T> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Shared<T> {}

impl<T> Shared<T> {
    fn new(init: impl FnOnce(*mut T) -> i32) -> Arc<Shared<T>> {
        let shared = Arc::new(Shared(UnsafeCell::new(MaybeUninit::uninit())));
        assert_eq!(init(shared.get()), 0);
        shared
    }

    fn get(&self) -> *mut T {
        self.0.get().cast()
    }
}

type Mutex = Arc<Shared<libc::pthread_mutex_t>>;

fn mutex(kind: i32) -> Mutex {
    // SAFETY: the attributes and the mutex are made before they are used.
    Shared::new(|mutex| unsafe {
        let mut attributes = MaybeUninit::uninit();
        libc::pthread_mutexattr_init(attributes.as_mut_ptr());
        libc::pthread_mutexattr_settype(attributes.as_mut_ptr(), kind);
        libc::pthread_mutex_init(mutex, attributes.as_ptr())
    })
}

fn lock(mutex: &Mutex) -> i32 {
    // SAFETY: it is initialised.
    unsafe { libc::pthread_mutex_lock(mutex.get()) }
}

fn unlock(mutex: &Mutex) -> i32 {
    // SAFETY: it is initialised.
    unsafe { libc::pthread_mutex_unlock(mutex.get()) }
}

/// A time from now, by the clock.
fn soon(millis: i64) -> libc::timespec {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the time is written.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    time.tv_nsec += millis * 1_000_000;
    time.tv_sec += time.tv_nsec / 1_000_000_000;
    time.tv_nsec %= 1_000_000_000;
    time
}

const KINDS: [i32; 3] = [
    libc::PTHREAD_MUTEX_NORMAL,
    libc::PTHREAD_MUTEX_RECURSIVE,
    libc::PTHREAD_MUTEX_ERRORCHECK,
];

#[test]
fn a_mutex_of_each_kind_keeps_others_of_its_worker_out() {
    for workers in [1, 2, 8] {
        for kind in KINDS {
            on_workers(workers, move || {
                let mutex = mutex(kind);
                let inside = Arc::new(AtomicBool::new(false));
                let body = |mutex: Mutex, inside: Arc<AtomicBool>| {
                    move || {
                        for _ in 0..20 {
                            assert_eq!(lock(&mutex), 0);
                            assert!(!inside.swap(true, Ordering::SeqCst));
                            thread::sleep(Duration::from_micros(50));
                            assert!(inside.swap(false, Ordering::SeqCst));
                            assert_eq!(unlock(&mutex), 0);
                        }
                    }
                };
                let threads =
                    [(); 2].map(|()| thread::spawn(body(Arc::clone(&mutex), Arc::clone(&inside))));
                let coroutines: Vec<_> = (0..10)
                    .map(|_| corun::spawn(body(Arc::clone(&mutex), Arc::clone(&inside))))
                    .collect();
                for coroutine in coroutines {
                    coroutine.join().unwrap();
                }
                for thread in threads {
                    thread.join().unwrap();
                }
            });
        }
    }
}

#[test]
fn owners_are_coroutines() {
    on_one_worker(|| {
        let recursive = mutex(libc::PTHREAD_MUTEX_RECURSIVE);
        let checking = mutex(libc::PTHREAD_MUTEX_ERRORCHECK);
        assert_eq!(
            (lock(&recursive), lock(&recursive), lock(&checking)),
            (0, 0, 0)
        );
        assert_eq!(lock(&checking), libc::EDEADLK);
        let (tell, told) = corun::channel::bounded(1);
        let other = corun::spawn({
            let (recursive, checking) = (Arc::clone(&recursive), Arc::clone(&checking));
            move || {
                assert_eq!(unlock(&recursive), libc::EPERM);
                assert_eq!(unlock(&checking), libc::EPERM);
                // SAFETY: they are initialised.
                unsafe {
                    assert_eq!(libc::pthread_mutex_trylock(recursive.get()), libc::EBUSY);
                    let late = takes_at_least(Duration::from_millis(15), || {
                        let end = soon(20);
                        libc::pthread_mutex_timedlock(checking.get(), &raw const end)
                    });
                    assert_eq!(late, libc::ETIMEDOUT);
                }
                tell.send(()).unwrap();
                assert_eq!((lock(&recursive), unlock(&recursive)), (0, 0));
            }
        });
        told.recv().unwrap();
        let_others_wait();
        assert_eq!(unlock(&recursive), 0);
        let_others_wait();
        assert!(!other.is_finished());
        assert_eq!((unlock(&recursive), unlock(&checking)), (0, 0));
        other.join().unwrap();
    });
}

#[test]
fn conditions_between_coroutines_and_threads() {
    for workers in [1, 2] {
        on_workers(workers, || {
            let mutex = mutex(libc::PTHREAD_MUTEX_NORMAL);
            // SAFETY: it is made before it is used.
            let condition =
                Shared::new(|it| unsafe { libc::pthread_cond_init(it, std::ptr::null()) });
            let turn = Arc::new(AtomicUsize::new(0));
            let body = |me: usize| {
                let (mutex, condition, turn) = (
                    Arc::clone(&mutex),
                    Arc::clone(&condition),
                    Arc::clone(&turn),
                );
                move || {
                    for _ in 0..30 {
                        lock(&mutex);
                        while turn.load(Ordering::SeqCst) % 4 != me {
                            // SAFETY: both are initialised, and the mutex is ours.
                            assert_eq!(
                                // SAFETY: the arguments are what the call wants, and as long as they say.
                                unsafe { libc::pthread_cond_wait(condition.get(), mutex.get()) },
                                0
                            );
                        }
                        turn.fetch_add(1, Ordering::SeqCst);
                        // SAFETY: as above.
                        unsafe { libc::pthread_cond_broadcast(condition.get()) };
                        unlock(&mutex);
                    }
                }
            };
            let coroutines = [0, 1].map(|me| corun::spawn(body(me)));
            let threads = [2, 3].map(|me| thread::spawn(body(me)));
            for coroutine in coroutines {
                coroutine.join().unwrap();
            }
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(turn.load(Ordering::SeqCst), 120);
        });
    }
}

#[test]
fn a_condition_that_does_not_come() {
    on_one_worker(|| {
        let mutex = mutex(libc::PTHREAD_MUTEX_NORMAL);
        // SAFETY: it is made before it is used.
        let condition = Shared::new(|it| unsafe { libc::pthread_cond_init(it, std::ptr::null()) });
        lock(&mutex);
        let late = takes_at_least(Duration::from_millis(15), || {
            let end = soon(20);
            // SAFETY: both are initialised, and the mutex is ours.
            unsafe { libc::pthread_cond_timedwait(condition.get(), mutex.get(), &raw const end) }
        });
        assert_eq!(late, libc::ETIMEDOUT);
        // It is ours again.
        assert_eq!(unlock(&mutex), 0);
        let signaller = corun::spawn({
            let condition = Arc::clone(&condition);
            // SAFETY: it is initialised.
            move || unsafe { libc::pthread_cond_signal(condition.get()) }
        });
        lock(&mutex);
        let end = soon(20_000);
        // SAFETY: as above.
        let told =
            unsafe { libc::pthread_cond_timedwait(condition.get(), mutex.get(), &raw const end) };
        assert_eq!((told, unlock(&mutex), signaller.join().unwrap()), (0, 0, 0));
    });
}

#[test]
fn readers_and_writers_of_pthreads() {
    on_one_worker(|| {
        // SAFETY: it is made before it is used.
        let rwlock = Shared::new(|it| unsafe { libc::pthread_rwlock_init(it, std::ptr::null()) });
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let (rwlock, inside) = (Arc::clone(&rwlock), Arc::clone(&inside));
                corun::spawn(move || {
                    for _ in 0..5 {
                        // SAFETY: it is initialised.
                        unsafe {
                            if number % 4 == 0 {
                                assert_eq!(libc::pthread_rwlock_wrlock(rwlock.get()), 0);
                                assert_eq!(inside.fetch_add(1000, Ordering::SeqCst), 0);
                                thread::sleep(Duration::from_micros(100));
                                inside.fetch_sub(1000, Ordering::SeqCst);
                            } else {
                                assert_eq!(libc::pthread_rwlock_rdlock(rwlock.get()), 0);
                                assert!(inside.fetch_add(1, Ordering::SeqCst) < 1000);
                                thread::sleep(Duration::from_micros(100));
                                inside.fetch_sub(1, Ordering::SeqCst);
                            }
                            assert_eq!(libc::pthread_rwlock_unlock(rwlock.get()), 0);
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn semaphores() {
    on_one_worker(|| {
        // SAFETY: it is made before it is used.
        let semaphore = Shared::new(|it| unsafe { libc::sem_init(it, 0, 0) });
        let late = takes_at_least(Duration::from_millis(15), || {
            let end = soon(20);
            // SAFETY: it is initialised.
            unsafe { libc::sem_timedwait(semaphore.get(), &raw const end) }
        });
        assert_eq!((late, errno()), (-1, libc::ETIMEDOUT));
        let waiters: Vec<_> = (0..10)
            .map(|_| {
                let semaphore = Arc::clone(&semaphore);
                // SAFETY: it is initialised.
                corun::spawn(move || unsafe { libc::sem_wait(semaphore.get()) })
            })
            .collect();
        let_others_wait();
        let poster = thread::spawn(move || {
            for _ in 0..10 {
                // SAFETY: it is initialised.
                assert_eq!(unsafe { libc::sem_post(semaphore.get()) }, 0);
            }
        });
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), 0);
        }
        poster.join().unwrap();
    });
}

#[test]
fn a_barrier_of_pthreads() {
    on_one_worker(|| {
        // SAFETY: it is made before it is used.
        let barrier =
            Shared::new(|it| unsafe { libc::pthread_barrier_init(it, std::ptr::null(), 5) });
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                // SAFETY: it is initialised.
                corun::spawn(move || unsafe { libc::pthread_barrier_wait(barrier.get()) })
            })
            .collect();
        let serial = tasks
            .into_iter()
            .filter(|_| true)
            .map(|task| task.join().unwrap())
            .filter(|&result| result == libc::PTHREAD_BARRIER_SERIAL_THREAD)
            .count();
        assert_eq!(serial, 1);
    });
}
