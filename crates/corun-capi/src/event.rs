//! `event_loop.h`: events that call back.
//!
//! Each is a task, whose function waits and calls back. So a callback may do what any task may, and deregistering is to cancel the task and to wait
//! for its end: the waits of the function itself are Rust's and are left by unwinding, which it catches; the callback is told by return codes.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::pin::pin;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Instant;

use corun::io::Descriptor;
use corun::signal::{SignalKind, Signals};

use crate::call::{Patience, call, duration, required, sized, write, write_if};
use crate::failure::{Failure, Outcome};
use crate::future;
use crate::launch::Launch;
use crate::own;
use crate::runtime::{self, corun_runtime};
use crate::status::{self, Status};
use crate::table::{self, Kind, Object, Visit};
use crate::task::Task;
use crate::value::{Call, Owned, Pointer};

/// `corun_event`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_event {
    _private: [u8; 0],
}

/// `CORUN_EVENT_READ`.
pub const READ: u32 = 1;
/// `CORUN_EVENT_WRITE`.
pub const WRITE: u32 = 2;
/// `CORUN_EVENT_ERROR`.
pub const ERROR: u32 = 4;
/// `CORUN_EVENT_TIMER`.
pub const TIMER: u32 = 8;
/// `CORUN_EVENT_SIGNAL`.
pub const SIGNAL: u32 = 16;
/// `CORUN_EVENT_ONCE`.
pub const ONCE: u32 = 256;

const DESCRIPTOR: u32 = READ | WRITE | ERROR;

/// `corun_event_request`.
#[repr(C)]
#[allow(non_camel_case_types, missing_docs)]
pub struct corun_event_request {
    pub size: u32,
    pub events: u32,
    pub descriptor: i32,
    pub signal: i32,
    pub delay: i64,
    pub period: i64,
    pub runtime: *mut corun_runtime,
}

/// `corun_event_callback`.
pub type EventCallback =
    Option<unsafe extern "C-unwind" fn(event: *mut corun_event, events: u32, data: Pointer)>;

struct Event {
    /// What calls back: a task like any other, pinned.
    task: Arc<Task>,
    stopped: AtomicBool,
    /// Its task runs only while a host drives it.
    hosted: bool,
}

impl Object for Event {
    const KIND: Kind = Kind::Event;
    const NAME: &'static str = "event";
}

/// What an event waits for.
enum Source {
    Descriptor { descriptor: i32, events: u32 },
    Timer { next: Instant, period: i64 },
    Signal(Signals),
}

impl Source {
    fn new(request: &corun_event_request) -> Outcome<Source> {
        match request.events & !ONCE {
            TIMER => {
                if request.period < 0 {
                    return Err(Failure::invalid("a period below 0"));
                }
                let next = corun::time::now().checked_add(duration(request.delay));
                Ok(Source::Timer {
                    next: next.ok_or_else(|| Failure::invalid("a delay beyond all time"))?,
                    period: request.period,
                })
            }
            SIGNAL => Ok(Source::Signal(Signals::new([SignalKind::from_raw(
                request.signal,
            )])?)),
            events => {
                check_descriptor(request.descriptor, events)?;
                Ok(Source::Descriptor {
                    descriptor: request.descriptor,
                    events,
                })
            }
        }
    }

    /// Waits for the next time; `None` if there is none. Left by unwinding, if the event is deregistered meanwhile.
    fn wait(&mut self, first: bool) -> Option<u32> {
        match self {
            Source::Descriptor { descriptor, events } => {
                ready(*descriptor, *events, Patience::Endless).ok()
            }
            Source::Signal(signals) => {
                signals.recv();
                Some(SIGNAL)
            }
            Source::Timer { next, period } => {
                if !first {
                    if *period == 0 {
                        return None;
                    }
                    // Times that have passed are left out.
                    let period = duration(*period);
                    let late = corun::time::now().saturating_duration_since(*next);
                    let missed = u32::try_from(late.as_nanos() / period.as_nanos());
                    *next = next.checked_add(period.saturating_mul(missed.unwrap_or(u32::MAX)))?;
                    *next = next.checked_add(period)?;
                }
                corun::sleep_until(*next);
                Some(TIMER)
            }
        }
    }
}

fn check_descriptor(descriptor: i32, events: u32) -> Outcome {
    if events & !DESCRIPTOR != 0 || events == 0 {
        return Err(Failure::invalid(format!(
            "{events:#x} are no events to wait for: any of READ, WRITE and ERROR, or TIMER, or SIGNAL"
        )));
    }
    // SAFETY: asks for the flags of a descriptor, whatever the number.
    if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(())
}

/// Waits until the descriptor is ready for any of the events, and tells for which.
fn ready(descriptor: i32, events: u32, patience: Patience) -> Outcome<u32> {
    let now = ask(descriptor, events)?;
    if now != 0 {
        // There is no wait in which others would get their turn. What holds all the time must not keep the worker from them.
        corun::checkpoint();
        return Ok(now);
    }
    if events == ERROR {
        return broken(descriptor, patience);
    }
    // SAFETY: it stays open, says the header; and if not, waiting for it is an error, or for something else.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let source = Descriptor::new(borrowed);
    patience.within(|| match events & (READ | WRITE) {
        READ => source.readable(),
        WRITE => source.writable(),
        _ => corun::block_on(async {
            let (mut readable, mut writable) =
                (pin!(source.readable_async()), pin!(source.writable_async()));
            poll_fn(|context| match readable.as_mut().poll(context) {
                Poll::Pending => writable.as_mut().poll(context),
                ready => ready,
            })
            .await
        }),
    })??;
    match ask(descriptor, events)? {
        // Somebody else was faster: as good as a wake-up for no reason.
        0 => Ok(events & (READ | WRITE)),
        now => Ok(now),
    }
}

/// Waits until there is an error, or the other side is gone, whatever there is to read and write meanwhile.
///
/// What waits for readiness would be woken by all of that, and a plain thread would go round in circles. An epoll instance that is asked for no event of the
/// descriptor is readable when, and only when, there is one of those that nobody has to ask for.
fn broken(descriptor: i32, patience: Patience) -> Outcome<u32> {
    // SAFETY: makes a descriptor, which is nobody else's.
    let made = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if made < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: just made.
    let watch = unsafe { OwnedFd::from_raw_fd(made) };
    let mut nothing = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: both are descriptors, and the event is there to be read.
    let added = unsafe {
        libc::epoll_ctl(
            watch.as_raw_fd(),
            libc::EPOLL_CTL_ADD,
            descriptor,
            &raw mut nothing,
        )
    };
    if added < 0 {
        return Err(io::Error::last_os_error().into());
    }
    patience.within(|| Descriptor::new(watch).readable())??;
    Ok(ERROR)
}

/// What it is ready for now.
fn ask(descriptor: i32, events: u32) -> Outcome<u32> {
    let wanted = |event, flag| if events & event != 0 { flag } else { 0 };
    let mut polled = libc::pollfd {
        fd: descriptor,
        events: wanted(READ, libc::POLLIN) | wanted(WRITE, libc::POLLOUT),
        revents: 0,
    };
    loop {
        // SAFETY: one entry, which is there.
        match unsafe { libc::poll(&raw mut polled, 1, 0) } {
            0 => return Ok(0),
            1 => break,
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error.into());
                }
            }
        }
    }
    if polled.revents & libc::POLLNVAL != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF).into());
    }
    let told = |flags, event| {
        if polled.revents & flags != 0 {
            event
        } else {
            0
        }
    };
    let gone = libc::POLLERR | libc::POLLHUP;
    let found =
        told(libc::POLLIN | gone, READ) | told(libc::POLLOUT | gone, WRITE) | told(gone, ERROR);
    Ok(found & events)
}

/// Has something called back.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_event_register(
    request: *const corun_event_request,
    callback: EventCallback,
    data: Pointer,
    event: *mut *mut corun_event,
) -> Status {
    call(|| {
        required(request)?;
        required(event)?;
        let callback = callback.ok_or_else(|| Failure::invalid("the callback is NULL"))?;
        // SAFETY: the structure begins with its size, and is not NULL.
        let Some(request) = (unsafe { sized(request)? }) else {
            return Err(Failure::invalid("there is no request"));
        };
        let launch = Launch::plain(Call::new(Some(attend))?, ptr::null_mut())
            .on(runtime::meant(request.runtime)?)
            .named("event")
            .pinned();
        let hosted = runtime::is_hosted(request.runtime)?;
        let source = Source::new(&request)?;
        let (task, place) = launch.task();
        let handle: *mut corun_event = table::insert(Event {
            task: Arc::clone(&task),
            stopped: AtomicBool::new(false),
            hosted,
        })?;
        let attendant = Box::new(Attendant {
            source,
            event: table::visit(handle)?,
            handle,
            callback,
            data,
            once: request.events & ONCE != 0,
        });
        let argument = Owned::new(Box::into_raw(attendant).cast(), Some(dismiss));
        // SAFETY: the task is new, and so the right to its work is this call's.
        let begun = unsafe {
            task.set_argument(argument);
            task.begin(&place)
        };
        if let Err(failure) = begun {
            let _ = table::release::<Event, _>(handle);
            return Err(failure);
        }
        // SAFETY: not NULL, and the caller's.
        unsafe { write(event, handle) }
    })
}

/// The argument of an event's task.
struct Attendant {
    source: Source,
    event: Visit<Event>,
    handle: *mut corun_event,
    callback: unsafe extern "C-unwind" fn(*mut corun_event, u32, Pointer),
    data: Pointer,
    once: bool,
}

/// The function of an event's task.
unsafe extern "C-unwind" fn attend(attendant: Pointer) -> Pointer {
    // SAFETY: made by `corun_event_register`, and the task's alone. Dropped here: whoever waits for the task's end finds all of it gone.
    let mut this = unsafe { Box::<Attendant>::from_raw(attendant.cast()) };
    let mut first = true;
    loop {
        let mut happened = None;
        // The unwinding of a wait that was cancelled ends in `call`, as in a task that is C's.
        let status = call(|| {
            happened = this.source.wait(first);
            Ok(())
        });
        let (status::OK, Some(events)) = (status, happened) else {
            break;
        };
        first = false;
        if this.is_stopped() {
            break;
        }
        // SAFETY: the user has handed it over to be called so.
        unsafe { (this.callback)(this.handle, events, this.data) };
        if this.once || this.is_stopped() {
            break;
        }
    }
    // Deregistered, it counts as cancelled, whether that or the event was first.
    let _ = own::check();
    ptr::null_mut()
}

/// The argument's destructor, for a task that never ran.
unsafe extern "C-unwind" fn dismiss(attendant: Pointer) {
    // SAFETY: as in `attend`, which was not called.
    drop(unsafe { Box::<Attendant>::from_raw(attendant.cast()) });
}

impl Attendant {
    fn is_stopped(&self) -> bool {
        self.event.stopped.load(Ordering::SeqCst)
    }
}

/// Ends an event.
#[unsafe(no_mangle)]
pub extern "C" fn corun_event_deregister(event: *mut corun_event) -> Status {
    call(|| {
        let released = table::release::<Event, _>(event)?;
        released.stopped.store(true, Ordering::SeqCst);
        if released.task.is_current() {
            // The callback itself: its task ends when it returns. What it still waits for is not cut short.
            return Ok(());
        }
        released.task.cancel();
        if !released.hosted || own::current().is_some() {
            // Whatever came of it: it has ended. Who deregisters counts on that.
            let _ = corun::shield(|| future::settled(&released.task.future, Patience::Endless));
        }
        Ok(())
    })
}

/// Waits for a descriptor.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_wait_descriptor(
    descriptor: i32,
    events: u32,
    timeout: i64,
    found: *mut u32,
) -> Status {
    call(|| {
        check_descriptor(descriptor, events)?;
        let outcome = ready(descriptor, events, Patience::of(timeout));
        let now = outcome.map_err(Failure::timed)?;
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(found, now) };
        Ok(())
    })
}
