//! What a process can learn about itself and its children: CPU time, memory, placement.

use std::fs;
use std::io;
use std::time::Duration;

/// User and system time of this process so far.
pub fn cpu_time() -> Duration {
    cpu_time_by(libc::RUSAGE_SELF)
}

fn cpu_time_by(whom: libc::c_int) -> Duration {
    // SAFETY: rusage is plain numbers, for which zero is a value, and the pointer is to a live one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(whom, &mut usage);
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

/// Puts this process ahead of whatever else the machine runs, where that is permitted: in a session of its own, since Linux
/// shares out CPU time among sessions first ("autogroups"), and only then among the processes of each.
///
/// Safe to call between fork and exec.
pub fn raise_priority() {
    const HIGHEST: &[u8] = b"-20";
    // SAFETY: the calls only set properties of this process; path and length are those of live constants.
    unsafe {
        libc::setsid();
        libc::setpriority(libc::PRIO_PROCESS, 0, -20);
        let group = libc::open(
            c"/proc/self/autogroup".as_ptr(),
            libc::O_WRONLY | libc::O_CLOEXEC,
        );
        if group >= 0 {
            libc::write(group, HIGHEST.as_ptr().cast(), HIGHEST.len());
            libc::close(group);
        }
    }
}

/// CPU time that the whole machine has spent, idle time excluded; and of it what the children of this process that have been
/// waited for spent.
///
/// # Panics
/// If /proc is not mounted.
pub fn machine_time() -> (Duration, Duration) {
    let text = fs::read_to_string("/proc/stat").expect("/proc is mounted");
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; the rest is counted in these already.
    let busy: u64 = ticks
        .iter()
        .take(8)
        .enumerate()
        .filter(|(field, _)| !matches!(field, 3 | 4))
        .map(|(_, ticks)| ticks)
        .sum();
    // SAFETY: no memory is involved.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as u64;
    (
        Duration::from_millis(busy * 1000 / per_second),
        cpu_time_by(libc::RUSAGE_CHILDREN),
    )
}
