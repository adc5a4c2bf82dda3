//! A coroutine that overflows its stack ends the process with its name, number, spawn site and stack size; all other faults are
//! handled as if corun were not there.
#![cfg(unix)]

mod bad;

use std::process::Output;

use corun::Builder;
use corun::runtime::LocalRuntime;

/// Recurses for ever.
#[allow(unconditional_recursion, reason = "that is the point")]
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 32]);
    recurse(depth + 1) + frame[depth as usize % 32]
}

/// What a C function with a large frame does: it writes far below the stack pointer, and touches nothing between.
#[allow(unconditional_recursion, reason = "that is the point")]
#[inline(never)]
fn unprobed(depth: usize, frame: usize) -> usize {
    let here = std::hint::black_box(depth);
    let below = (&raw const here as usize - frame) as *mut u8;
    // SAFETY: none. While there is room it writes to unused stack, and then it is the overflow under test.
    unsafe { below.write_volatile(1) };
    unprobed(depth + 1, frame) + std::hint::black_box(here)
}

/// The default size in KiB.
const DEFAULT: usize = if cfg!(debug_assertions) { 1024 } else { 184 };

#[track_caller]
fn assert_reported(output: &Output, parts: &[&str]) {
    let text = bad::stderr(output);
    assert_eq!(bad::signal(output), Some(libc::SIGABRT), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn recursion_in_a_named_coroutine() {
    let output = bad::in_child("recursion_in_a_named_coroutine", &[], || {
        let handle = Builder::new()
            .name("deep diver".into())
            .spawn(|| recurse(0));
        let _ = handle.unwrap().join();
    });
    assert_reported(
        &output,
        &[
            "coroutine 'deep diver' (",
            "bad_stack_overflow.rs:",
            &format!("has overflowed its stack of {DEFAULT} KiB"),
            "corun::Builder::stack_size",
            "CORUN_STACK_SIZE=1M",
        ],
    );
}

#[test]
fn recursion_in_a_coroutine_without_a_name() {
    let output = bad::in_child("recursion_in_a_coroutine_without_a_name", &[], || {
        let _ = corun::spawn(|| recurse(0)).join();
    });
    assert_reported(
        &output,
        &["\ncoroutine ", ", spawned at ", "bad_stack_overflow.rs:"],
    );
}

#[test]
fn a_frame_of_48_kib_without_probes() {
    let output = bad::in_child("a_frame_of_48_kib_without_probes", &[], || {
        let handle = Builder::new()
            .name("written in C".into())
            .spawn(|| unprobed(0, 48 * 1024));
        let _ = handle.unwrap().join();
    });
    assert_reported(&output, &["coroutine 'written in C' ("]);
}

#[test]
fn a_stack_of_its_own_size() {
    let output = bad::in_child("a_stack_of_its_own_size", &[], || {
        let builder = Builder::new().name("large".into()).stack_size(2 << 20);
        let _ = builder.spawn(|| recurse(0)).unwrap().join();
    });
    assert_reported(&output, &["coroutine 'large' (", "its stack of 2048 KiB"]);
}

#[test]
fn the_variable_sets_the_size() {
    let variables = [("CORUN_STACK_SIZE", "512K")];
    let output = bad::in_child("the_variable_sets_the_size", &variables, || {
        let _ = corun::spawn(|| recurse(0)).join();
    });
    assert_reported(&output, &["has overflowed its stack of 512 KiB"]);
}

#[test]
fn beside_many_others_after_switches() {
    let output = bad::in_child("beside_many_others_after_switches", &[], || {
        let others: Vec<_> = (0..1000).map(|_| corun::spawn(corun::park)).collect();
        let diver = Builder::new().name("diver".into()).spawn(|| {
            (0..100).for_each(|_| corun::yield_now());
            recurse(0)
        });
        let _ = diver.unwrap().join();
        drop(others);
    });
    assert_reported(&output, &["coroutine 'diver' ("]);
}

#[test]
fn on_a_local_runtime() {
    let output = bad::in_child("on_a_local_runtime", &[], || {
        let runtime = LocalRuntime::new().unwrap();
        runtime.block_on(|| {
            let _ = Builder::new()
                .name("local".into())
                .spawn_local(|| recurse(0))
                .unwrap()
                .join();
        });
    });
    assert_reported(&output, &["coroutine 'local' (", &format!("{DEFAULT} KiB")]);
}

#[test]
fn a_generator_is_not_taken_for_the_coroutine_that_uses_it() {
    let name = "a_generator_is_not_taken_for_the_coroutine_that_uses_it";
    let output = bad::in_child(name, &[], || {
        let user = Builder::new()
            .name("user".into())
            .spawn(|| corun_context::Generator::<u64>::new(|to| to.suspend(recurse(0))).next());
        let _ = user.unwrap().join();
    });
    assert_reported(
        &output,
        &["made by corun-context and used by coroutine 'user' ("],
    );
}

#[test]
fn a_wild_pointer_in_a_coroutine_is_no_overflow() {
    let output = bad::in_child("a_wild_pointer_in_a_coroutine_is_no_overflow", &[], || {
        let _ = corun::spawn(|| {
            // SAFETY: none; the fault is what is tested.
            unsafe { std::hint::black_box(4104 as *mut u8).write_volatile(1) };
        })
        .join();
    });
    assert_eq!(bad::signal(&output), Some(libc::SIGSEGV));
    assert!(!bad::stderr(&output).contains("overflow"), "{output:?}");
}

#[test]
fn a_handler_that_was_there_before_still_gets_other_faults() {
    extern "C" fn handler(_: libc::c_int) {
        // SAFETY: this ends the process at once.
        unsafe { libc::_exit(42) }
    }
    let name = "a_handler_that_was_there_before_still_gets_other_faults";
    let output = bad::in_child(name, &[], || {
        // SAFETY: a zeroed action is valid, and the handler calls what a handler may.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut());
        }
        let _ = corun::spawn(|| {
            // SAFETY: none; the fault is what is tested.
            unsafe { std::hint::black_box(4104 as *mut u8).write_volatile(1) };
        })
        .join();
    });
    assert_eq!(output.status.code(), Some(42), "{output:?}");
}

#[test]
fn std_still_reports_its_own_threads() {
    let output = bad::in_child("std_still_reports_its_own_threads", &[], || {
        corun::spawn(|| ()).join().unwrap();
        let thread = std::thread::Builder::new()
            .name("of std".into())
            .spawn(|| recurse(0));
        let _ = thread.unwrap().join();
    });
    assert_reported(&output, &["of std", "has overflowed its stack"]);
    assert!(!bad::stderr(&output).contains("corun"), "{output:?}");
}
