//! `event_loop.h`: events that call back.
//!
//! Each has a coroutine of its own, which waits and calls. Its waits are Rust's, and are left by unwinding when the event is deregistered; the callback is
//! C's, and is told by return codes as any task is.

use std::future::poll_fn;
use std::io;
use std::os::fd::BorrowedFd;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Instant;

use corun::io::Descriptor;
use corun::signal::{SignalKind, Signals};
use corun::{CoroutineId, JoinHandle};

use crate::call::{Patience, call, duration, required, sized, write, write_if};
use crate::failure::{Failure, Outcome};
use crate::runtime::{self, corun_runtime};
use crate::status::{self, Status};
use crate::table::{self, Kind, Object};
use crate::task::lock;
use crate::value::{Data, Pointer};

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
    coroutine: OnceLock<CoroutineId>,
    join: std::sync::Mutex<Option<JoinHandle<()>>>,
    stopped: AtomicBool,
    /// Its coroutine runs only while a host drives it.
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
    if events & !DESCRIPTOR != 0 || events & (READ | WRITE) == 0 {
        return Err(Failure::invalid(format!(
            "{events:#x} are no events to wait for: READ, WRITE or both, with ERROR or without, or TIMER, or SIGNAL"
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
        return Ok(now);
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
        let runtime = runtime::meant(request.runtime)?;
        let hosted = runtime::is_hosted(request.runtime)?;
        let mut source = Source::new(&request)?;
        let handle: *mut corun_event = table::insert(Event {
            coroutine: OnceLock::new(),
            join: std::sync::Mutex::new(None),
            stopped: AtomicBool::new(false),
            hosted,
        })?;
        let seen = table::visit::<Event, _>(handle)?;
        let (data, number, once) = (Data(data), Data(handle.cast()), request.events & ONCE != 0);
        let body = move || {
            let mut first = true;
            while let Some(events) = source.wait(first) {
                first = false;
                if seen.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let _ = seen.coroutine.set(corun::current().id());
                // SAFETY: the user has handed it over to be called so.
                unsafe { callback(number.get().cast(), events, data.get()) };
                if once || seen.stopped.load(Ordering::SeqCst) {
                    break;
                }
            }
        };
        let builder = corun::Builder::new().name("event".into());
        let spawned = match &runtime {
            Some(runtime) => builder.spawn_on(runtime, body),
            None => builder.spawn(body),
        };
        let own = table::visit::<Event, _>(handle)?;
        match spawned {
            Ok(join) => *lock(&own.join) = Some(join),
            Err(error) => {
                let _ = table::release::<Event, _>(handle);
                return Err(error.into());
            }
        }
        // SAFETY: not NULL, and the caller's.
        unsafe { write(event, handle) }
    })
}

/// Ends an event.
#[unsafe(no_mangle)]
pub extern "C" fn corun_event_deregister(event: *mut corun_event) -> Status {
    call(|| {
        let released = table::release::<Event, _>(event)?;
        released.stopped.store(true, Ordering::SeqCst);
        let me = corun::current().id();
        if released.coroutine.get() == Some(&me) {
            // The callback itself: its coroutine ends when it returns. What it still waits for is not cut short.
            return Ok(());
        }
        let join = lock(&released.join).take();
        if let Some(join) = join {
            join.cancel();
            if !released.hosted
                || corun::current().state() == corun::State::Running && in_coroutine()
            {
                // Whatever came of it: it has ended. Who deregisters counts on that.
                let _ = corun::shield(|| join.join());
            }
        }
        Ok(())
    })
}

/// Is the caller a coroutine, and no plain thread?
fn in_coroutine() -> bool {
    crate::own::current().is_some()
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
        let now = outcome.map_err(|failure| match failure.status {
            status::ERR_WOULD_BLOCK => Failure::ordinary(status::ERR_TIMEDOUT),
            _ => failure,
        })?;
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(found, now) };
        Ok(())
    })
}
