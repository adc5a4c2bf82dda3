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

/// How long a thread of this process, as `interrupt::current_thread` names it, has had a processor. `None` if the system does not tell.
pub(crate) fn processor_time(thread: i32) -> Option<std::time::Duration> {
    #[cfg(target_os = "linux")]
    {
        // The clock's number is made of the thread's, as the kernel's `MAKE_THREAD_CPUCLOCK` does.
        let clock = (!thread << 3) | 6;
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is to a local; a number that names no thread is an error.
        if unsafe { libc::clock_gettime(clock, &raw mut time) } == 0 {
            return Some(std::time::Duration::new(
                u64::try_from(time.tv_sec).ok()?,
                u32::try_from(time.tv_nsec).ok()?,
            ));
        }
    }
    let _ = thread;
    None
}

/// Does a thread wait for something else than a processor? If the system does not tell: yes.
pub(crate) fn is_blocked(thread: i32) -> bool {
    let Ok(text) = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")) else {
        return true;
    };
    // After the name, which may contain anything and ends with the last parenthesis.
    let state = text.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    !state.is_some_and(|state| state.starts_with('R'))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_running_thread_uses_time_and_a_waiting_one_is_blocked() {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let waiting = std::thread::spawn(move || {
            tell.send(crate::platform::interrupt::current_thread())
                .unwrap();
            let _ = stopped.recv();
        });
        let thread = told.recv().unwrap();
        let me = crate::platform::interrupt::current_thread();
        let before = processor_time(me).unwrap();
        while processor_time(me).unwrap() < before + Duration::from_millis(1) {}
        assert!(!is_blocked(me));
        while !is_blocked(thread) {
            std::thread::yield_now();
        }
        drop(stop);
        waiting.join().unwrap();
    }
}
