//! What tests of crashes, limits and environment variables share: each runs in a process of its own.
#![allow(dead_code, reason = "each test uses a part")]

#[path = "../child/mod.rs"]
pub mod child;

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// Runs `body` in a process of its own, in which the test `name` calls this again, and returns how that went.
pub fn in_child(name: &str, variables: &[(&str, &str)], body: impl FnOnce()) -> Output {
    if let Some(output) = child::run(name, variables) {
        return output;
    }
    // A child that dies on purpose need not leave its core behind.
    set_limit(libc::RLIMIT_CORE, 0);
    body();
    std::process::exit(0);
}

/// As `in_child`, and fails with all that the child wrote if it did not end well. Returns what it wrote to standard error.
#[track_caller]
pub fn passes_in_child(name: &str, variables: &[(&str, &str)], body: impl FnOnce()) -> String {
    let output = in_child(name, variables, body);
    assert!(output.status.success(), "{}", child::text(&output));
    stderr(&output)
}

/// Lowers or raises a limit of this process.
pub fn set_limit(resource: libc::__rlimit_resource_t, value: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointers are to a local.
    unsafe {
        assert_eq!(libc::getrlimit(resource, &raw mut limit), 0);
        limit.rlim_cur = value.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(resource, &raw const limit), 0);
    }
}

/// In a child: leaves room for so many bytes of address space more than are in use. Emulators do not heed that limit; then there is nothing
/// to test, and the child ends well.
#[cfg(target_os = "linux")]
pub fn leave_room(bytes: u64) {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').next().unwrap().parse().unwrap();
    set_limit(libc::RLIMIT_AS, pages * 4096 + bytes);
    let length = usize::try_from(2 * bytes).unwrap();
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, which is not used.
    let mapping = unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_NONE, kind, -1, 0) };
    if mapping != libc::MAP_FAILED {
        println!("skipped: the limit on address space has no effect");
        std::process::exit(0);
    }
}

/// What a child wrote to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The signal that a child died of.
pub fn signal(output: &Output) -> Option<i32> {
    output.status.signal()
}
