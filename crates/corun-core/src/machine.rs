//! What the executor asks of the machine that it runs on.

use core::time::Duration;

/// The clock of a machine, and how it waits: the two things that an executor cannot do for itself.
///
/// A moment is told by the time since the clock's zero, which may be any moment that does not move, such as the boot.
///
/// # Examples
/// The waiting half on RISC-V, where `wfi` ends when an interrupt is pending, whether or not the processor would take it:
/// ```text
/// fn wait(&self, deadline: Option<Duration>, woken: &dyn Fn() -> bool) {
///     mask_interrupts();
///     if !woken() {
///         set_timer(deadline);
///         unsafe { asm!("wfi") };
///     }
///     unmask_interrupts(); // Now the handlers run.
/// }
/// ```
pub trait Machine {
    /// The present moment. It never goes back.
    fn now(&self) -> Duration;

    /// Waits until an interrupt has been handled, or until `deadline`; with no deadline, for an interrupt alone.
    ///
    /// `woken` tells whether a handler has already left something to do since the executor looked last. **It has to be asked after interrupts
    /// were masked, and the wait has to begin before they are unmasked**, or atomically with that (`sti; hlt` on x86): otherwise an interrupt that
    /// comes in between is slept through. If it says yes, return at once.
    ///
    /// To return early is always allowed; the executor looks at the clock and its inbox and calls again. A machine that does nothing here works,
    /// and spins.
    fn wait(&self, deadline: Option<Duration>, woken: &dyn Fn() -> bool);
}
