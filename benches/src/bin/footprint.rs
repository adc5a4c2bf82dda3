//! How many bytes of heap a channel takes before it is used: `footprint PEER CAPACITY`. Counted is what is asked of the allocator,
//! for sender, receiver and whatever they share; the handles themselves lie in a vector that is not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use corun_bench::channels::capacity;
use corun_bench::{Args, report};

const CHANNELS: usize = 1000;

static BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is passed on to the system's allocator as it comes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let (peer, mut args) = Args::parse();
    let size = capacity(&args.next::<String>());
    match (peer.as_str(), size) {
        ("corun", Some(size)) => measure(|| corun::channel::bounded::<u64>(size)),
        ("corun", None) => measure(corun::channel::unbounded::<u64>),
        ("crossbeam", Some(size)) => measure(|| crossbeam_channel::bounded::<u64>(size)),
        ("crossbeam", None) => measure(crossbeam_channel::unbounded::<u64>),
        ("kanal", Some(size)) => measure(|| kanal::bounded_async::<u64>(size)),
        ("kanal", None) => measure(kanal::unbounded_async::<u64>),
        ("flume", Some(size)) => measure(|| flume::bounded::<u64>(size)),
        ("flume", None) => measure(flume::unbounded::<u64>),
        ("async_channel", Some(size)) => measure(|| async_channel::bounded::<u64>(size.max(1))),
        ("async_channel", None) => measure(async_channel::unbounded::<u64>),
        ("tokio", Some(size)) => measure(|| tokio::sync::mpsc::channel::<u64>(size.max(1))),
        ("tokio", None) => measure(tokio::sync::mpsc::unbounded_channel::<u64>),
        ("std", Some(size)) => measure(|| std::sync::mpsc::sync_channel::<u64>(size)),
        ("std", None) => measure(std::sync::mpsc::channel::<u64>),
        ("may", Some(_)) => report(&[]),
        ("may", None) => measure(may::sync::spsc::channel::<u64>),
        other => panic!("no such channel: {other:?}"),
    }
}

fn measure<T>(channel: impl Fn() -> T) {
    // What is made once, with the first channel, belongs to none.
    drop(channel());
    let mut channels = Vec::with_capacity(CHANNELS);
    let before = BYTES.load(Ordering::Relaxed);
    channels.extend((0..CHANNELS).map(|_| channel()));
    let bytes = BYTES.load(Ordering::Relaxed) - before;
    report(&[("bytes", bytes as f64 / CHANNELS as f64)]);
}
