//! Has code that knows nothing of corun park its coroutine, where it would block the thread.
//!
//! The crate stands in front of the functions of the C library that block: sockets, `poll`, sleeping, names, locks, processes and files. Called from a
//! coroutine of corun they park it, and its worker runs others. Called from anywhere else they do what they always did. So std's own sockets and locks,
//! and clients of databases that were written for threads, run by the thousand on a few workers, unmodified.
//!
//! ```no_run
//! use std::net::TcpStream;
//!
//! // SAFETY: nothing in this program relies on blocking calls to keep other code of their thread from running.
//! unsafe { corun_hook::install() };
//! for _ in 0..1000 {
//!     // std's socket: each of them waits for its server, and none blocks a worker.
//!     corun::spawn(|| TcpStream::connect("127.0.0.1:7000"));
//! }
//! ```
//!
//! Which calls are hooked, how, and what cannot be, is in docs/blocking.md.
//!
//! # As a shared library
//! The same crate is built as `libcorun_hook.so`, for `LD_PRELOAD`: see docs/blocking.md, "Programs that were not written for it".
//!
//! # How it is done
//! - The functions are defined here, under the names that they have in the C library. The linker, or the loader, finds them first
//!   (`symbol.rs`).
//! - Nothing is remembered of descriptors: the kernel is asked (`wait.rs`).
//! - `errno` is put back after each wait (`errno.rs`).
//! - Cancellation by corun does not end a call here, for C cannot be unwound, and does not expect it. It ends the coroutine at its next
//!   wait in corun itself.

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64")))]
compile_error!("corun-hook knows the C library of GNU/Linux on machines of 64 bits only");

mod channels;
mod condvar;
mod descriptors;
mod errno;
mod files;
mod fork;
mod futex;
#[cfg(target_arch = "x86_64")]
mod identity;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_identity.rs"]
mod identity;
mod mode;
mod mutex;
mod names;
mod parker;
mod polling;
mod processes;
mod queue;
mod sleeping;
mod sockets;
mod spin;
mod symbol;
mod threads;
mod wait;

#[cfg(target_arch = "x86_64")]
pub use identity::as_thread;
pub use identity::as_thread_is_available;

use std::ffi::{CStr, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

static INSTALLED: AtomicBool = AtomicBool::new(false);

/// From now on, blocking calls of the C library park the coroutine that makes them. Further calls do nothing.
///
/// May be called at any time, also while coroutines run: a call that blocks already goes on blocking. There is no way back. Without a
/// runtime nothing changes, as nothing runs in coroutines.
///
/// # Safety
/// Code that has never suspended its thread now may, in any call that may block. Other coroutines of the same worker, with the same
/// thread-locals, run meanwhile. Whoever calls this vouches for all code that runs in coroutines of this program:
/// - No library keeps a thread-local borrowed, locked or half-changed, by `unsafe` means, across a call that may block, and relies on nobody
///   else of the thread looking at it. (A `RefCell` that is found borrowed panics, which is no harm to memory.) The known violators are those of
///   docs/safety.md: blocking in the initialiser of a lazy `thread_local!`, and pointers in thread-locals that are restored last in, first out.
/// - No lock is waited for by a node in a thread-local, as those of `parking_lot` are: two coroutines of one worker break its queue. (In
///   [`as_thread`] each has a node of its own.)
/// - The global allocator does not call what is hooked while it is in the middle of a thread's own data: glibc's does not; one that locks by
///   `pthread_mutex_lock` may.
/// - Locks that know their owner by its thread, and let it in twice, keep no coroutine out whose worker has them. Those of pthreads and
///   std's `stdout` and `stderr` are looked after; others (`parking_lot::ReentrantMutex`, one made by hand from `gettid`) are not.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// // SAFETY: this program is all there is, and keeps to it.
/// unsafe { corun_hook::install() };
/// let runtime = corun::Runtime::builder().workers(1).build()?;
/// let start = Instant::now();
/// runtime.block_on(|| {
///     let sleepers: Vec<_> = (0..100)
///         .map(|_| corun::spawn(|| std::thread::sleep(Duration::from_millis(20))))
///         .collect();
///     for sleeper in sleepers {
///         sleeper.join().unwrap();
///     }
/// });
/// assert!(start.elapsed() < Duration::from_secs(1), "they slept one after the other");
/// # Ok::<(), std::io::Error>(())
/// ```
pub unsafe fn install() {
    start();
    INSTALLED.store(true, Ordering::SeqCst);
}

/// Have the hooks been installed?
///
/// # Examples
/// ```
/// // SAFETY: nothing runs in coroutines here.
/// unsafe { corun_hook::install() };
/// assert!(corun_hook::is_installed());
/// ```
#[inline]
pub fn is_installed() -> bool {
    INSTALLED.load(Ordering::Relaxed)
}

/// Is the caller to be parked, rather than its thread blocked?
#[inline]
fn parks() -> bool {
    is_installed() && corun::hooking::may_park()
}

/// Looks up what the hooks stand in front of, and prepares for forks.
extern "C" fn start() {
    condvar::resolve();
    descriptors::resolve();
    files::resolve();
    futex::resolve();
    #[cfg(target_arch = "x86_64")]
    identity::resolve();
    as_thread_is_available();
    mutex::resolve();
    names::resolve();
    polling::resolve();
    processes::resolve();
    sleeping::resolve();
    sockets::resolve();
    threads::resolve();
    mutex::is_known();
    fork::watch();
}

/// As `start`, and where this is a library that was preloaded, what the environment asks for.
extern "C" fn load() {
    start();
    // SAFETY: a name; the result is looked at before anything else can run.
    let asked = unsafe { libc::getenv(c"CORUN_HOOK_THREADS".as_ptr()) };
    // SAFETY: a terminated string, if there is one.
    if !asked.is_null() && unsafe { CStr::from_ptr(asked) } == c"1" && is_library() {
        INSTALLED.store(true, Ordering::SeqCst);
        threads::activate();
    }
}

/// Is this code in a library, rather than in the program itself?
fn is_library() -> bool {
    // SAFETY: no pointers. It is where the program begins.
    let program = unsafe { libc::getauxval(libc::AT_ENTRY) };
    image_of(program as *const c_void) != image_of(is_library as *const c_void)
}

/// Where the program or library begins that has this address; 0 if none has.
fn image_of(address: *const c_void) -> usize {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: it is written if the call succeeds, and only then read.
    unsafe {
        if libc::dladdr(address, info.as_mut_ptr()) == 0 {
            return 0;
        }
        info.assume_init().dli_fbase.addr()
    }
}

/// Called when the program, or the library, is loaded: before corun prepares for forks, whose handlers then run first, as they may lock what is
/// held while a hook is called.
#[used]
#[unsafe(link_section = ".init_array")]
static LOAD: extern "C" fn() = load;

/// Runs a call on a thread of the blocking pool, where it may block. The caller waits for it, so what it points to stays.
fn offload<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    struct Sent<T>(T);
    // SAFETY: the arguments of a call of the C library, and what it returns, which belong to no thread; the caller waits.
    unsafe impl<T> Send for Sent<T> {}
    impl<C: FnOnce() -> io::Result<T>, T> Sent<C> {
        fn run(self) -> Sent<io::Result<T>> {
            Sent((self.0)())
        }
    }
    let call = Sent(call);
    corun::hooking::offload(move || call.run())?.0
}
