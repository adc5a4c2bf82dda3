//! Waiting for a child to end, without a thread.
//!
//! A `pidfd` becomes readable when its process ends. It is opened when somebody first waits: the number cannot name another process by then, since
//! a child keeps its number until it was waited for, which is done here alone. Whoever is told that it has ended asks the system for its status, which does
//! not block any more.
//!
//! Where the system has no `pidfd` (an old kernel, a filter, no descriptor left), SIGCHLD says that some child has ended, and all that wait look
//! at theirs. Signals merge, and may be another child's: it is only a reason to look. It is listened for *before* the look, so that none is missed. If that too is
//! refused, looks with pauses are left.
//!
//! Rejected: a thread of the pool for each (hundreds of children would need hundreds of threads, and the wait could not be cancelled).

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::OnceLock;

use crate::io::Descriptor;
use crate::net::backoff::Backoff;
use crate::signal::{SignalKind, Signals};

/// The descriptor of a process, once somebody waits for it; none if the system gives none.
#[derive(Debug, Default)]
pub(super) struct Ended {
    descriptor: OnceLock<Option<Descriptor<OwnedFd>>>,
}

impl Ended {
    /// Waits until the child has ended, and takes its status.
    pub(super) fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Some(descriptor) = self.descriptor.get_or_init(|| open(child)) {
            loop {
                descriptor.readable()?;
                if let Some(status) = child.try_wait()? {
                    return Ok(status);
                }
            }
        }
        match Signals::new([SignalKind::CHILD]) {
            Ok(signals) => loop {
                if let Some(status) = child.try_wait()? {
                    return Ok(status);
                }
                signals.recv();
            },
            Err(_) => {
                let mut backoff = Backoff::new(None);
                loop {
                    if let Some(status) = child.try_wait()? {
                        return Ok(status);
                    }
                    backoff.pause()?;
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn open(child: &Child) -> Option<Descriptor<OwnedFd>> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    let pid = Pid::from_raw(child.id().cast_signed())?;
    pidfd_open(pid, PidfdFlags::empty())
        .ok()
        .map(Descriptor::new)
}

#[cfg(not(target_os = "linux"))]
fn open(_: &Child) -> Option<Descriptor<OwnedFd>> {
    None
}
