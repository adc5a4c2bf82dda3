//! When the system gives no memory for a stack, the coroutine ends with an error that says so, and all others go on.
#![cfg(target_os = "linux")]

mod bad;

use corun::{Builder, Runtime, StartError};

const HUGE: usize = 256 << 20;

/// From here on the heap can grow a little, but a huge stack does not fit.
fn leave_no_room() {
    bad::leave_room(HUGE as u64 / 2);
}

fn huge(size: usize) -> corun::JoinHandle<u32> {
    Builder::new().stack_size(size).spawn(|| 7).unwrap()
}

#[track_caller]
fn assert_start_error(result: std::thread::Result<u32>) {
    let payload = result.unwrap_err();
    let error = payload.downcast_ref::<StartError>().unwrap();
    let text = error.to_string();
    assert!(text.contains("did not start"), "{text}");
    assert!(std::error::Error::source(error).is_some());
}

#[test]
fn join_tells_why_and_others_go_on() {
    bad::passes_in_child("join_tells_why_and_others_go_on", &[], || {
        for workers in [1, 2] {
            // A size of its own: the stacks of the runtime before are mapped for good.
            let size = HUGE << workers;
            let runtime = Runtime::builder().workers(workers).build().unwrap();
            runtime.block_on(move || {
                let parked: Vec<_> = (0..100).map(|_| corun::spawn(corun::park)).collect();
                corun::yield_now();
                leave_no_room();
                // Joined before it was tried, after it was tried, and by a coroutine that waits meanwhile.
                assert_start_error(huge(size).join());
                let tried = huge(size);
                while !tried.is_finished() {
                    corun::yield_now();
                }
                assert_start_error(tried.join());
                let many: Vec<_> = (0..100).map(|_| huge(size)).collect();
                many.into_iter()
                    .for_each(|one| assert_start_error(one.join()));
                for one in parked {
                    one.coroutine().unpark();
                    one.join().unwrap();
                }
                bad::set_limit(libc::RLIMIT_AS, libc::RLIM_INFINITY);
                assert_eq!(huge(size).join().unwrap(), 7);
            });
        }
    });
}

#[test]
fn a_plain_thread_is_told_as_well() {
    bad::passes_in_child("a_plain_thread_is_told_as_well", &[], || {
        assert_eq!(corun::spawn(|| 1).join().unwrap(), 1);
        leave_no_room();
        assert_start_error(huge(HUGE).join());
        assert_eq!(corun::spawn(|| 1).join().unwrap(), 1);
        bad::set_limit(libc::RLIMIT_AS, libc::RLIM_INFINITY);
        assert_eq!(huge(HUGE).join().unwrap(), 7);
    });
}

/// The closure is dropped, and what it owns with it.
#[test]
fn what_the_closure_owns_is_dropped() {
    bad::passes_in_child("what_the_closure_owns_is_dropped", &[], || {
        let owned = std::sync::Arc::new(());
        assert_eq!(corun::spawn(|| 1).join().unwrap(), 1);
        leave_no_room();
        let builder = Builder::new().stack_size(HUGE);
        let handle = builder.spawn({
            let owned = std::sync::Arc::clone(&owned);
            move || drop(owned)
        });
        assert!(handle.unwrap().join().is_err());
        assert_eq!(std::sync::Arc::strong_count(&owned), 1);
    });
}
