//! Coroutines with thread-locals of their own.
//!
//! # Why
//! Some code is right only if nobody else of its thread runs while it waits: what it keeps in a thread-local stands for the thread that waits, and others
//! find it there. `parking_lot` puts its thread into a queue by a node in a thread-local, so that two coroutines of one worker break the queue. A tokio
//! runtime notes in one that its thread is in `block_on`, and panics if it is entered again, as the crate `postgres` does in each of its calls.
//! [`as_thread`] gives such code what it would have on a thread of its own.
//!
//! # How
//! A thread-local is found from the thread pointer (`fs` on x86-64). glibc allocates what belongs to a new thread by `_dl_allocate_tls`, and we have
//! it do the same for a coroutine: every thread-local is there in its first state. Two things are copied from the worker:
//! - what the C library itself keeps about the thread (`struct pthread`), as it is the worker that the kernel knows;
//! - the C library's own thread-locals: the cache of its allocator, the locale, and so on are shared with the worker.
//!
//! # Invariants
//! 1. Whenever coroutines are switched, and whenever code of corun or of the hooks runs, the thread pointer is the worker's. The closure of
//!    `as_thread` runs with its own, and every hook begins with [`on_worker`], which puts back the worker's until it ends. There is no other way for
//!    the closure to be suspended: to corun's own calls its thread-locals say that this is no worker, so that they wait as they do on a plain
//!    thread, by a futex, which is hooked.
//! 2. No function accesses thread-locals both before and after it changes the thread pointer: the compiler may keep their addresses. What is
//!    between two changes is a function of its own, and not inlined.
//! 3. Destructors of thread-locals are kept in a list of the coroutine's own ([`__cxa_thread_atexit_impl`]), and run, by its own pointer, when
//!    the closure has ended.
//! 4. The memory is freed by the worker, which cannot end before its coroutines.
//!
//! Rejected: to copy thread-locals in and out at each switch. Their addresses are known to others: `parking_lot`'s node is woken by it.

use std::any::Any;
use std::arch::asm;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::OnceLock;

use crate::errno;
use crate::symbol::hooks;

/// How a coroutine with thread-locals of its own is known.
struct Guest {
    /// The thread pointer of its worker.
    worker: usize,
    /// Its own.
    own: usize,
    /// What is to be destroyed at its end, last in, first out.
    destructors: RefCell<Vec<(Destructor, *mut c_void)>>,
}

type Destructor = unsafe extern "C" fn(*mut c_void);

thread_local! {
    /// Found by the thread pointer of a guest; null by that of a thread.
    static GUEST: Cell<*const Guest> = const { Cell::new(ptr::null()) };
}

/// What only the C library can do, by functions that it has for itself and for debuggers. They are looked up, and not linked to: one that has them not
/// must still load programs which do without [`as_thread`].
#[derive(Clone, Copy)]
struct Parts {
    allocate: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    deallocate: unsafe extern "C" fn(*mut c_void, bool),
    /// How long `struct pthread` is.
    length: usize,
    /// Where the kernel notes the processor, from the thread pointer. `None`: nowhere.
    processor: Option<isize>,
}

/// What [`Parts`] are found by; all are needed.
const NAMES: [&CStr; 3] = [
    c"_dl_allocate_tls",
    c"_dl_deallocate_tls",
    c"_thread_db_sizeof_pthread",
];

impl Parts {
    /// The C library's, which are looked up once.
    fn known() -> Option<Parts> {
        static PARTS: OnceLock<Option<Parts>> = OnceLock::new();
        *PARTS.get_or_init(|| Parts::find(NAMES))
    }

    fn find(names: [&CStr; 3]) -> Option<Parts> {
        let [allocate, deallocate, length] = names.map(find);
        if allocate.is_null() || deallocate.is_null() || length.is_null() {
            return None;
        }
        let (size, offset) = (find(c"__rseq_size"), find(c"__rseq_offset"));
        // SAFETY: these are their types in every glibc that has them, and none is null where it is read.
        unsafe {
            let registered = !size.is_null() && !offset.is_null() && *size.cast::<u32>() != 0;
            Some(Parts {
                allocate: mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(*mut c_void) -> *mut c_void,
                >(allocate),
                deallocate: mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void, bool)>(
                    deallocate,
                ),
                length: *length.cast::<u32>() as usize,
                processor: registered.then(|| *offset.cast::<isize>() + 4),
            })
        }
    }
}

/// Where the C library has this; null if it has not.
fn find(name: &CStr) -> *mut c_void {
    // SAFETY: a terminated string.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// Can [`as_thread`] give coroutines thread-locals of their own here? It needs functions of the C library that are not part of its interface, and are
/// in every glibc known. And it is for x86-64: elsewhere this is `false`, and there is no `as_thread`.
///
/// # Examples
/// ```
/// if !corun_hook::as_thread_is_available() {
///     println!("let the pool of connections run on threads");
/// }
/// ```
pub fn as_thread_is_available() -> bool {
    Parts::known().is_some()
}

/// Runs `f`, in a coroutine, as code of a thread of its own: no other coroutine has its thread-locals, and they are destroyed when it ends.
/// Elsewhere, and in another such closure, it just runs `f`.
///
/// For code that hooks alone cannot help, since it takes "this thread" for "whoever waits here": `parking_lot` (and so `r2d2`, `dashmap`,
/// ...), and runtimes of tokio's inside of libraries (`postgres`, `reqwest::blocking`, ...). It costs an allocation of some KiB, and some nanoseconds for
/// each hooked call.
///
/// What is different from a thread: the thread's number (`gettid`), its keys of `pthread_getspecific`, its signals and its name are the
/// worker's. Calls of corun in `f` work as on a plain thread, and suspend the coroutine all the same, as the hooks do; `corun::spawn` then
/// uses the default runtime, and coroutine-locals are not those of the coroutine. An overflow of its stack ends the process without the
/// coroutine's name.
///
/// # Panics
/// With the panic of `f`; if there is no memory; in a coroutine, if this C library does not have what it takes
/// ([`as_thread_is_available`]).
///
/// # Safety
/// As [`install`](crate::install), for what is not a thread-local. `f` must not bring references to thread-locals of the worker with it, nor may what it
/// returns have any to its own. It must not end the thread (`pthread_exit`), nor be cancelled by `pthread_cancel`.
///
/// # Examples
/// ```
/// use std::cell::Cell;
///
/// thread_local!(static CALLS: Cell<u32> = const { Cell::new(0) });
///
/// // SAFETY: this program is all there is, and keeps to it.
/// unsafe { corun_hook::install() };
/// let runtime = corun::Runtime::builder().workers(1).build()?;
/// let coroutines: Vec<_> = (0..10)
///     .map(|_| {
///         runtime.spawn(|| {
///             // SAFETY: a number is returned.
///             unsafe {
///                 corun_hook::as_thread(|| {
///                     CALLS.set(CALLS.get() + 1);
///                     std::thread::sleep(std::time::Duration::from_millis(5));
///                     CALLS.get()
///                 })
///             }
///         })
///     })
///     .collect();
/// for coroutine in coroutines {
///     assert_eq!(coroutine.join().unwrap(), 1);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub unsafe fn as_thread<F: FnOnce() -> R, R>(f: F) -> R {
    if !crate::parks() {
        return f();
    }
    let Some(parts) = Parts::known() else {
        panic!("as_thread: this C library has not all of {NAMES:?}");
    };
    let worker = thread_pointer();
    let guest = Guest {
        worker,
        // SAFETY: this is the worker's own thread.
        own: unsafe { allocate(worker, parts) },
        destructors: RefCell::default(),
    };
    // SAFETY: the block is that of a new thread; the guest stays here until the worker's pointer is back.
    let result = unsafe {
        set_thread_pointer(guest.own);
        let result = inside(&guest, f);
        set_thread_pointer(guest.worker);
        (parts.deallocate)(guest.own as *mut c_void, true);
        result
    };
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// What runs by the guest's pointer.
#[inline(never)]
fn inside<F: FnOnce() -> R, R>(guest: &Guest, f: F) -> Result<R, Box<dyn Any + Send>> {
    GUEST.set(guest);
    let result = catch_unwind(AssertUnwindSafe(f));
    loop {
        // They may register others.
        let last = guest.destructors.borrow_mut().pop();
        let Some((destructor, object)) = last else {
            return result;
        };
        // SAFETY: whoever registered it vouches for it; each is called once.
        unsafe { destructor(object) };
    }
}

/// Runs the body of a hook by the pointer of the worker, where corun finds its own thread-locals.
#[inline]
pub(crate) fn on_worker<F: FnOnce() -> R, R>(body: F) -> R {
    let guest = GUEST.get();
    if guest.is_null() {
        return body();
    }
    // SAFETY: it is there for as long as code runs by its pointer.
    unsafe { leave(&*guest, body) }
}

/// # Safety
/// The guest's pointer is in use.
#[inline(never)]
unsafe fn leave<F: FnOnce() -> R, R>(guest: &Guest, body: F) -> R {
    let before = errno::get();
    // SAFETY: both pointers are those of blocks that are in use by nobody else: the worker's thread is this one.
    unsafe {
        set_thread_pointer(guest.worker);
        let (result, after) = apart(before, body);
        set_thread_pointer(guest.own);
        errno::set(after);
        result
    }
}

/// The body, with `errno` as its caller left it, and as the body leaves it.
#[inline(never)]
fn apart<F: FnOnce() -> R, R>(before: c_int, body: F) -> (R, c_int) {
    errno::set(before);
    let result = body();
    (result, errno::get())
}

/// All thread-locals of a new thread.
///
/// # Panics
/// If there is no memory.
///
/// # Safety
/// `worker` is the thread pointer in use.
unsafe fn allocate(worker: usize, parts: Parts) -> usize {
    // SAFETY: without memory of ours it allocates, and reports failure by null. The cache of the allocator is made with the first allocation,
    // and the text of an error of the loader's belongs to one owner: both before the pointers to them are copied.
    let own = unsafe {
        let block = (parts.allocate)(ptr::null_mut()) as usize;
        libc::dlerror();
        libc::dlerror();
        block
    };
    assert!(own != 0, "no memory for thread-locals");
    let Library { offset, size } = *LIBRARY.get_or_init(Library::find);
    // SAFETY: glibc says how large its structure is, and both blocks have one at their thread pointers; the block of the C library lies
    // where it does in every thread. The first word and the third point to the structure itself, and the second to the table of modules.
    unsafe {
        let words = own as *mut usize;
        let modules = *words.add(1);
        ptr::copy_nonoverlapping(worker as *const u8, own as *mut u8, parts.length);
        *words = own;
        *words.add(1) = modules;
        *words.add(2) = own;
        let library = own.wrapping_add_signed(offset) as *mut u8;
        ptr::copy_nonoverlapping(
            worker.wrapping_add_signed(offset) as *const u8,
            library,
            size,
        );
        if let Some(processor) = parts.processor {
            // "Not registered": the kernel writes the number of the processor to the worker's block only.
            *(own.wrapping_add_signed(processor) as *mut i32) = -2;
        }
    }
    own
}

/// Where the thread-locals of the C library are.
#[derive(Clone, Copy)]
struct Library {
    /// From the thread pointer.
    offset: isize,
    size: usize,
}

static LIBRARY: OnceLock<Library> = OnceLock::new();

impl Library {
    /// Those of the module in which `errno` is.
    fn find() -> Library {
        let mut found: Option<Library> = None;
        // SAFETY: the function gets what it expects, and does not unwind.
        unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast()) };
        found.expect("errno is in a module of its own")
    }
}

unsafe extern "C" fn visit(module: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
    // SAFETY: the loader passes a valid module with its headers, and our own argument.
    unsafe {
        let module = &*module;
        let headers = std::slice::from_raw_parts(module.dlpi_phdr, module.dlpi_phnum.into());
        let errno = libc::__errno_location() as usize;
        for header in headers
            .iter()
            .filter(|header| header.p_type == libc::PT_TLS)
        {
            let (start, size) = (module.dlpi_tls_data as usize, header.p_memsz as usize);
            if (start..start + size).contains(&errno) {
                let offset = start.wrapping_sub(thread_pointer()) as isize;
                *found.cast::<Option<Library>>() = Some(Library { offset, size });
            }
        }
    }
    0
}

/// The thread pointer, which is where it points to.
fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the first word of `struct pthread` is its own address.
    unsafe {
        asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, preserves_flags, readonly))
    };
    pointer
}

/// # Safety
/// The pointer is that of this thread, or of a guest of it; the caller keeps to invariant 2.
#[inline(never)]
unsafe fn set_thread_pointer(pointer: usize) {
    const FSGSBASE: u64 = 2;
    const ARCH_SET_FS: usize = 0x1002;
    // SAFETY: `getauxval` only reads; the rest is as the caller promises.
    unsafe {
        if libc::getauxval(libc::AT_HWCAP2) & FSGSBASE != 0 {
            asm!("wrfsbase {}", in(reg) pointer, options(nostack, preserves_flags));
        } else {
            // By hand: our own `syscall` looks at thread-locals.
            asm!(
                "syscall",
                inlateout("rax") libc::SYS_arch_prctl => _,
                in("rdi") ARCH_SET_FS,
                in("rsi") pointer,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
    }
}

/// Registers a destructor of a thread-local, as `thread_local!` and C++ do.
///
/// # Safety
/// That of the C library's function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __cxa_thread_atexit_impl(
    destructor: Destructor,
    object: *mut c_void,
    library: *mut c_void,
) -> c_int {
    let guest = GUEST.get();
    // SAFETY: the guest is there for as long as code runs by its pointer; as for the function itself.
    unsafe {
        if guest.is_null() {
            return REAL_ATEXIT.get()(destructor, object, library);
        }
        (*guest).destructors.borrow_mut().push((destructor, object));
    }
    0
}

type AtExit = unsafe extern "C" fn(Destructor, *mut c_void, *mut c_void) -> c_int;

static REAL_ATEXIT: crate::symbol::Symbol<AtExit> =
    crate::symbol::Symbol::new(c"__cxa_thread_atexit_impl");

hooks! {
    /// By the worker's pointer, as glibc looks for the thread that forks among its threads.
    fn fork() -> libc::pid_t |real, _parks| {
        // SAFETY: as for the call itself.
        unsafe { real() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_without_one_of_the_parts_is_found_out() {
        assert!(as_thread_is_available());
        for missing in 0..NAMES.len() {
            let mut names = NAMES;
            names[missing] = c"_no_library_has_this";
            assert!(Parts::find(names).is_none());
        }
    }
}
