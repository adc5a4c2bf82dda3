//! `syscall`: futexes, on which std's `Mutex`, `RwLock`, `Condvar`, `Once`, `Barrier`, `mpsc` and `thread::park` wait.
//!
//! A coroutine waits in our queue (`queue.rs`), a thread in the kernel's. A wake-up looks for coroutines first, and passes the rest of its count
//! on. Only futexes private to the process are taken: nobody else's wake-up comes through here. What moves waiters about (requeue) wakes all
//! coroutines instead, which every user of a futex has to expect. Everything else that is called in this way goes to the kernel, unseen.
//!
//! `thread::park` is a case of its own: `parker.rs`.

use std::ffi::c_long;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use libc::timespec;

use crate::errno::{Errno, error};
use crate::queue::{self, ANY, End};
use crate::sleeping::read;
use crate::sockets::duration;
use crate::symbol::hooks;
use crate::{parker, wait};

hooks! {
    fn syscall(number: c_long, a: c_long, b: c_long, c: c_long, d: c_long, e: c_long, f: c_long) -> c_long |real, parks| {
        if number == libc::SYS_futex && crate::is_installed() {
            let call = Futex {
                address: a as usize,
                operation: b as i32 & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME),
                is_private: b as i32 & libc::FUTEX_PRIVATE_FLAG != 0,
                clock: if b as i32 & libc::FUTEX_CLOCK_REALTIME == 0 { libc::CLOCK_MONOTONIC } else { libc::CLOCK_REALTIME },
                value: c as u32,
                timeout: d as *const timespec,
                second: e as usize,
                bits: f as u32,
            };
            // SAFETY: as for the call itself.
            unsafe {
                if let Some(result) = call.wait(parks) {
                    return result;
                }
                let woken = call.wake();
                if woken != 0 {
                    let errno = Errno::save();
                    let left = (c as i32 as usize).saturating_sub(woken);
                    let rest = if left == 0 && call.is_plain_wake() { 0 } else { real(number, a, b, left as c_long, d, e, f) };
                    errno.number(Ok(0));
                    return rest.max(0) + woken as c_long;
                }
            }
        }
        // SAFETY: as for the call itself. More arguments than the system call has are not looked at.
        unsafe { real(number, a, b, c, d, e, f) }
    }
}

/// The arguments of a futex call.
struct Futex {
    address: usize,
    operation: i32,
    is_private: bool,
    clock: libc::clockid_t,
    value: u32,
    timeout: *const timespec,
    second: usize,
    bits: u32,
}

impl Futex {
    /// The result, if the caller is a coroutine that is to wait.
    ///
    /// # Safety
    /// The arguments are those of a futex call.
    unsafe fn wait(&self, parks: bool) -> Option<c_long> {
        let is_wait = matches!(self.operation, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET);
        if !is_wait
            || !parks
            || !self.is_private
            || !self.address.is_multiple_of(4)
            || self.address == 0
        {
            return None;
        }
        if parker::is_learning(self.address) {
            return Some(0);
        }
        let errno = Errno::save();
        // SAFETY: as the caller promises.
        let result = unsafe { self.deadline() }.and_then(|deadline| {
            // SAFETY: as above: the word is there for as long as somebody waits on it.
            let word = unsafe { &*(self.address as *const AtomicU32) };
            let end = if parker::is_own(self.address) {
                parker::wait(word, deadline)
            } else {
                let bits = if self.operation == libc::FUTEX_WAIT {
                    ANY
                } else {
                    self.bits
                };
                queue::wait(self.address, bits, deadline, || {
                    word.load(Ordering::SeqCst) == self.value
                })
            };
            match end {
                End::NoNeed => error(libc::EAGAIN),
                End::Woken(_) => Ok(0),
                End::TimedOut => error(libc::ETIMEDOUT),
            }
        });
        Some(errno.number(result).into())
    }

    /// # Safety
    /// As for `wait`.
    unsafe fn deadline(&self) -> io::Result<Option<Instant>> {
        // SAFETY: as the caller promises.
        let Some(time) = (unsafe { self.timeout.as_ref() }) else {
            return Ok(None);
        };
        let mut time = duration(time)?;
        // With bits it is a moment, else a duration.
        if self.operation == libc::FUTEX_WAIT_BITSET {
            time = time.saturating_sub(read(self.clock));
        }
        Ok(wait::deadline(time))
    }

    fn is_plain_wake(&self) -> bool {
        matches!(self.operation, libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET)
    }

    /// Wakes coroutines, and returns how many of those that the caller asked for.
    fn wake(&self) -> usize {
        let most = usize::try_from(self.value as i32).unwrap_or(0);
        match self.operation {
            libc::FUTEX_WAKE if parker::wake(self.address) => 0,
            libc::FUTEX_WAKE => queue::wake(self.address, most, ANY),
            libc::FUTEX_WAKE_BITSET => queue::wake(self.address, most, self.bits),
            // The kernel moves or wakes others by a condition that is checked there. Who is woken for nothing looks again.
            libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE | libc::FUTEX_WAKE_OP => {
                queue::wake(self.address, usize::MAX, ANY);
                queue::wake(self.second, usize::MAX, ANY);
                0
            }
            _ => 0,
        }
    }
}
