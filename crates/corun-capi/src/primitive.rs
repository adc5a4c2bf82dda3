//! What the table of handles is made of. The models (`tests/models`) include its files, and give them loom's primitives under this name.

pub(crate) use std::sync::atomic;

pub(crate) mod thread {
    use corun::hooking::own;

    /// Gives up the processor, to a thread and not to a coroutine: no hook of `corun-hook` may turn this into a suspension, which could be cancelled, and then unwind
    /// out of where a handle has been given up already.
    pub(crate) fn yield_now() {
        own(std::thread::yield_now);
    }
}
