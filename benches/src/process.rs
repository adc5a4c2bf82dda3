//! What a process can learn about itself and its children: CPU time, memory, placement.

use std::fs;
use std::io;
use std::time::Duration;

/// User and system time of this process so far.
pub fn cpu_time() -> Duration {
    // SAFETY: rusage is plain numbers, for which zero is a value, and the pointer is to a live one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let of = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// CPU time of another process so far: the sum over its threads, in nanoseconds.
pub fn cpu_time_of(pid: u32) -> Duration {
    let mut total = 0;
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    for task in tasks {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        total += text
            .split(' ')
            .next()
            .and_then(|word| word.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Duration::from_nanos(total)
}

/// Bytes of memory this process holds: resident pages, and the page tables that map them.
///
/// # Panics
/// If /proc is not mounted.
pub fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let kib = |name: &str| -> u64 {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("a kernel that reports it");
        line.split_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok())
            .expect("a number")
    };
    (kib("VmRSS:") + kib("VmPTE:")) * 1024
}

/// Restricts the calling thread, and what it starts from now on, to these CPUs.
///
/// # Errors
/// If the system has none of them.
pub fn pin(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: cpu_set_t is plain bits, for which zero is a value, and the pointer is to a live one.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for &cpu in cpus {
            libc::CPU_SET(cpu, &mut set);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Asks the kernel to end this process when the thread that started it is gone.
///
/// Safe to call between fork and exec.
pub fn die_with_parent() {
    // SAFETY: the call only sets a property of this process.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}
