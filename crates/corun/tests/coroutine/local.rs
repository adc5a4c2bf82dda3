//! `coroutine_local!`: one value per coroutine, with the life of the coroutine.

use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use corun::coroutine_local;

coroutine_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
    /// With an attribute, a visibility and a type with a lifetime.
    pub(crate) static WORDS: RefCell<Vec<&'static str>> = RefCell::new(vec!["first"]);
    static NAME: &str = "static"
}
coroutine_local!();
coroutine_local!(static SINGLE: u8 = 3);
coroutine_local!(
    static TRAILING: u8 = 4;
);

#[corun::test(workers = [1, 2, 8])]
fn each_coroutine_has_its_own() {
    COUNT.set(100);
    let coroutines: Vec<_> = (0..50_u32)
        .map(|i| {
            corun::spawn(move || {
                assert_eq!(COUNT.get(), 0);
                for round in 0..20 {
                    assert_eq!(
                        COUNT.replace(i * 100 + round + 1),
                        if round == 0 { 0 } else { i * 100 + round }
                    );
                    corun::yield_now();
                }
                COUNT.take()
            })
        })
        .collect();
    for (i, coroutine) in coroutines.into_iter().enumerate() {
        assert_eq!(coroutine.join().unwrap(), i as u32 * 100 + 20);
    }
    assert_eq!(COUNT.get(), 100);
}

#[corun::test(workers = [1, 2, 8])]
fn a_borrow_may_be_held_across_a_suspension() {
    // With a `thread_local!` the second coroutine would find the cell borrowed.
    corun::scope(|scope| {
        for word in ["a", "b", "c"] {
            scope.spawn(move || {
                WORDS.with_borrow_mut(|words| {
                    for _ in 0..10 {
                        words.push(word);
                        corun::yield_now();
                    }
                });
                assert_eq!(WORDS.take()[1..], [word; 10]);
            });
        }
    });
}

#[corun::test(workers = [1, 2, 8])]
fn an_initialiser_may_suspend_and_use_others() {
    coroutine_local! {
        static SLOW: (u64, u32) = {
            corun::yield_now();
            COUNT.set(COUNT.get() + 1);
            corun::yield_now();
            (corun::current().id().get().get(), COUNT.get())
        };
    }
    corun::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let id = corun::current().id().get().get();
                SLOW.with(|&slow| assert_eq!(slow, (id, 1)));
                SLOW.with(|&slow| assert_eq!(slow, (id, 1)));
            });
        }
    });
}

#[corun::test(workers = [1, 2, 8])]
fn the_next_coroutine_on_the_same_stack_starts_afresh() {
    for _ in 0..200 {
        let fresh = corun::spawn(|| {
            let fresh = COUNT.get() == 0 && WORDS.with_borrow(|words| words.len() == 1);
            COUNT.set(1);
            WORDS.set(vec![]);
            fresh
        });
        assert!(fresh.join().unwrap());
    }
}

type Log = Arc<Mutex<Vec<&'static str>>>;

struct Logged(&'static str, Log, std::thread::ThreadId);

impl Logged {
    fn new(name: &'static str, log: &Log) -> Logged {
        Logged(name, log.clone(), std::thread::current().id())
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        assert_eq!(
            std::thread::current().id(),
            self.2,
            "on the thread where it was made"
        );
        // Destructors may suspend as well.
        corun::yield_now();
        self.1.lock().unwrap().push(self.0);
    }
}

coroutine_local! {
    static EARLY: RefCell<Option<Logged>> = RefCell::new(None);
    static LATE: RefCell<Option<Logged>> = RefCell::new(None);
}

#[corun::test(workers = [1, 2, 8])]
fn values_are_destroyed_in_reverse_order_before_join_returns() {
    let log = Log::default();
    let coroutine = corun::spawn({
        let log = log.clone();
        move || {
            EARLY.set(Some(Logged::new("early", &log)));
            LATE.set(Some(Logged::new("late", &log)));
        }
    });
    coroutine.join().unwrap();
    assert_eq!(*log.lock().unwrap(), ["late", "early"]);
}

#[corun::test(workers = [1, 2, 8])]
fn values_are_destroyed_after_a_panic_too() {
    let log = Log::default();
    let coroutine = corun::spawn({
        let log = log.clone();
        move || {
            EARLY.set(Some(Logged::new("early", &log)));
            std::panic::resume_unwind(Box::new(()));
        }
    });
    assert!(coroutine.join().is_err());
    assert_eq!(*log.lock().unwrap(), ["early"]);
}

#[corun::test(workers = [1, 2, 8])]
fn a_destructor_can_use_what_is_alive_and_is_told_of_what_is_not() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    struct Curious;
    impl Drop for Curious {
        fn drop(&mut self) {
            assert_eq!(COUNT.get(), 5, "made before this one, so still alive");
            assert!(OWN.try_with(|_| ()).is_err());
            assert!(catch_unwind(|| OWN.with(|_| ())).is_err());
            SEEN.fetch_add(1, Ordering::Relaxed);
        }
    }
    coroutine_local!(static OWN: Curious = Curious);
    let before = SEEN.load(Ordering::Relaxed);
    let coroutine = corun::spawn(|| {
        COUNT.set(5);
        OWN.with(|_| ());
    });
    coroutine.join().unwrap();
    assert!(SEEN.load(Ordering::Relaxed) > before);
}

#[corun::test(workers = 2)]
fn setting_a_value_does_not_run_the_initialiser() {
    coroutine_local!(static NEVER: Cell<u32> = panic!("the initialiser ran"));
    NEVER.set(4);
    assert_eq!(NEVER.get(), 4);
    NEVER.set(5);
    assert_eq!(NEVER.replace(6), 5);
}

#[corun::test(workers = 2)]
fn an_initialiser_that_needs_its_own_value_panics_and_can_be_tried_again() {
    coroutine_local!(static LOOP: u32 = if COUNT.get() == 0 { LOOP.with(|value| *value) } else { 9 });
    let payload = catch_unwind(|| LOOP.with(|value| *value)).unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("`LOOP`"));
    COUNT.set(1);
    assert_eq!(LOOP.with(|value| *value), 9);
}

#[test]
fn plain_threads_have_values_of_their_own() {
    let log = Log::default();
    COUNT.set(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(COUNT.get(), 0);
            EARLY.set(Some(Logged::new("early", &log)));
            LATE.set(Some(Logged::new("late", &log)));
        });
    });
    // The scope returns when the closure has; the thread's values go with the thread.
    while log.lock().unwrap().len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(*log.lock().unwrap(), ["late", "early"]);
    assert_eq!(COUNT.get(), 1);
    assert_eq!(corun::spawn(|| COUNT.get()).join().unwrap(), 0);
}

#[test]
fn the_grammar_of_thread_local() {
    assert_eq!(
        (
            NAME.with(|name| name.len()),
            SINGLE.with(|s| *s),
            TRAILING.with(|t| *t)
        ),
        (6, 3, 4)
    );
    assert!(format!("{NAME:?}").contains("NAME"));
}

mod inherited {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    corun::coroutine_local! {
        static inherit NUMBER: u32;
        /// A second one beside it.
        pub(self) static inherit WORD: Arc<str>
    }

    #[test]
    fn children_see_what_was_bound_when_they_were_spawned() {
        for workers in [1, 2, 8] {
            let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
            runtime.block_on(|| {
                assert_eq!(NUMBER.get(), None);
                let orphan = corun::spawn(|| NUMBER.get());
                let (child, grandchild) = NUMBER.with_value(1, || {
                    WORD.with_value("word".into(), || {
                        let child = corun::Builder::new().name("child".into());
                        let child = child.spawn(|| (NUMBER.get(), WORD.get())).unwrap();
                        let grandchild = corun::spawn(|| {
                            corun::yield_now();
                            let inner = NUMBER.with_value(2, || corun::spawn(|| NUMBER.get()));
                            let outer = corun::spawn_local(|| NUMBER.get());
                            corun::yield_now();
                            (inner.join().unwrap(), outer.join().unwrap(), WORD.get())
                        });
                        (child, grandchild)
                    })
                });
                let word = Some(Arc::from("word"));
                assert_eq!(NUMBER.get(), None);
                assert_eq!(orphan.join().unwrap(), None);
                assert_eq!(child.join().unwrap(), (Some(1), word.clone()));
                assert_eq!(grandchild.join().unwrap(), (Some(2), Some(1), word));
            });
        }
    }

    #[test]
    fn each_coroutine_of_a_worker_has_its_own() {
        let runtime = corun::Runtime::builder().workers(1).build().unwrap();
        runtime.block_on(|| {
            let coroutines: Vec<_> = (0..10)
                .map(|n| {
                    corun::spawn(move || {
                        NUMBER.with_value(n, || {
                            corun::yield_now();
                            NUMBER.get() == Some(n)
                        })
                    })
                })
                .collect();
            assert!(coroutines.into_iter().all(|one| one.join().unwrap()));
        });
    }

    #[test]
    fn async_tasks_inherit_and_bind() {
        for workers in [1, 2, 8] {
            let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
            let task = NUMBER.with_value(3, || {
                runtime.spawn_async(async {
                    let child = NUMBER.with_value(4, || corun::spawn_async(async { NUMBER.get() }));
                    let other = corun::spawn(|| NUMBER.get());
                    (child.await.unwrap(), other.await.unwrap(), NUMBER.get())
                })
            });
            assert_eq!(task.join().unwrap(), (Some(4), Some(3), Some(3)));
        }
    }

    #[test]
    fn a_plain_thread_binds_too_and_a_panic_unbinds() {
        let child = NUMBER.with_value(5, || corun::spawn(|| NUMBER.get()));
        assert_eq!(child.join().unwrap(), Some(5));
        let outcome = std::panic::catch_unwind(|| {
            NUMBER.with_value(6, || std::panic::resume_unwind(Box::new(())))
        });
        assert!(outcome.is_err());
        NUMBER.with(|number| assert_eq!(number, None));
    }

    static DROPPED: AtomicUsize = AtomicUsize::new(0);

    struct Counted;

    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }

    corun::coroutine_local! {
        static inherit COUNTED: Counted;
    }

    #[test]
    fn a_value_goes_with_the_last_that_sees_it() {
        let child = COUNTED.with_value(Counted, || corun::spawn(corun::park));
        let handle = child.coroutine().clone();
        assert_eq!(DROPPED.load(Ordering::SeqCst), 0);
        handle.unpark();
        child.join().unwrap();
        // Not with the last handle.
        assert_eq!(DROPPED.load(Ordering::SeqCst), 1);
        drop(handle);
    }
}
