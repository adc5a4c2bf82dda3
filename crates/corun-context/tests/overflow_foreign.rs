//! Faults that are not ours are handled as if we were not there.
#![cfg(all(unix, feature = "std"))]

mod common;

use std::mem;

use corun_context::stack::overflow::{self, AltStack};
use corun_context::stack::{DEFAULT_SIZE, SlabStack};
use libc::{SA_SIGINFO, SIGSEGV, c_int};

/// An address that nothing is mapped at.
const WILD: usize = 4104;

fn fault() {
    // SAFETY: none; the fault is what is tested.
    unsafe { std::hint::black_box(WILD as *mut u8).write_volatile(1) };
}

fn set_action(handler: usize, flags: c_int) {
    // SAFETY: a zeroed action is valid, and the handlers below only call what a handler may.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        (action.sa_sigaction, action.sa_flags) = (handler, flags);
        assert_eq!(libc::sigaction(SIGSEGV, &action, std::ptr::null_mut()), 0);
    }
}

#[test]
fn reaches_a_handler_with_information() {
    extern "C" fn handler(signal: c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the system passes a valid `info`.
        let address = unsafe { (*info).si_addr() } as usize;
        // SAFETY: this ends the process at once.
        unsafe {
            libc::_exit(if (signal, address) == (SIGSEGV, WILD) {
                42
            } else {
                43
            })
        }
    }
    let output = common::in_child("reaches_a_handler_with_information", || {
        set_action(handler as *const () as usize, SA_SIGINFO);
        overflow::install().unwrap();
        let _alt = AltStack::install().unwrap();
        common::call_on(&SlabStack::new(DEFAULT_SIZE).unwrap(), fault);
    });
    assert_eq!(output.status.code(), Some(42), "{output:?}");
}

#[test]
fn reaches_a_plain_handler() {
    extern "C" fn handler(signal: c_int) {
        // SAFETY: this ends the process at once.
        unsafe { libc::_exit(if signal == SIGSEGV { 42 } else { 43 }) }
    }
    let output = common::in_child("reaches_a_plain_handler", || {
        set_action(handler as *const () as usize, 0);
        overflow::install().unwrap();
        common::call_on(&SlabStack::new(DEFAULT_SIZE).unwrap(), fault);
    });
    assert_eq!(output.status.code(), Some(42), "{output:?}");
}

#[test]
fn kills_by_default() {
    let output = common::in_child("kills_by_default", || {
        set_action(libc::SIG_DFL, 0);
        overflow::install().unwrap();
        fault();
    });
    assert_eq!(common::signal(&output), Some(SIGSEGV), "{output:?}");
}

#[test]
fn kills_even_if_ignored() {
    let output = common::in_child("kills_even_if_ignored", || {
        set_action(libc::SIG_IGN, 0);
        overflow::install().unwrap();
        fault();
    });
    assert_eq!(common::signal(&output), Some(SIGSEGV), "{output:?}");
}

#[test]
fn sent_signals_kill_by_default() {
    let output = common::in_child("sent_signals_kill_by_default", || {
        set_action(libc::SIG_DFL, 0);
        overflow::install().unwrap();
        // SAFETY: no preconditions.
        unsafe { libc::raise(SIGSEGV) };
    });
    assert_eq!(common::signal(&output), Some(SIGSEGV), "{output:?}");
}

#[test]
fn sent_signals_can_be_ignored() {
    let output = common::in_child("sent_signals_can_be_ignored", || {
        set_action(libc::SIG_IGN, 0);
        overflow::install().unwrap();
        // SAFETY: no preconditions.
        unsafe { libc::raise(SIGSEGV) };
    });
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn std_reports_its_own_threads() {
    let output = common::in_child("std_reports_its_own_threads", || {
        overflow::install().unwrap();
        let thread = std::thread::Builder::new()
            .name("deep one".into())
            .spawn(|| {
                let _alt = AltStack::install().unwrap();
                common::recurse(0);
            });
        thread.unwrap().join().unwrap();
    });
    assert_eq!(common::signal(&output), Some(libc::SIGABRT));
    let stderr = common::stderr(&output);
    assert!(
        stderr.contains("deep one") && stderr.contains("has overflowed its stack"),
        "{output:?}"
    );
}
