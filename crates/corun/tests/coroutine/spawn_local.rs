//! `spawn_local` runs on the worker that calls it; a plain thread has none, and is told so.

use std::rc::Rc;

#[test]
fn on_a_plain_thread_it_is_an_error() {
    let error = corun::Builder::new().spawn_local(|| ()).unwrap_err();
    assert!(error.to_string().contains("plain thread"), "{error}");
    let payload = std::panic::catch_unwind(|| corun::spawn_local(|| ())).unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.contains("plain thread"), "{text}");
}

#[test]
fn in_a_coroutine_it_shares_what_is_not_send() {
    let runtime = corun::Runtime::builder().workers(4).build().unwrap();
    for _ in 0..50 {
        let count = runtime.block_on(|| {
            let shared = Rc::new(());
            let here = std::thread::current().id();
            let others: Vec<_> = (0..20)
                .map(|_| {
                    let shared = Rc::clone(&shared);
                    corun::spawn_local(move || {
                        corun::yield_now();
                        assert_eq!(std::thread::current().id(), here);
                        drop(shared);
                    })
                })
                .collect();
            others.into_iter().for_each(|other| other.join().unwrap());
            Rc::strong_count(&shared)
        });
        assert_eq!(count, 1);
    }
}
