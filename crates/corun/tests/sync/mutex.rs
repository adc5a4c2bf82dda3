//! `corun::sync::Mutex`: what std's has to offer, from coroutines and from threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::everywhere;
use corun::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

#[test]
fn one_at_a_time() {
    everywhere(|place| {
        const TASKS: usize = 8;
        const ROUNDS: usize = 500;
        let count = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|n| {
                let count = Arc::clone(&count);
                place.spawn(move || {
                    for round in 0..ROUNDS {
                        let mut guard = count.lock().unwrap();
                        let before = *guard;
                        if (n + round) % 7 == 0 {
                            corun::yield_now();
                        }
                        *guard = before + 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join();
        }
        assert_eq!(*count.lock().unwrap(), TASKS * ROUNDS);
    });
}

#[test]
fn a_guard_may_be_held_across_waits() {
    everywhere(|place| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let log = Arc::clone(&log);
                place.spawn(move || {
                    let mut log = log.lock().unwrap();
                    log.push(n);
                    corun::sleep(std::time::Duration::from_micros(100));
                    corun::yield_now();
                    log.push(n);
                })
            })
            .collect();
        for task in tasks {
            task.join();
        }
        let log = log.lock().unwrap();
        assert_eq!(log.len(), 8);
        assert!(log.chunks(2).all(|pair| pair[0] == pair[1]));
    });
}

#[test]
fn try_lock_does_not_wait() {
    everywhere(|place| {
        let mutex = Arc::new(Mutex::new(1));
        let guard = mutex.try_lock().unwrap();
        let other = Arc::clone(&mutex);
        let outcome = place
            .spawn(move || matches!(other.try_lock(), Err(TryLockError::WouldBlock)))
            .join();
        assert!(outcome);
        drop(guard);
        assert_eq!(*mutex.try_lock().unwrap(), 1);
        assert_eq!(*mutex.try_lock().unwrap(), 1);
    });
}

#[test]
fn what_does_not_wait_works_inside_no_suspend() {
    everywhere(|_| {
        let mutex = Mutex::new(1);
        corun::no_suspend(|| *mutex.lock().unwrap() += 1);
        assert_eq!(*mutex.lock().unwrap(), 2);
    });
}

#[corun::test]
fn waiting_inside_no_suspend_panics_and_leaves_the_mutex_whole() {
    let mutex = Arc::new(Mutex::new(1));
    let guard = mutex.lock().unwrap();
    let other = Arc::clone(&mutex);
    let outcome = corun::spawn(move || corun::no_suspend(|| *other.lock().unwrap()));
    assert!(outcome.join().is_err());
    drop(guard);
    assert_eq!(*mutex.lock().unwrap(), 1);
}

fn poisoned<T: Send + 'static>(place: crate::common::Place, mutex: &Arc<Mutex<T>>) {
    let mutex = Arc::clone(mutex);
    place
        .spawn(move || {
            catch_unwind(AssertUnwindSafe(|| {
                let _guard = mutex.lock().unwrap();
                panic!("poisons the mutex on purpose");
            }))
            .unwrap_err();
        })
        .join();
}

#[test]
fn a_panic_poisons() {
    everywhere(|place| {
        let mutex = Arc::new(Mutex::new(1));
        assert!(!mutex.is_poisoned());
        poisoned(place, &mutex);
        assert!(mutex.is_poisoned());
        assert_eq!(*mutex.lock().unwrap_err().into_inner(), 1);
        let Err(TryLockError::Poisoned(guard)) = mutex.try_lock() else {
            panic!("it is poisoned");
        };
        assert_eq!(**guard.get_ref(), 1);
        drop(guard);
        assert!(mutex.is_poisoned());
        mutex.clear_poison();
        assert!(!mutex.is_poisoned());
        assert_eq!(*mutex.lock().unwrap(), 1);
    });
}

#[test]
fn a_panic_elsewhere_does_not_poison() {
    everywhere(|place| {
        struct Locks(Arc<Mutex<u32>>);
        impl Drop for Locks {
            fn drop(&mut self) {
                *self.0.lock().unwrap() += 1;
            }
        }
        let mutex = Arc::new(Mutex::new(0));
        let locks = Locks(Arc::clone(&mutex));
        place
            .spawn(move || {
                catch_unwind(AssertUnwindSafe(move || {
                    let _locks = locks;
                    panic!("locks and unlocks while it unwinds, on purpose");
                }))
                .unwrap_err();
            })
            .join();
        assert_eq!(*mutex.lock().unwrap(), 1);
    });
}

#[test]
fn into_inner_and_get_mut_tell_of_poison() {
    everywhere(|place| {
        struct Counts(Arc<AtomicUsize>);
        impl Drop for Counts {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let drops = Arc::new(AtomicUsize::new(0));
        let mut mutex = Mutex::new(Counts(Arc::clone(&drops)));
        assert!(mutex.get_mut().is_ok());
        let inner = mutex.into_inner().unwrap();
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        drop(inner);
        assert_eq!(drops.load(Ordering::SeqCst), 1);

        let mutex = Arc::new(Mutex::new(10));
        poisoned(place, &mutex);
        let mut mutex = Arc::into_inner(mutex).unwrap();
        assert_eq!(**mutex.get_mut().unwrap_err().get_ref(), 10);
        assert_eq!(mutex.into_inner().unwrap_err().into_inner(), 10);
    });
}

/// Destructors that run because of a panic may lock, and wait for others. (While one of a worker's coroutines waits in the middle of a panic,
/// `thread::panicking` is true for the others as well, and guards that they drop poison without cause: docs/safety.md.)
#[test]
fn a_destructor_may_lock_while_it_unwinds() {
    everywhere(|place| {
        struct Unwinder(Arc<Mutex<i32>>);
        impl Drop for Unwinder {
            fn drop(&mut self) {
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
        }
        let mutex = Arc::new(Mutex::new(1));
        let guard = mutex.lock().unwrap();
        let unwinder = Unwinder(Arc::clone(&mutex));
        let task = place.spawn(move || {
            catch_unwind(AssertUnwindSafe(move || {
                let _unwinder = unwinder;
                panic!("on purpose");
            }))
            .is_err()
        });
        for _ in 0..10 {
            corun::yield_now();
        }
        drop(guard);
        assert!(task.join());
        mutex.clear_poison();
        assert_eq!(*mutex.lock().unwrap(), 2);
    });
}

#[test]
fn unsized_data() {
    everywhere(|_| {
        let slice: &Mutex<[i32]> = &Mutex::new([1, 2, 3]);
        slice.lock().unwrap()[0] = 4;
        slice.lock().unwrap()[2] = 5;
        assert_eq!(*slice.lock().unwrap(), [4, 2, 5]);
        let object: Arc<Mutex<dyn Fn() -> i32 + Send>> = Arc::new(Mutex::new(|| 7));
        assert_eq!((object.lock().unwrap())(), 7);
    });
}

#[test]
fn a_mutex_in_an_arc_in_a_mutex() {
    everywhere(|place| {
        let inner = Arc::new(Mutex::new(1));
        let outer = Arc::new(Mutex::new(inner));
        place
            .spawn(move || {
                let outer = outer.lock().unwrap();
                let inner = outer.lock().unwrap();
                assert_eq!(*inner, 1);
            })
            .join();
    });
}

#[test]
fn made_in_all_ways_and_shown() {
    static STATIC: Mutex<u32> = Mutex::new(3);
    assert_eq!(*STATIC.lock().unwrap(), 3);
    assert_eq!(Mutex::<u32>::default().into_inner().unwrap(), 0);
    assert_eq!(Mutex::from(5).into_inner().unwrap(), 5);
    let mutex = Mutex::new("data");
    assert_eq!(
        format!("{mutex:?}"),
        r#"Mutex { data: "data", poisoned: false, .. }"#
    );
    let guard = mutex.lock().unwrap();
    assert_eq!(format!("{guard:?} {guard}"), r#""data" data"#);
    assert_eq!(
        format!("{mutex:?}"),
        "Mutex { data: <locked>, poisoned: false, .. }"
    );
    let std = std::sync::Mutex::new("data");
    drop(guard);
    assert_eq!(format!("{mutex:?} {mutex:#?}"), format!("{std:?} {std:#?}"));
}

#[test]
fn bounds_are_those_of_std() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    send::<Mutex<std::cell::Cell<u8>>>();
    sync::<Mutex<std::cell::Cell<u8>>>();
    sync::<MutexGuard<'static, u8>>();
    unwind_safe::<Mutex<&mut std::cell::Cell<u8>>>();
}

/// Compiles only if the bound does not hold: if it does, two implementations apply, and the call is ambiguous.
#[test]
fn guards_are_not_send() {
    trait NotSend<A> {
        fn check() {}
    }
    trait NotSync<A> {
        fn check() {}
    }
    struct IfSend;
    struct IfSync;
    impl<T: ?Sized> NotSend<()> for T {}
    impl<T: ?Sized + Send> NotSend<IfSend> for T {}
    impl<T: ?Sized> NotSync<()> for T {}
    impl<T: ?Sized + Sync> NotSync<IfSync> for T {}
    <MutexGuard<'static, u8> as NotSend<_>>::check();
    <MutexGuard<'static, std::cell::Cell<u8>> as NotSync<_>>::check();
    <Mutex<std::rc::Rc<u8>> as NotSync<_>>::check();
    <Mutex<std::rc::Rc<u8>> as NotSend<_>>::check();
}

/// After many uses by one thread a mutex is locked in another way there. Whoever has it at that moment still keeps the others out.
#[corun::test(workers = 1)]
fn it_excludes_while_it_changes_the_way_it_is_locked() {
    // It does so only once the process is registered for cheap fences, a few milliseconds after its first runtime has started.
    let start = std::time::Instant::now();
    for uses in (50..80).cycle() {
        let mutex = Arc::new(Mutex::new(false));
        (0..uses).for_each(|_| drop(mutex.lock().unwrap()));
        let mut held = mutex.lock().unwrap();
        *held = true;
        let other = corun::spawn({
            let mutex = Arc::clone(&mutex);
            move || *mutex.lock().unwrap()
        });
        corun::yield_now();
        corun::yield_now();
        *held = false;
        drop(held);
        assert!(!other.join().unwrap(), "locked by two after {uses} uses");
        if start.elapsed() > std::time::Duration::from_millis(200) {
            break;
        }
    }
}
