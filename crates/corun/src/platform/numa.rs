//! NUMA: which worker belongs to which memory node.
//!
//! # Policy
//! - One node (a laptop, most virtual machines): nothing happens. The whole cost is one file that is read when a runtime starts.
//! - Several nodes: workers are dealt out to the nodes in proportion to the processors that the process may use there, and each worker may
//!   run on any of its node's processors. It is bound to the node and not to one processor, so that the system's scheduler can still move
//!   it out of the way of other programs.
//! - A thief looks for work on its own node first. Threads of the blocking pool serve all workers and are bound to no node.
//! - The affinity mask that the process was started with is never widened; a node outside of it gets no worker.
//!
//! # Why memory follows
//! Linux places a page on the node of the thread that touches it first. Stacks come from a pool of the worker, are first touched by the
//! coroutine that the worker runs on them, and go back to the same pool; a started coroutine never leaves its worker. So its stack, its
//! control block, and what its worker allocates stay on the worker's node without any further system call. Only unstarted coroutines
//! (a boxed closure) cross nodes, when they are stolen. Measured policies such as `mbind` on stack slabs would cost a mapping per range
//! (`vm.max_map_count`) and were rejected for that.
//!
//! # Failure
//! Placement is a matter of speed only. If anything here cannot be read, parsed or set, the worker runs unbound.

use std::fs;
use std::io;
use std::ops::RangeInclusive;

/// A set of processors, as sorted ranges of numbers that do not overlap or touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CpuSet(Vec<RangeInclusive<usize>>);

/// No machine has more processors; a larger number in a file is damage.
const MAX_CPU: usize = 1 << 16;

impl CpuSet {
    /// Parses the kernel's list format: `0-3,8,10-11`. An empty line is the empty set (a node with memory only).
    fn parse(text: &str) -> Option<CpuSet> {
        let mut ranges = Vec::new();
        for part in text
            .trim()
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            if first > last || last >= MAX_CPU {
                return None;
            }
            ranges.push(first..=last);
        }
        Some(CpuSet::from_ranges(ranges))
    }

    fn from_ranges(mut ranges: Vec<RangeInclusive<usize>>) -> CpuSet {
        ranges.sort_by_key(|range| *range.start());
        let mut merged: Vec<RangeInclusive<usize>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if *range.start() <= *last.end() + 1 => {
                    *last = *last.start()..=*last.end().max(range.end());
                }
                _ => merged.push(range),
            }
        }
        CpuSet(merged)
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().cloned().flatten()
    }

    fn len(&self) -> usize {
        self.0
            .iter()
            .map(|range| range.end() - range.start() + 1)
            .sum()
    }

    fn contains(&self, cpu: usize) -> bool {
        self.0.iter().any(|range| range.contains(&cpu))
    }

    fn intersection(&self, other: &CpuSet) -> CpuSet {
        CpuSet::from_ranges(
            self.iter()
                .filter(|&cpu| other.contains(cpu))
                .map(|cpu| cpu..=cpu)
                .collect(),
        )
    }
}

/// Where the workers of a runtime live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The usable processors of each usable node; empty if there is nothing to decide.
    nodes: Vec<CpuSet>,
    /// Per worker, an index into `nodes`.
    assignment: Vec<usize>,
}

impl Placement {
    /// Reads the machine's topology and assigns `workers` workers.
    pub(crate) fn detect(workers: usize) -> Placement {
        // The one file that a machine with a single node pays for.
        let Some(online) = read("online").and_then(|text| CpuSet::parse(&text)) else {
            return Placement::default();
        };
        if online.len() < 2 {
            return Placement::default();
        }
        let cpus = |node: usize| {
            read(&format!("node{node}/cpulist")).and_then(|text| CpuSet::parse(&text))
        };
        match affinity::current() {
            Ok(allowed) => Placement::decide(&online, cpus, &allowed, workers),
            Err(_) => Placement::default(),
        }
    }

    fn decide(
        online: &CpuSet,
        cpus: impl Fn(usize) -> Option<CpuSet>,
        allowed: &CpuSet,
        workers: usize,
    ) -> Placement {
        let usable = online
            .iter()
            .filter_map(cpus)
            .map(|cpus| cpus.intersection(allowed))
            .filter(|cpus| cpus.len() > 0);
        let nodes: Vec<CpuSet> = usable.collect();
        if nodes.len() < 2 {
            return Placement::default();
        }
        let sizes: Vec<usize> = nodes.iter().map(CpuSet::len).collect();
        let assignment = assign(workers, &sizes);
        Placement { nodes, assignment }
    }

    /// Binds the calling thread, which is worker `worker`, to its node. Call it before the worker touches any memory of its own.
    pub(crate) fn apply(&self, worker: usize) {
        if let Some(&node) = self.assignment.get(worker) {
            // Speed only: see "Failure" above.
            let _ = affinity::set(&self.nodes[node]);
        }
    }

    /// Are there several nodes to think of?
    pub(crate) fn is_divided(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Do two workers share a node? Those beyond the number that was planned for are bound to none, and so near to all of their kind.
    pub(crate) fn is_near(&self, a: usize, b: usize) -> bool {
        self.assignment.get(a) == self.assignment.get(b)
    }

    /// For threads that workers start and that serve all of them: such a thread inherits its worker's binding, and should not keep it.
    pub(crate) fn unbound(&self) -> Unbound {
        Unbound(self.is_divided().then(|| {
            CpuSet::from_ranges(self.nodes.iter().flat_map(|node| node.0.clone()).collect())
        }))
    }
}

/// All processors that the workers may use, if they are divided into nodes.
pub(crate) struct Unbound(Option<CpuSet>);

impl Unbound {
    /// Lets the calling thread run on all of them.
    pub(crate) fn apply(&self) {
        if let Some(cpus) = &self.0 {
            // Speed only: see "Failure" above.
            let _ = affinity::set(cpus);
        }
    }
}

/// Deals out workers so that at any prefix the nodes are loaded in proportion to their processors: worker `i` goes to the node with the
/// least load after taking it. Neighbouring worker numbers therefore alternate between nodes, and a runtime with fewer workers than
/// processors uses the memory bandwidth of all nodes.
fn assign(workers: usize, sizes: &[usize]) -> Vec<usize> {
    let mut load = vec![0_usize; sizes.len()];
    let choose = |_| {
        // (load + 1) / size as a fraction, compared by cross multiplication; ties go to the first node.
        let better = |a: usize, b: usize| (load[a] + 1) * sizes[b] < (load[b] + 1) * sizes[a];
        let best =
            (1..sizes.len()).fold(0, |best, node| if better(node, best) { node } else { best });
        load[best] += 1;
        best
    };
    (0..workers).map(choose).collect()
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(format!("/sys/devices/system/node/{name}")).ok()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod affinity {
    use super::{CpuSet, MAX_CPU, io};

    type Word = libc::c_ulong;
    const BITS: usize = Word::BITS as usize;

    /// The processors that the calling thread may use.
    pub(super) fn current() -> io::Result<CpuSet> {
        // The kernel refuses a buffer that is smaller than its own mask, so this grows past what `cpu_set_t` (1024) holds.
        let mut words = 1024 / BITS;
        loop {
            let mut mask: Vec<Word> = vec![0; words];
            // SAFETY: the buffer holds as many bytes as we say; a `cpu_set_t` is an array of such words, of any length to the kernel.
            let result = unsafe {
                libc::sched_getaffinity(0, words * size_of::<Word>(), mask.as_mut_ptr().cast())
            };
            if result == 0 {
                let bits =
                    (0..words * BITS).filter(|bit| mask[bit / BITS] & (1 << (bit % BITS)) != 0);
                return Ok(CpuSet::from_ranges(bits.map(|bit| bit..=bit).collect()));
            }
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EINVAL) || words * BITS >= MAX_CPU {
                return Err(error);
            }
            words *= 2;
        }
    }

    /// Restricts the calling thread to `cpus`.
    pub(super) fn set(cpus: &CpuSet) -> io::Result<()> {
        let words = cpus.iter().last().map_or(1, |last| last / BITS + 1);
        let mut mask: Vec<Word> = vec![0; words];
        for cpu in cpus.iter() {
            mask[cpu / BITS] |= 1 << (cpu % BITS);
        }
        // SAFETY: the buffer holds as many bytes as we say.
        let result =
            unsafe { libc::sched_setaffinity(0, words * size_of::<Word>(), mask.as_ptr().cast()) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod affinity {
    use super::{CpuSet, io};

    pub(super) fn current() -> io::Result<CpuSet> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn set(_cpus: &CpuSet) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> CpuSet {
        CpuSet::parse(text).unwrap()
    }

    fn decide(nodes: &[&str], allowed: &str, workers: usize) -> Placement {
        let online = CpuSet::from_ranges(vec![0..=nodes.len() - 1]);
        Placement::decide(
            &online,
            |node| CpuSet::parse(nodes[node]),
            &set(allowed),
            workers,
        )
    }

    #[test]
    fn lists_of_processors() {
        assert_eq!(
            set("0-3,8,10-11\n").iter().collect::<Vec<_>>(),
            [0, 1, 2, 3, 8, 10, 11]
        );
        assert_eq!(set("4,0-3").0, [0..=4]);
        assert_eq!(set("0-5,2-3").len(), 6);
        assert_eq!(set("\n").len(), 0);
        for damaged in ["a", "3-1", "1-", "-1", "0-99999999", "18446744073709551615"] {
            assert_eq!(CpuSet::parse(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn one_node_decides_nothing() {
        assert_eq!(decide(&["0-7"], "0-7", 8), Placement::default());
        let placement = Placement::default();
        assert!(
            !placement.is_divided() && placement.is_near(0, 5) && placement.unbound().0.is_none()
        );
    }

    #[test]
    fn two_equal_nodes_share_the_workers() {
        let placement = decide(&["0-3,8-11", "4-7,12-15"], "0-15", 6);
        assert_eq!(placement.assignment, [0, 1, 0, 1, 0, 1]);
        assert_eq!(placement.nodes[1], set("4-7,12-15"));
        assert!(placement.is_divided() && placement.is_near(0, 2) && !placement.is_near(0, 1));
        assert!(
            !placement.is_near(0, 6) && placement.is_near(6, 7),
            "spare workers"
        );
        assert_eq!(placement.unbound().0, Some(set("0-15")));
    }

    #[test]
    fn unequal_nodes_get_their_share() {
        let placement = decide(&["0-5", "6-7"], "0-7", 8);
        let on_first = placement
            .assignment
            .iter()
            .filter(|&&node| node == 0)
            .count();
        assert_eq!((on_first, placement.assignment.len()), (6, 8));
    }

    #[test]
    fn the_mask_of_the_process_is_respected() {
        // `taskset -c 0-1` on a machine with two nodes leaves one node.
        assert_eq!(decide(&["0-3", "4-7"], "0-1", 4), Placement::default());
        let placement = decide(&["0-3", "4-7", "8-11"], "2-5", 4);
        assert_eq!(placement.nodes, [set("2-3"), set("4-5")]);
    }

    #[test]
    fn nodes_without_processors_or_with_a_damaged_list_get_no_worker() {
        let placement = decide(&["0-3", "", "damage", "4-7"], "0-7", 4);
        assert_eq!(placement.nodes, [set("0-3"), set("4-7")]);
    }

    #[test]
    fn more_workers_than_processors() {
        assert_eq!(decide(&["0", "1"], "0-1", 5).assignment, [0, 1, 0, 1, 0]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn binding_a_thread_to_what_it_may_use_changes_nothing() {
        let bind = || {
            let allowed = affinity::current().unwrap();
            assert!(allowed.len() > 0);
            let placement = Placement {
                nodes: vec![allowed.clone()],
                assignment: vec![0],
            };
            placement.apply(0);
            assert_eq!(affinity::current().unwrap(), allowed);
            let first = allowed.iter().next().unwrap();
            let narrow = Placement {
                nodes: vec![CpuSet::from_ranges(vec![first..=first])],
                assignment: vec![0],
            };
            narrow.apply(0);
            assert_eq!(
                affinity::current().unwrap().iter().collect::<Vec<_>>(),
                [first]
            );
        };
        // In a thread of its own: the mask belongs to the thread and would stay.
        std::thread::spawn(bind).join().unwrap();
    }
}
