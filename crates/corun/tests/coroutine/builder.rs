//! `Builder` and `current`: names, ids, states and stack sizes, as std's for threads.

use std::collections::HashSet;
use std::io;

use corun::{Builder, State};

#[corun::test(workers = [1, 2, 8])]
fn names() {
    let named = Builder::new()
        .name("a name, in UTF-8: ünïcödé".into())
        .spawn(|| corun::current().name().map(String::from));
    let named = named.unwrap();
    assert_eq!(named.coroutine().name(), Some("a name, in UTF-8: ünïcödé"));
    assert_eq!(
        named.join().unwrap().as_deref(),
        Some("a name, in UTF-8: ünïcödé")
    );
    let unnamed = corun::spawn(|| corun::current().name().map(String::from));
    assert_eq!(unnamed.coroutine().name(), None);
    assert_eq!(unnamed.join().unwrap(), None);
    // A `String` as with std, and not only a `&str`.
    let owned = Builder::new()
        .name("owned".to_owned())
        .spawn(|| ())
        .unwrap();
    assert_eq!(owned.coroutine().name(), Some("owned"));
    owned.join().unwrap();
}

#[corun::test(workers = [1, 2, 8])]
fn a_name_outlives_the_coroutine_in_its_handles() {
    let handle = Builder::new().name("gone".into()).spawn(|| ()).unwrap();
    let coroutine = handle.coroutine().clone();
    handle.join().unwrap();
    assert_eq!(
        (coroutine.name(), coroutine.state()),
        (Some("gone"), State::Completed)
    );
    coroutine.unpark();
}

#[corun::test(workers = [1, 2, 8])]
fn ids_are_unique_and_the_same_from_inside_and_outside() {
    let mut seen = HashSet::from([corun::current().id()]);
    for _ in 0..500 {
        let handle = corun::spawn(|| corun::current().id());
        let outside = handle.coroutine().id();
        assert_eq!(handle.join().unwrap(), outside);
        assert!(seen.insert(outside));
    }
}

#[test]
fn plain_threads_have_an_id_and_a_name_as_well() {
    let me = corun::current();
    assert_eq!(me.id(), corun::current().id());
    assert_eq!(me.name(), std::thread::current().name());
    let other = std::thread::Builder::new().name("plain".into()).spawn(|| {
        let me = corun::current();
        (me.id(), me.name().map(String::from))
    });
    let (id, name) = other.unwrap().join().unwrap();
    assert_ne!(id, me.id());
    assert_eq!(name.as_deref(), Some("plain"));
}

#[corun::test(workers = [1, 2, 8])]
fn states() {
    let coroutine = corun::spawn(|| {
        assert_eq!(corun::current().state(), State::Running);
        corun::park();
    });
    while coroutine.coroutine().state() != State::Suspended {
        corun::yield_now();
    }
    let handle = coroutine.coroutine().clone();
    assert!(!coroutine.is_finished());
    handle.unpark();
    coroutine.join().unwrap();
    assert_eq!(handle.state(), State::Completed);

    let failing = corun::spawn(|| std::panic::resume_unwind(Box::new(())));
    let handle = failing.coroutine().clone();
    assert!(failing.join().is_err());
    assert_eq!(handle.state(), State::Failed);
}

#[corun::test(workers = 1)]
fn what_has_not_run_yet_is_ready() {
    let waiting = corun::spawn(|| ());
    assert_eq!(waiting.coroutine().state(), State::Ready);
    waiting.join().unwrap();
}

/// Uses more than `kilobytes` of stack.
fn deep(kilobytes: usize) -> usize {
    let block = std::hint::black_box([1_u8; 1024]);
    if kilobytes == 0 {
        0
    } else {
        deep(kilobytes - 1) + usize::from(block[kilobytes % 1024])
    }
}

#[corun::test(workers = [1, 2, 8])]
fn a_stack_of_the_wanted_size() {
    for kilobytes in [200, 1000, 4000] {
        let builder = Builder::new().stack_size(kilobytes * 4096 + 64 * 1024);
        assert_eq!(
            builder
                .spawn(move || deep(kilobytes))
                .unwrap()
                .join()
                .unwrap(),
            kilobytes
        );
    }
    // Small ones are rounded up.
    assert_eq!(
        Builder::new()
            .stack_size(1)
            .spawn(|| deep(1))
            .unwrap()
            .join()
            .unwrap(),
        1
    );
    let error = Builder::new().stack_size(0).spawn(|| ()).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let error = Builder::new()
        .stack_size(usize::MAX)
        .spawn(|| ())
        .err()
        .unwrap();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}
