//! Files through io_uring, where the system has it: the operations for which there is otherwise a thread of the pool.
//!
//! # Protocol
//! - Each worker has a ring, made when one of its coroutines first needs it. An operation lies on its coroutine's stack, and lends the buffers that its
//!   coroutine owns or borrows; its address is in the entry. The system completes each exactly once, and the coroutine does not leave before: a
//!   cancellation asks the system to cancel too, and waits for what comes of it. So nothing is ever written to a frame that is gone.
//! - Whoever submits looks at once whether it is done: what the system has in memory is. Then there is neither a wait nor a second system call.
//! - An eventfd says that something was completed. It is an ordinary source of the worker's reactor, and the ring is an async task without an executor: its waker
//!   takes what was completed, on the thread that polls the reactor (the worker's, or the watch thread while the worker is stalled). It is *armed*, that
//!   is to say in the herd of the source, whenever operations are under way; who is woken clears the flag first, then looks at the count, and a submitter
//!   raises the count first, then looks at the flag.
//! - No more are under way than the completion queue has room for; beyond that, and whatever is refused, goes to the pool.
//! - A ring that the system will not take an entry from any more is broken, and not used again: the entry stays in it for good.
//!
//! Rejected: one ring for all workers (its completions come to one worker, and have to be passed on: two more wake-ups); a thread that waits for
//! completions (likewise); `eventfd_async` (says nothing of what is completed by the submitting thread itself, as reads that had to wait for a page are);
//! `open` and `statx` (the system does the one on a thread of its own as soon as it has to look, of which there are few, so that some opens of
//! named pipes would hold up all files, and the other always; and no `Metadata` can be made of a `statx`).
//!
//! Tests: `tests/fs` runs everything with and without.

use std::cell::{Cell, OnceCell};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};

use io_uring::{IoUring, Probe, opcode, squeue, types};
use rustix::event::{EventfdFlags, eventfd};

use crate::blocking::BlockingPool;
use crate::blocking::completion::Completion;
use crate::cancel::limit::Limit;
use crate::reactor::{Direction, Source};
use crate::scheduler::{self, lock_mutex};

/// The length of the submission queue; the completion queue has twice as many places.
const ENTRIES: u32 = 256;
/// How often an entry is offered to a system that has no memory for it just now.
const ATTEMPTS: u32 = 1000;
/// The user data of a request to cancel: nobody waits for its completion.
const NOBODY: u64 = 0;

/// The ring of one worker.
pub(crate) struct Ring {
    // Dropped first: it must leave the reactor before the descriptor is closed.
    source: Source,
    completed: OwnedFd,
    uring: Mutex<IoUring>,
    /// Entries that were submitted and whose completions were not taken.
    under_way: AtomicUsize,
    most_under_way: usize,
    armed: AtomicBool,
    broken: AtomicBool,
}

/// What a worker has for its ring: none, if the system has none to give.
pub(crate) type PerWorker = OnceCell<Option<Arc<Ring>>>;

/// An operation, on the stack of whoever waits for it.
struct Operation {
    result: Cell<i32>,
    completion: Completion,
}

impl Ring {
    /// # Errors
    /// If the system has none to give: an old kernel, a filter, no descriptor or memory left.
    fn new() -> io::Result<Arc<Ring>> {
        let uring = IoUring::new(ENTRIES)?;
        let mut probe = Probe::new();
        uring.submitter().register_probe(&mut probe)?;
        let needed = [
            opcode::Read::CODE,
            opcode::Readv::CODE,
            opcode::Write::CODE,
            opcode::Writev::CODE,
            opcode::Fsync::CODE,
            opcode::AsyncCancel::CODE,
        ];
        // Else a full queue loses completions, or there is no position of the file's own.
        let params = uring.params();
        if !needed.iter().all(|code| probe.is_supported(*code))
            || !params.is_feature_nodrop()
            || !params.is_feature_rw_cur_pos()
        {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let completed = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        uring.submitter().register_eventfd(completed.as_raw_fd())?;
        let ring = Arc::new(Ring {
            source: Source::new(),
            completed,
            most_under_way: params.cq_entries() as usize,
            uring: Mutex::new(uring),
            under_way: AtomicUsize::new(0),
            armed: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        });
        // Registers the descriptor: later it cannot fail any more.
        ring.arm()?;
        Ok(ring)
    }

    /// The ring of the calling coroutine's worker, if it is to use one, and there is room.
    fn of_worker() -> Option<Arc<Ring>> {
        let place = scheduler::place_for_ring()?;
        let ring = place.get_or_init(|| Ring::new().ok()).clone()?;
        let is_fit = !ring.broken.load(Ordering::Relaxed)
            && ring.under_way.load(Ordering::Relaxed) < ring.most_under_way;
        is_fit.then_some(ring)
    }

    /// Puts an entry in the queue and has the system take it. False if it will not, ever.
    ///
    /// # Safety
    /// What the entry points to stays until its completion was taken.
    unsafe fn submit(&self, entry: &squeue::Entry) -> bool {
        if self.broken.load(Ordering::Relaxed) {
            return false;
        }
        // SeqCst, as are those of `wake`: see the protocol.
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let mut uring = lock_mutex(&self.uring);
        // SAFETY: the same contract.
        let mut is_taken = unsafe { uring.submission().push(entry) }.is_ok();
        if is_taken {
            let mut attempts = 0;
            is_taken = loop {
                match uring.submit() {
                    Ok(_) if uring.submission().is_empty() => break true,
                    Err(error)
                        if !matches!(
                            error.raw_os_error(),
                            Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)
                        ) =>
                    {
                        break false;
                    }
                    _ => {}
                }
                attempts += 1;
                if attempts == ATTEMPTS {
                    break false;
                }
                Ring::take(&mut uring, &self.under_way);
                std::thread::yield_now();
            };
            if !is_taken {
                self.broken.store(true, Ordering::Relaxed);
            }
        }
        if !is_taken {
            self.under_way.fetch_sub(1, Ordering::SeqCst);
        }
        Ring::take(&mut uring, &self.under_way);
        is_taken
    }

    /// Takes what was completed, and tells those who wait. Returns how many.
    fn take(uring: &mut IoUring, under_way: &AtomicUsize) -> usize {
        let mut count = 0;
        for completed in uring.completion() {
            count += 1;
            if completed.user_data() != NOBODY {
                let operation = ptr::with_exposed_provenance::<Operation>(
                    usize::try_from(completed.user_data()).expect("it was an address"),
                );
                // SAFETY: it came from an operation that waits for this, and of which only the completion is touched after it was told.
                unsafe {
                    (*operation).result.set(completed.result());
                    Completion::complete(&raw const (*operation).completion);
                }
            }
        }
        under_way.fetch_sub(count, Ordering::SeqCst);
        count
    }

    /// Sees to it that completions are taken when they come.
    fn arm(self: &Arc<Ring>) -> io::Result<()> {
        if self.armed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let waker = Waker::from(Arc::clone(self));
        let look = || match Ring::take(&mut lock_mutex(&self.uring), &self.under_way) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        };
        loop {
            let polled =
                self.source
                    .poll(&waker, &self.completed, Direction::Read, |()| false, look);
            match polled {
                Poll::Pending => return Ok(()),
                Poll::Ready(result) => result?,
            }
        }
    }

    /// Does what an entry says, and waits for it. `None` if somebody else has to do it.
    ///
    /// # Safety
    /// What the entry points to stays until this has returned, or has unwound.
    unsafe fn run(self: &Arc<Ring>, entry: squeue::Entry) -> Option<io::Result<usize>> {
        let operation = Operation {
            result: Cell::new(0),
            completion: Completion::new(),
        };
        // A paused clock waits for it, as for the pool.
        let _call = scheduler::blocking_pool().map(BlockingPool::count_call);
        let address = (&raw const operation).expose_provenance() as u64;
        // SAFETY: the operation stays until it is complete, as does the rest by contract.
        if !unsafe { self.submit(&entry.user_data(address)) } {
            return None;
        }
        if operation.completion.is_done() {
            scheduler::safepoint();
        } else if let Err(error) = self.wait(&operation, address) {
            return Some(Err(error));
        }
        match operation.result.get() {
            count @ 0.. => Some(Ok(count as usize)),
            // It has no way for this kind of file.
            error if [libc::EINVAL, libc::EOPNOTSUPP].contains(&-error) => None,
            error => Some(Err(io::Error::from_raw_os_error(-error))),
        }
    }

    /// Returns when it is complete, or unwinds then.
    fn wait(self: &Arc<Ring>, operation: &Operation, address: u64) -> io::Result<()> {
        // Others point into this frame: leaving it by a panic would leave them dangling.
        let no_unwinding = AbortOnUnwind;
        self.arm()
            .expect("the descriptor was registered when the ring was made");
        let limit = Limit::for_io(None);
        let in_time = operation.completion.wait(&limit);
        if !in_time {
            let cancel = opcode::AsyncCancel::new(address).build().user_data(NOBODY);
            // SAFETY: it points to nothing. If it is not taken, the wait is longer.
            unsafe { self.submit(&cancel) };
            operation.completion.wait_out();
        }
        std::mem::forget(no_unwinding);
        // What has been done is not lost: the next wait is left.
        if !in_time && [libc::ECANCELED, libc::EINTR].contains(&-operation.result.get()) {
            limit.expired_io()?;
            // Nothing was over after all.
            operation.result.set(-libc::EINTR);
        }
        Ok(())
    }
}

struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("fatal: corun cannot wait for an operation that borrows from this stack");
        std::process::abort();
    }
}

impl Wake for Ring {
    fn wake(self: Arc<Ring>) {
        self.armed.store(false, Ordering::SeqCst);
        Ring::take(&mut lock_mutex(&self.uring), &self.under_way);
        if self.under_way.load(Ordering::SeqCst) != 0 {
            // It fails when the worker has gone, and then nobody waits.
            let _ = self.arm();
        }
    }
}

/// Where an operation begins.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// At the file's own position, which moves.
    Position,
    Offset(u64),
}

impl Place {
    fn raw(self) -> u64 {
        match self {
            Place::Position => u64::MAX,
            Place::Offset(offset) => offset,
        }
    }
}

/// Longer ones are partial.
fn length(length: usize) -> u32 {
    u32::try_from(length)
        .unwrap_or(i32::MAX as u32)
        .min(i32::MAX as u32)
}

/// Reads. `None` if a thread of the pool has to do it.
pub(super) fn read(
    descriptor: BorrowedFd<'_>,
    bufs: &mut [IoSliceMut<'_>],
    place: Place,
) -> Option<io::Result<usize>> {
    let ring = Ring::of_worker()?;
    let descriptor = types::Fd(descriptor.as_raw_fd());
    let entry = if let [buf] = bufs {
        opcode::Read::new(descriptor, buf.as_mut_ptr(), length(buf.len()))
            .offset(place.raw())
            .build()
    } else {
        // An `IoSliceMut` is laid out as an `iovec`.
        let count = bufs.len().min(1024) as u32;
        opcode::Readv::new(descriptor, bufs.as_mut_ptr().cast(), count)
            .offset(place.raw())
            .build()
    };
    // SAFETY: the buffers are lent for the time of this call.
    unsafe { ring.run(entry) }
}

/// Writes. `None` as in `read`.
pub(super) fn write(
    descriptor: BorrowedFd<'_>,
    bufs: &[IoSlice<'_>],
    place: Place,
) -> Option<io::Result<usize>> {
    let ring = Ring::of_worker()?;
    let descriptor = types::Fd(descriptor.as_raw_fd());
    let entry = if let [buf] = bufs {
        opcode::Write::new(descriptor, buf.as_ptr(), length(buf.len()))
            .offset(place.raw())
            .build()
    } else {
        // An `IoSlice` is laid out as an `iovec`.
        let count = bufs.len().min(1024) as u32;
        opcode::Writev::new(descriptor, bufs.as_ptr().cast(), count)
            .offset(place.raw())
            .build()
    };
    // SAFETY: the buffers are lent for the time of this call.
    unsafe { ring.run(entry) }
}

/// Waits until what was written has reached the disk. `None` as in `read`.
pub(super) fn sync(descriptor: BorrowedFd<'_>, data_only: bool) -> Option<io::Result<()>> {
    let ring = Ring::of_worker()?;
    let mut flags = types::FsyncFlags::empty();
    flags.set(types::FsyncFlags::DATASYNC, data_only);
    let entry = opcode::Fsync::new(types::Fd(descriptor.as_raw_fd()))
        .flags(flags)
        .build();
    // SAFETY: it points to nothing.
    unsafe { ring.run(entry) }.map(|result| result.map(drop))
}
