//! What a worker thread is set up with before it runs coroutines.

/// Lets timers of this thread fire when they are due rather than up to 50 us later: the system's default slack would be most of a
/// coroutine's lateness.
pub(crate) fn set_timer_slack() {
    #[cfg(target_os = "linux")]
    // SAFETY: the call takes a number and changes nothing but this thread's timer slack. A refusal costs precision only.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1);
    }
}
