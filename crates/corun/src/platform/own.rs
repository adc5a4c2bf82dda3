//! What a thread knows of itself, in two words: the worker that it is, and how far it is from the number that tells it from the others.
//!
//! # Why not `thread_local!`
//! Compilers take it for granted that a function stays on its thread. So they may compute the address of a thread local once, and use it before and after a
//! call in which a migratable coroutine (`scheduler/migrant.rs`) has changed threads. It would read the words of a thread that it has left, or
//! that has ended. So each read here is one of its own:
//! - On x86-64 Linux, by inline assembly relative to the thread pointer. The read is said to depend on memory, which every suspension
//!   changes as far as the compiler knows: two reads without one in between may become one, and no others. What may be kept is the offset, which
//!   all threads share. The compiler's own access takes the same two instructions, so pinned coroutines pay nothing.
//! - Elsewhere by `thread_local!`, in place until the first migratable coroutine is made, and from then on in a function that is not inlined. The flag
//!   that says so stays set, so that no such coroutine ever finds it otherwise, whatever the compiler has read before.
//!
//! The words are in the executable's or library's own block of thread locals (the initial-exec model): 16 bytes of it.
//!
//! Rejected: the functions that are not inlined for everybody (2 to 17 % more instructions for what pinned coroutines do, as has the flag).

pub(crate) use imp::{place, set_displacement, set_worker, will_migrate, worker};

#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_pointer_width = "64"
))]
mod imp {
    use std::arch::{asm, global_asm};

    /// One name for each version, as a program may have several.
    macro_rules! symbol {
        ($before:literal, $after:literal) => {
            concat!(
                $before,
                "corun_own_",
                env!("CARGO_PKG_VERSION_MAJOR"),
                "_",
                env!("CARGO_PKG_VERSION_MINOR"),
                "_",
                env!("CARGO_PKG_VERSION_PATCH"),
                $after
            )
        };
    }

    global_asm!(
        ".pushsection .tbss.corun_own,\"awT\",@nobits",
        ".p2align 4",
        symbol!(".globl ", ""),
        symbol!(".hidden ", ""),
        symbol!(".type ", ",@object"),
        symbol!(".size ", ",16"),
        symbol!("", ":"),
        ".zero 16",
        ".popsection",
    );

    /// Nothing has to be prepared.
    pub(crate) fn will_migrate() {}

    /// How far the words are from the thread pointer: the same on all threads, so this may be kept.
    #[inline(always)]
    fn offset() -> usize {
        let offset;
        // SAFETY: reads a constant that the linker or loader has put there.
        unsafe {
            asm!(
                symbol!("mov {offset}, qword ptr [rip + ", "@GOTTPOFF]"),
                offset = out(reg) offset,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        offset
    }

    /// The worker that this thread is, or null.
    #[inline(always)]
    pub(crate) fn worker() -> *const () {
        let word;
        // SAFETY: reads a word of this thread's block.
        unsafe {
            asm!(
                "mov {word}, qword ptr fs:[{offset}]",
                offset = in(reg) offset(),
                word = lateout(reg) word,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        word
    }

    pub(crate) fn set_worker(worker: *const ()) {
        // SAFETY: writes a word of this thread's block, which nobody else uses.
        unsafe {
            asm!(
                "mov qword ptr fs:[{offset}], {word}",
                offset = in(reg) offset(),
                word = in(reg) worker,
                options(nostack, preserves_flags),
            );
        }
    }

    /// A number of this thread's: the address of its control block, which is aligned to more than 8 bytes, and the displacement, which is 0 mostly.
    #[inline(always)]
    pub(crate) fn place() -> usize {
        let place;
        // SAFETY: as in `worker`; the first word of the control block is its address.
        unsafe {
            asm!(
                "mov {place}, qword ptr fs:[{offset} + 8]",
                "add {place}, qword ptr fs:[0]",
                offset = in(reg) offset(),
                place = lateout(reg) place,
                options(pure, readonly, nostack),
            );
        }
        place
    }

    pub(crate) fn set_displacement(displacement: usize) {
        // SAFETY: as in `set_worker`.
        unsafe {
            asm!(
                "mov qword ptr fs:[{offset} + 8], {word}",
                offset = in(reg) offset(),
                word = in(reg) displacement,
                options(nostack, preserves_flags),
            );
        }
    }
}

#[cfg(not(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_pointer_width = "64"
)))]
mod imp {
    use std::cell::Cell;
    use std::hint::black_box;
    use std::ptr;
    use std::sync::atomic::{AtomicBool, Ordering};

    thread_local! {
        static WORKER: Cell<*const ()> = const { Cell::new(ptr::null()) };
        /// The displacement. Its address is the number.
        static PLACE: Cell<usize> = const { Cell::new(0) };
    }

    static MIGRATE: AtomicBool = AtomicBool::new(false);

    /// To be called before the first migratable coroutine is made.
    pub(crate) fn will_migrate() {
        MIGRATE.store(true, Ordering::Relaxed);
    }

    /// The worker that this thread is, or null.
    #[inline(always)]
    pub(crate) fn worker() -> *const () {
        #[inline(never)]
        fn anew() -> *const () {
            black_box(WORKER.get())
        }
        // Relaxed: who runs in such a coroutine comes after the store, and nobody else needs to know.
        if MIGRATE.load(Ordering::Relaxed) {
            anew()
        } else {
            WORKER.get()
        }
    }

    #[inline(never)]
    pub(crate) fn set_worker(worker: *const ()) {
        WORKER.set(worker);
    }

    /// A number of this thread's: an address, and the displacement, which is 0 mostly.
    #[inline(always)]
    pub(crate) fn place() -> usize {
        #[inline(always)]
        fn read() -> usize {
            PLACE.with(|place| ptr::from_ref(place).addr().wrapping_add(place.get()))
        }
        #[inline(never)]
        fn anew() -> usize {
            black_box(read())
        }
        if MIGRATE.load(Ordering::Relaxed) {
            anew()
        } else {
            read()
        }
    }

    #[inline(never)]
    pub(crate) fn set_displacement(displacement: usize) {
        PLACE.set(displacement);
    }
}
