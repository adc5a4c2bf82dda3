//! One file for each machine, each with the same items: `Clock` (the executor's [`Machine`](corun_core::Machine)), `put` (a byte to the serial line),
//! `power_off`, `raise_interrupt`, which interrupts this very processor, and `timer_interrupts`, how many there were.

use alloc::boxed::Box;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use corun_core::Notifier;

#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod imp;

pub use imp::*;

/// Whom the handler of the interrupt notifies.
static NOTIFIER: AtomicPtr<Notifier> = AtomicPtr::new(ptr::null_mut());

/// From here on the interrupt that [`raise_interrupt`] raises notifies this event.
pub fn set_notifier(notifier: Notifier) {
    let old = NOTIFIER.swap(Box::into_raw(Box::new(notifier)), Ordering::AcqRel);
    assert!(old.is_null(), "there is one notifier at a time");
}

/// From here on it notifies nobody.
pub fn take_notifier() {
    let old = NOTIFIER.swap(ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: from `Box::into_raw`, and taken once. The handler, on this same processor, is not in the middle of using it.
    unsafe { drop(Box::from_raw(old)) }
}

/// What the handler does.
fn notify() {
    // SAFETY: null, or a notifier that is dropped only while no handler runs.
    if let Some(notifier) = unsafe { NOTIFIER.load(Ordering::Acquire).as_ref() } {
        notifier.notify();
    }
}
