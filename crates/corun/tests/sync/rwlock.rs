//! `corun::sync::RwLock`: what std's has to offer, from coroutines and from threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Place, everywhere};
use corun::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

/// Readers and writers in some order, with and without waits inside.
#[test]
fn readers_and_writers_exclude_each_other() {
    everywhere(|place| {
        const TASKS: usize = 8;
        const ROUNDS: usize = 200;
        let lock = Arc::new((RwLock::new((0, 0)), AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..TASKS)
            .map(|n| {
                let lock = Arc::clone(&lock);
                place.spawn(move || {
                    for round in 0..ROUNDS {
                        if (n + round) % 4 == 0 {
                            let mut pair = lock.0.write().unwrap();
                            assert_eq!(lock.1.load(Ordering::Relaxed), 0, "no reader inside");
                            pair.0 += 1;
                            if round % 3 == 0 {
                                corun::yield_now();
                            }
                            pair.1 += 1;
                        } else {
                            let pair = lock.0.read().unwrap();
                            lock.1.fetch_add(1, Ordering::Relaxed);
                            if round % 5 == 0 {
                                corun::yield_now();
                            }
                            assert_eq!(pair.0, pair.1, "no writer inside");
                            lock.1.fetch_sub(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join();
        }
        assert_eq!(
            *lock.0.read().unwrap(),
            (TASKS * ROUNDS / 4, TASKS * ROUNDS / 4)
        );
    });
}

#[test]
fn readers_share() {
    everywhere(|place| {
        let lock = Arc::new(RwLock::new(1));
        let first = lock.read().unwrap();
        let other = Arc::clone(&lock);
        let outcome = place
            .spawn(move || {
                let second = other.read().unwrap();
                (
                    *second,
                    matches!(other.try_write(), Err(TryLockError::WouldBlock)),
                )
            })
            .join();
        assert_eq!(outcome, (1, true));
        drop(first);
        assert!(lock.try_write().is_ok());
    });
}

#[test]
fn try_operations_do_not_wait_for_a_writer() {
    everywhere(|_| {
        let lock = RwLock::new(1);
        let writer = lock.try_write().unwrap();
        assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)));
        assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
        drop(writer);
        assert!(lock.try_read().is_ok());
    });
}

#[test]
fn a_waiting_writer_stops_new_readers_and_all_are_served_in_order() {
    everywhere(|place| {
        let lock = Arc::new(RwLock::new(Vec::new()));
        let reader = lock.read().unwrap();
        let other = Arc::clone(&lock);
        let writer = place.spawn(move || other.write().unwrap().push("writer"));
        // It waits as soon as nobody can read any more.
        while lock.try_read().is_ok() {
            corun::yield_now();
        }
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let lock = Arc::clone(&lock);
                place.spawn(move || lock.read().unwrap().len())
            })
            .collect();
        for _ in 0..5 {
            corun::yield_now();
        }
        assert!(!writer.is_finished() && readers.iter().all(|reader| !reader.is_finished()));
        drop(reader);
        writer.join();
        for reader in readers {
            assert_eq!(reader.join(), 1, "after the writer that came first");
        }
    });
}

#[test]
fn many_readers_are_let_in_together() {
    everywhere(|place| {
        const READERS: usize = 50;
        let lock = Arc::new((RwLock::new(()), AtomicUsize::new(0)));
        let writer = lock.0.write().unwrap();
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let lock = Arc::clone(&lock);
                place.spawn(move || {
                    let _reader = lock.0.read().unwrap();
                    lock.1.fetch_add(1, Ordering::SeqCst);
                    while lock.1.load(Ordering::SeqCst) < READERS {
                        corun::yield_now();
                    }
                })
            })
            .collect();
        for _ in 0..5 {
            corun::yield_now();
        }
        assert_eq!(lock.1.load(Ordering::SeqCst), 0);
        drop(writer);
        for reader in readers {
            reader.join();
        }
    });
}

#[test]
fn a_downgraded_writer_lets_no_writer_in_between() {
    everywhere(|place| {
        let lock = Arc::new(RwLock::new(0));
        let mut writer = lock.write().unwrap();
        let (for_reader, for_writer) = (Arc::clone(&lock), Arc::clone(&lock));
        let waiting_writer = place.spawn(move || *for_writer.write().unwrap() = 2);
        *writer = 1;
        let reader = RwLockWriteGuard::downgrade(writer);
        let waiting_reader = place.spawn(move || *for_reader.read().unwrap());
        for _ in 0..5 {
            corun::yield_now();
        }
        assert_eq!(*reader, 1);
        drop(reader);
        waiting_writer.join();
        assert!([1, 2].contains(&waiting_reader.join()));
        assert_eq!(*lock.read().unwrap(), 2);
    });
}

#[test]
fn downgrading_lets_waiting_readers_in() {
    everywhere(|place| {
        let lock = Arc::new(RwLock::new(0));
        let mut writer = lock.write().unwrap();
        let other = Arc::clone(&lock);
        let waiting = place.spawn(move || *other.read().unwrap());
        for _ in 0..5 {
            corun::yield_now();
        }
        *writer = 1;
        let reader = RwLockWriteGuard::downgrade(writer);
        assert_eq!(waiting.join(), 1);
        drop(reader);
    });
}

fn panic_with<T: Send + Sync + 'static>(place: Place, lock: &Arc<RwLock<T>>, writes: bool) {
    let lock = Arc::clone(lock);
    place
        .spawn(move || {
            catch_unwind(AssertUnwindSafe(|| {
                let _guards = if writes {
                    (Some(lock.write().unwrap()), None)
                } else {
                    (None, Some(lock.read().unwrap()))
                };
                panic!("on purpose");
            }))
            .unwrap_err();
        })
        .join();
}

#[test]
fn a_writers_panic_poisons() {
    everywhere(|place| {
        let lock = Arc::new(RwLock::new(1));
        panic_with(place, &lock, true);
        assert!(lock.is_poisoned());
        assert_eq!(**lock.read().unwrap_err().get_ref(), 1);
        assert_eq!(**lock.write().unwrap_err().get_ref(), 1);
        assert!(matches!(lock.try_read(), Err(TryLockError::Poisoned(_))));
        assert!(matches!(lock.try_write(), Err(TryLockError::Poisoned(_))));
        lock.clear_poison();
        assert_eq!(*lock.read().unwrap(), 1);
    });
}

#[test]
fn a_readers_panic_does_not_poison() {
    everywhere(|place| {
        let lock = Arc::new(RwLock::new(1));
        panic_with(place, &lock, false);
        assert!(!lock.is_poisoned());
        assert_eq!(*lock.write().unwrap(), 1);
    });
}

#[test]
fn into_inner_and_get_mut_tell_of_poison() {
    everywhere(|place| {
        assert_eq!(RwLock::new(3).into_inner().unwrap(), 3);
        let mut lock = RwLock::new(3);
        *lock.get_mut().unwrap() = 4;
        assert_eq!(*lock.read().unwrap(), 4);
        let lock = Arc::new(RwLock::new(10));
        panic_with(place, &lock, true);
        let mut lock = Arc::into_inner(lock).unwrap();
        assert_eq!(**lock.get_mut().unwrap_err().get_ref(), 10);
        assert_eq!(lock.into_inner().unwrap_err().into_inner(), 10);
    });
}

#[test]
fn a_destructor_may_lock_while_it_unwinds() {
    everywhere(|place| {
        struct Unwinder(Arc<RwLock<i32>>);
        impl Drop for Unwinder {
            fn drop(&mut self) {
                *self.0.write().unwrap_or_else(PoisonError::into_inner) += 1;
            }
        }
        let lock = Arc::new(RwLock::new(1));
        let unwinder = Unwinder(Arc::clone(&lock));
        place
            .spawn(move || {
                catch_unwind(AssertUnwindSafe(move || {
                    let _unwinder = unwinder;
                    panic!("on purpose");
                }))
                .unwrap_err();
            })
            .join();
        assert_eq!(*lock.read().unwrap(), 2);
    });
}

#[test]
fn unsized_data() {
    let slice: &RwLock<[i32]> = &RwLock::new([1, 2, 3]);
    slice.write().unwrap()[0] = 4;
    assert_eq!(*slice.read().unwrap(), [4, 2, 3]);
    let object: Arc<RwLock<dyn Fn() -> i32 + Send + Sync>> = Arc::new(RwLock::new(|| 7));
    assert_eq!((object.read().unwrap())(), 7);
}

#[test]
fn made_in_all_ways_and_shown() {
    static STATIC: RwLock<u32> = RwLock::new(3);
    assert_eq!(*STATIC.read().unwrap(), 3);
    assert_eq!(RwLock::<u32>::default().into_inner().unwrap(), 0);
    assert_eq!(RwLock::from(5).into_inner().unwrap(), 5);
    let (lock, std) = (RwLock::new("data"), std::sync::RwLock::new("data"));
    assert_eq!(format!("{lock:?} {lock:#?}"), format!("{std:?} {std:#?}"));
    assert_eq!(format!("{0:?} {0}", lock.read().unwrap()), r#""data" data"#);
    let (writer, std_writer) = (lock.write().unwrap(), std.write().unwrap());
    assert_eq!(format!("{writer:?} {writer}"), r#""data" data"#);
    assert_eq!(format!("{lock:?}"), format!("{std:?}"));
    drop((writer, std_writer));
}

/// Compiles only if the bound does not hold: if it does, two implementations apply, and the call is ambiguous.
#[test]
fn bounds_are_those_of_std() {
    fn sync<T: Sync>() {}
    fn unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    sync::<RwLock<u8>>();
    sync::<RwLockReadGuard<'static, u8>>();
    sync::<RwLockWriteGuard<'static, u8>>();
    unwind_safe::<RwLock<&mut u8>>();
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
    <RwLockReadGuard<'static, u8> as NotSend<_>>::check();
    <RwLockWriteGuard<'static, u8> as NotSend<_>>::check();
    <RwLock<std::cell::Cell<u8>> as NotSync<_>>::check();
    <RwLock<std::rc::Rc<u8>> as NotSend<_>>::check();
}
