//! The functions of the C library that ours stand in front of, and the macro that puts them there.
//!
//! All symbols are resolved when the program or the library is loaded ([`crate::start`]); one that is called before that is resolved by its first
//! call. `dlsym` takes no lock that a hook could be called under, except the loader's own, which its holder may take again.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A function of the C library, of type `F`.
pub(crate) struct Symbol<F> {
    name: &'static CStr,
    /// `None`: the default one.
    version: Option<&'static CStr>,
    address: AtomicPtr<c_void>,
    kind: PhantomData<F>,
}

impl<F: Copy> Symbol<F> {
    pub(crate) const fn new(name: &'static CStr) -> Symbol<F> {
        Symbol {
            name,
            version: None,
            address: AtomicPtr::new(ptr::null_mut()),
            kind: PhantomData,
        }
    }

    /// Of several versions of one name, this one; if the library does not have it, the default.
    pub(crate) const fn of_version(mut self, version: &'static CStr) -> Symbol<F> {
        self.version = Some(version);
        self
    }

    #[inline]
    pub(crate) fn get(&self) -> F {
        // Relaxed: whoever finds it null resolves it himself, to the same value.
        let mut address = self.address.load(Ordering::Relaxed);
        if address.is_null() {
            address = self.resolve();
        }
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        // SAFETY: whoever declares the symbol vouches for its type; a function pointer is as large as the address, which is not null.
        unsafe { mem::transmute_copy::<*mut c_void, F>(&address) }
    }

    #[cold]
    fn resolve(&self) -> *mut c_void {
        // SAFETY: the strings are terminated.
        let address = unsafe {
            let versioned = match self.version {
                Some(version) => {
                    libc::dlvsym(libc::RTLD_NEXT, self.name.as_ptr(), version.as_ptr())
                }
                None => ptr::null_mut(),
            };
            if versioned.is_null() {
                libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr())
            } else {
                versioned
            }
        };
        let address = if address.is_null() {
            missing as *mut c_void
        } else {
            address
        };
        self.address.store(address, Ordering::Relaxed);
        address
    }
}

/// In place of a function that the C library does not have, and that somebody calls all the same: he would not have been loaded without us.
extern "C" fn missing() -> ! {
    let message = "fatal: corun-hook stands for a function that this C library does not have\n";
    // SAFETY: the buffer is what it says.
    unsafe { libc::write(2, message.as_ptr().cast(), message.len()) };
    std::process::abort();
}

/// Defines functions of the C library. In a coroutine that may be parked the body runs; everywhere else the real function is called. The name
/// before the body is that of the real function there. With a second name the body runs everywhere, and that tells whether it may park.
/// `@` names the version of the function that is meant.
macro_rules! hooks {
    ($($(#[$meta:meta])* fn $name:ident $(@ $version:literal)? ($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? |$real:ident $(, $parks:ident)?| $body:block)*) => {
        $(
            $(#[$meta])*
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: $type),*) $(-> $ret)? {
                $crate::identity::on_worker(
                    #[inline(always)]
                    || {
                        let $real = real::$name.get();
                        $crate::symbol::enter!([$($parks)?] $real ($($arg),*));
                        $body
                    },
                )
            }
        )*

        /// The functions of the C library.
        #[allow(non_upper_case_globals, unused_imports, reason = "they bear the names of functions")]
        pub(crate) mod real {
            use super::*;
            use $crate::symbol::Symbol;
            $(
                pub(crate) static $name: Symbol<unsafe extern "C" fn($($type),*) $(-> $ret)?> = Symbol::new(
                    match ::std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                        Ok(name) => name,
                        Err(_) => unreachable!(),
                    },
                )$(.of_version($version))?;
            )*
        }

        /// Looks them up.
        pub(crate) fn resolve() {
            $(real::$name.get();)*
        }
    };
}
pub(crate) use hooks;

/// How a hook begins.
macro_rules! enter {
    ([] $real:ident ($($arg:ident),*)) => {
        if !$crate::parks() {
            // SAFETY: the caller keeps to the contract of this very function.
            return unsafe { $real($($arg),*) };
        }
    };
    ([$parks:ident] $real:ident ($($arg:ident),*)) => {
        let $parks = $crate::parks();
    };
}
pub(crate) use enter;
