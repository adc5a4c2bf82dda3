//! What the tour asks the operating system: memory, processor time, descriptors, where a thread runs.

use std::fs;

/// Bytes of memory this process holds, page tables included.
pub fn memory() -> u64 {
    status("/proc/self/status", "VmRSS:") + status("/proc/self/status", "VmPTE:")
}

/// Bytes of memory that could be had without swapping.
pub fn free_memory() -> u64 {
    status("/proc/meminfo", "MemAvailable:")
}

fn status(path: &str, field: &str) -> u64 {
    let text = fs::read_to_string(path).expect("the tour needs /proc");
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_else(|| panic!("{path} has no {field}")) * 1024
}

/// The id of the calling thread.
pub fn thread_id() -> u32 {
    let path = fs::read_link("/proc/thread-self").expect("the tour needs /proc");
    path.file_name()
        .and_then(|name| name.to_str()?.parse().ok())
        .expect("a number")
}

/// Nanoseconds of processor time that a thread has used.
pub fn cpu_time(thread: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))
        .expect("the tour needs schedstat");
    text.split_whitespace()
        .next()
        .and_then(|field| field.parse().ok())
        .expect("a number")
}

/// Allows as many descriptors as the system lets us have, and says how many.
pub fn raise_descriptor_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid place to write to, then to read from.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
    }
    limit.rlim_cur
}

/// Keeps the calling thread on the first processor it may use, or off it.
pub fn pin(first: bool) {
    // SAFETY: a cpu_set_t is plain bits, all zero is the empty set; the calls read and write nothing else.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        assert_eq!(libc::sched_getaffinity(0, size, &mut allowed), 0);
        if libc::CPU_COUNT(&allowed) < 2 {
            return;
        }
        let one = (0..libc::CPU_SETSIZE as usize)
            .find(|&cpu| libc::CPU_ISSET(cpu, &allowed))
            .expect("one");
        if first {
            libc::CPU_ZERO(&mut allowed);
            libc::CPU_SET(one, &mut allowed);
        } else {
            libc::CPU_CLR(one, &mut allowed);
        }
        assert_eq!(libc::sched_setaffinity(0, size, &allowed), 0);
    }
}
