//! When the system gives no more memory, there is an error that says so; nothing is lost by it.
#![cfg(target_os = "linux")]

mod common;

use corun_context::stack::{self, OsStack, SlabStack, StackError, StackPool};

/// Lets the process map `bytes` more than it has now. Returns whether the system heeds that; emulators do not.
fn limit_address_space(bytes: usize) -> bool {
    let now = common::address_space() as libc::rlim_t;
    let limit = libc::rlimit {
        rlim_cur: now + bytes as libc::rlim_t,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the pointer is to a local.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    OsStack::new(2 * bytes).is_err()
}

fn check(error: StackError) {
    assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
    assert!(!error.is_invalid_size());
    let io = std::io::Error::from(error);
    assert_eq!(io.kind(), std::io::ErrorKind::OutOfMemory);
    assert!(io.to_string().contains("ulimit -v"), "{io}");
}

#[test]
fn slabs() {
    let output = common::in_child("slabs", || {
        let mut pool = StackPool::new(184 * 1024);
        let mut stacks: Vec<SlabStack> = Vec::with_capacity(10_000);
        if !limit_address_space(200 << 20) {
            return;
        }
        let mut counts = [0; 3];
        for count in &mut counts {
            let error = loop {
                match pool.take() {
                    Ok(stack) => stacks.push(stack),
                    Err(error) => break error,
                }
            };
            check(error);
            *count = stacks.len();
            stacks.drain(..).for_each(|stack| pool.put(stack));
            while pool.needs_trim() {
                pool.trim();
            }
        }
        assert!(
            counts[0] > 500,
            "most of the address space can be used: {counts:?}"
        );
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    });
    assert!(output.status.success(), "{}", common::stderr(&output));
}

#[test]
fn stacks_of_their_own() {
    let output = common::in_child("stacks_of_their_own", || {
        let mut stacks: Vec<OsStack> = Vec::with_capacity(10_000);
        if !limit_address_space(200 << 20) {
            return;
        }
        let mut counts = [0; 3];
        for count in &mut counts {
            let error = loop {
                match OsStack::new(1 << 20) {
                    Ok(stack) => stacks.push(stack),
                    Err(error) => break error,
                }
            };
            check(error);
            *count = stacks.len();
            stacks.clear();
        }
        assert!(
            counts[0] > 100 && counts.iter().all(|count| *count == counts[0]),
            "{counts:?}"
        );
    });
    assert!(output.status.success(), "{}", common::stderr(&output));
}

#[test]
fn sizes_that_no_system_has() {
    assert!(
        OsStack::new(stack::MAX_SIZE + 1)
            .unwrap_err()
            .is_invalid_size()
    );
    // An emulator keeps notes on every page.
    if stack::guards_take_mappings() {
        return;
    }
    // Within the range, but more than 47 bits of address space hold 128 times over.
    let stacks: Result<Vec<OsStack>, StackError> =
        (0..200).map(|_| OsStack::new(stack::MAX_SIZE)).collect();
    check(stacks.unwrap_err());
    assert!(
        OsStack::new(stack::MAX_SIZE + 1)
            .unwrap_err()
            .is_invalid_size()
    );
}
