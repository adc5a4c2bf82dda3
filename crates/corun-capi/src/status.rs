//! The codes that functions return: the `CORUN_` constants of `base.h`.

use std::ffi::{CStr, c_char};

/// As `corun_status`: 0, or an error, which is negative.
pub type Status = i32;

macro_rules! statuses {
    ($($name:ident = $value:literal;)*) => {
        $(
            #[doc = concat!("`CORUN_", stringify!($name), "`.")]
            pub const $name: Status = $value;
        )*

        /// All of them, with their names, for the check against the header.
        pub const ALL: &[(&CStr, Status)] = &[$((
            match CStr::from_bytes_with_nul(concat!("CORUN_", stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => unreachable!(),
            },
            $value,
        ),)*];
    };
}

statuses! {
    OK = 0;
    ERR_INVALID = -1;
    ERR_HANDLE = -2;
    ERR_CLOSED = -3;
    ERR_WOULD_BLOCK = -4;
    ERR_TIMEDOUT = -5;
    ERR_CANCELLED = -6;
    ERR_REJECTED = -7;
    ERR_ABANDONED = -8;
    ERR_STATE = -9;
    ERR_CONTEXT = -10;
    ERR_NOMEM = -11;
    ERR_SYSTEM = -12;
    ERR_PANIC = -13;
    ERR_FAILED = -14;
    ERR_DIRECTION = -15;
    ERR_SHUTDOWN = -16;
    ERR_DEADLOCK = -17;
    ERR_UNSUPPORTED = -18;
}

/// The name of a status.
#[unsafe(no_mangle)]
pub extern "C" fn corun_status_name(status: Status) -> *const c_char {
    let known = ALL.iter().find(|(_, value)| *value == status);
    known.map_or(c"unknown", |(name, _)| name).as_ptr()
}

/// The version of the library.
#[unsafe(no_mangle)]
pub extern "C" fn corun_version() -> u32 {
    const PARTS: [u32; 3] = [
        number(env!("CARGO_PKG_VERSION_MAJOR")),
        number(env!("CARGO_PKG_VERSION_MINOR")),
        number(env!("CARGO_PKG_VERSION_PATCH")),
    ];
    PARTS[0] << 16 | PARTS[1] << 8 | PARTS[2]
}

const fn number(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("versions are numbers"),
    }
}
