//! What tests of crashes share: a test that is to die runs as a child process.
#![allow(dead_code, reason = "each test uses a part")]

use std::cell::Cell;
use std::process::{Command, Output};

use corun_context::raw::{self, Context};
use corun_context::stack::Stack;

const CHILD: &str = "CORUN_TEST_CHILD";

/// Runs `child` in a process of its own, in which the test `name` calls this again, and returns how that went.
pub fn in_child(name: &str, child: impl FnOnce()) -> Output {
    if std::env::var_os(CHILD).is_some() {
        #[cfg(unix)]
        // SAFETY: the pointer is to a local. A child that dies on purpose need not leave its core behind.
        unsafe {
            libc::setrlimit(
                libc::RLIMIT_CORE,
                &libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                },
            );
        }
        child();
        std::process::exit(0);
    }
    let mut command = this_program();
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1");
    command.output().unwrap()
}

/// The command that starts this program; under the emulator, if `tools/cross` says that there is one.
fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    let runner = std::env::var("CORUN_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(emulator) = words.next() else {
        return Command::new(program);
    };
    let mut command = Command::new(emulator);
    command.args(words).arg(program);
    command
}

/// What a child wrote to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The signal that a child died of.
#[cfg(unix)]
pub fn signal(output: &Output) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&output.status)
}

thread_local! {
    static CALLER: Cell<Context> = const { Cell::new(Context::NONE) };
    static CALLEE: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Calls a function on another stack.
pub fn call_on(stack: &impl Stack, function: fn()) {
    unsafe extern "C" fn entry(_: usize) -> ! {
        CALLEE.take().unwrap()();
        // SAFETY: the caller is suspended in `call_on`, on this thread; nothing on this stack is needed any more.
        unsafe { raw::switch_final(CALLER.get(), 0) }
    }
    CALLEE.set(Some(function));
    // SAFETY: the stack is unused and outlives the call; the caller is continued once, by `entry`.
    unsafe {
        let target = raw::prepare(stack.top(), entry);
        raw::switch(CALLER.with(Cell::as_ptr), target, 0);
    }
}

/// Recurses for ever.
#[allow(unconditional_recursion, reason = "that is the point")]
#[inline(never)]
pub fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 32]);
    recurse(depth + 1) + frame[depth as usize % 32]
}

/// A figure of /proc/self/status in KiB, as bytes.
#[cfg(target_os = "linux")]
fn status(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .expect("a field of /proc/self/status");
    line.trim_matches(|c: char| !c.is_ascii_digit())
        .parse::<usize>()
        .unwrap()
        * 1024
}

/// Resident memory and page tables, in bytes.
#[cfg(target_os = "linux")]
pub fn memory() -> usize {
    status("VmRSS:") + status("VmPTE:")
}

/// Bytes of address space in use.
#[cfg(target_os = "linux")]
pub fn address_space() -> usize {
    status("VmSize:")
}

/// How many mappings the process has.
#[cfg(target_os = "linux")]
pub fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}
