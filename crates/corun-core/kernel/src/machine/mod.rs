//! One file for each machine, each with the same items: `Clock` (the executor's [`Machine`](corun_core::Machine)), `put` (a byte to the serial line),
//! `power_off`, `raise_interrupt`, which interrupts this very processor, and `interrupt_soon`, which sets its timer.

use alloc::boxed::Box;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

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

static TIMER_INTERRUPTS: AtomicU32 = AtomicU32::new(0);
static STORM: AtomicBool = AtomicBool::new(false);
static STORM_INTERRUPTS: AtomicU32 = AtomicU32::new(0);

/// How many timer interrupts there were.
pub fn timer_interrupts() -> u32 {
    TIMER_INTERRUPTS.load(Ordering::Relaxed)
}

/// From here on the timer interrupts again and again, wherever the processor is, and notifies the event.
pub fn begin_storm() {
    STORM.store(true, Ordering::Relaxed);
    imp::interrupt_soon();
}

/// Returns how many interrupts there were in the storm, each of which has notified the event.
pub fn end_storm() -> u32 {
    STORM.store(false, Ordering::Relaxed);
    STORM_INTERRUPTS.load(Ordering::Relaxed)
}

/// What the handler of the timer does. The timer is silent.
fn timer_has_fired() {
    TIMER_INTERRUPTS.fetch_add(1, Ordering::Relaxed);
    if STORM.load(Ordering::Relaxed) {
        notify();
        STORM_INTERRUPTS.fetch_add(1, Ordering::Relaxed);
        imp::interrupt_soon();
    }
}
