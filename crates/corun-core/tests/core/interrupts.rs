//! Signal handlers in the place of interrupt handlers: they run on the executor's own thread, between any two of its instructions.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use corun_core::{Event, Executor, Machine, Notifier};

use crate::support::spawn;

const SIGNAL: libc::c_int = libc::SIGUSR1;

static NOTIFIER: AtomicPtr<Notifier> = AtomicPtr::new(ptr::null_mut());
static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn handler(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: leaked.
    if let Some(notifier) = unsafe { NOTIFIER.load(Ordering::Acquire).as_ref() } {
        notifier.notify();
    }
}

/// Masks the signal, asks, and unmasks it while it waits, as the documentation of [`Machine::wait`] demands of kernels.
struct Masking(Instant);

impl Machine for Masking {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, _: Option<Duration>, woken: &dyn Fn() -> bool) {
        let (mut mask, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: both sets are written before they are read.
        unsafe {
            libc::sigemptyset(mask.as_mut_ptr());
            libc::sigaddset(mask.as_mut_ptr(), SIGNAL);
            libc::pthread_sigmask(libc::SIG_BLOCK, mask.as_ptr(), before.as_mut_ptr());
            if !woken() {
                libc::sigsuspend(before.as_ptr());
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        }
    }
}

#[test]
fn no_interrupt_is_lost_wherever_it_comes() {
    const SIGNALS: u32 = 2_000;
    let executor = Executor::new(Masking(Instant::now()));
    let event = Event::new(&executor);
    NOTIFIER.store(Box::into_raw(Box::new(event.notifier())), Ordering::Release);
    // SAFETY: the handler touches atomics alone, and has the signature that the system asks for.
    unsafe { libc::signal(SIGNAL, handler as *const () as libc::sighandler_t) };
    // SAFETY: this thread outlives the one that uses it.
    let home = unsafe { libc::pthread_self() };
    let interrupter = std::thread::spawn(move || {
        for sent in 1..=SIGNALS {
            // SAFETY: as above.
            unsafe { libc::pthread_kill(home, SIGNAL) };
            // The next one only after this one, since signals of one kind do not queue.
            while HANDLED.load(Ordering::Relaxed) < sent {
                std::hint::spin_loop();
                std::thread::yield_now();
            }
        }
    });
    // Notifies as well, so that the handler finds a push half-way through.
    let (notifier, own) = (event.notifier(), executor.clone());
    let busy = spawn(&executor, move || {
        let mut notified = 0;
        while HANDLED.load(Ordering::Relaxed) < SIGNALS / 2 {
            notifier.notify();
            notified += 1;
            own.yield_now();
        }
        notified
    });
    let handle = spawn(&executor, move || {
        let mut sum = 0;
        while !(busy.is_finished() && HANDLED.load(Ordering::Relaxed) == SIGNALS) {
            sum += event.wait();
        }
        (sum + event.try_wait(), busy.join())
    });
    executor.run().unwrap();
    let (sum, notified) = handle.join();
    assert_eq!(sum, SIGNALS + notified);
    interrupter.join().unwrap();
}
