//! Names: on the blocking pool, whole.
//!
//! The resolver of the C library does not call what could be hooked, keeps state per thread and may take seconds. What needs no resolver (no
//! name, or an address in figures) is not sent there.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::IpAddr;
use std::ptr;

use libc::{addrinfo, hostent, size_t, sockaddr, socklen_t};

use crate::errno::{self, Errno};
use crate::symbol::hooks;

unsafe extern "C" {
    fn __h_errno_location() -> *mut c_int;
}

hooks! {
    fn getaddrinfo(
        node: *const c_char, service: *const c_char, hints: *const addrinfo, result: *mut *mut addrinfo,
    ) -> c_int |real| {
        // SAFETY: as for the call itself.
        unsafe {
            if node.is_null() || is_figures(node) {
                return real(node, service, hints, result);
            }
            resolve_elsewhere(libc::EAI_MEMORY, move || real(node, service, hints, result))
        }
    }

    fn getnameinfo(
        address: *const sockaddr, length: socklen_t, host: *mut c_char, host_size: socklen_t, service: *mut c_char,
        service_size: socklen_t, flags: c_int,
    ) -> c_int |real| {
        // SAFETY: as for the call itself.
        unsafe {
            if flags & libc::NI_NUMERICHOST != 0 {
                return real(address, length, host, host_size, service, service_size, flags);
            }
            resolve_elsewhere(libc::EAI_MEMORY, move || {
                real(address, length, host, host_size, service, service_size, flags)
            })
        }
    }

    fn gethostbyname(name: *const c_char) -> *mut hostent |real| {
        // SAFETY: as for the call itself.
        resolve_elsewhere(ptr::null_mut(), move || unsafe { real(name) })
    }

    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent |real| {
        // SAFETY: as above.
        resolve_elsewhere(ptr::null_mut(), move || unsafe { real(name, family) })
    }

    fn gethostbyaddr(address: *const c_void, length: socklen_t, family: c_int) -> *mut hostent |real| {
        // SAFETY: as above.
        resolve_elsewhere(ptr::null_mut(), move || unsafe { real(address, length, family) })
    }

    fn gethostbyname_r(
        name: *const c_char, entry: *mut hostent, buffer: *mut c_char, size: size_t, result: *mut *mut hostent, failure: *mut c_int,
    ) -> c_int |real| {
        // SAFETY: as above.
        resolve_elsewhere(libc::ENOMEM, move || unsafe { real(name, entry, buffer, size, result, failure) })
    }

    fn gethostbyname2_r(
        name: *const c_char, family: c_int, entry: *mut hostent, buffer: *mut c_char, size: size_t, result: *mut *mut hostent,
        failure: *mut c_int,
    ) -> c_int |real| {
        // SAFETY: as above.
        resolve_elsewhere(libc::ENOMEM, move || unsafe { real(name, family, entry, buffer, size, result, failure) })
    }

    fn gethostbyaddr_r(
        address: *const c_void, length: socklen_t, family: c_int, entry: *mut hostent, buffer: *mut c_char, size: size_t,
        result: *mut *mut hostent, failure: *mut c_int,
    ) -> c_int |real| {
        // SAFETY: as above.
        resolve_elsewhere(libc::ENOMEM, move || unsafe {
            real(address, length, family, entry, buffer, size, result, failure)
        })
    }
}

/// # Safety
/// A terminated string.
unsafe fn is_figures(name: *const c_char) -> bool {
    // SAFETY: as the caller promises.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str()
        .is_ok_and(|name| name.parse::<IpAddr>().is_ok())
}

/// Makes a call of the resolver on a thread of the pool, and brings what it says of errors back to this one. `refused` is for when there is no
/// thread.
fn resolve_elsewhere<T: Copy>(refused: T, call: impl FnOnce() -> T) -> T {
    let saved = Errno::save();
    let done = crate::offload(|| {
        let result = call();
        // SAFETY: always valid.
        Ok((result, errno::get(), unsafe { *__h_errno_location() }))
    });
    match done {
        Ok((result, error, host_error)) => {
            errno::set(error);
            // SAFETY: as above.
            unsafe { *__h_errno_location() = host_error };
            result
        }
        Err(_) => {
            saved.number(crate::errno::error(libc::ENOMEM));
            refused
        }
    }
}
