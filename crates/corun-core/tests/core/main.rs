//! What corun-core promises, on the host: with a clock that jumps to the next deadline, so that nothing waits and nothing depends on the machine's speed.
//! The kernel that boots (`tools/boot-kernel`) tests the rest.

mod channels;
mod events;
#[cfg(target_os = "linux")]
mod interrupts;
mod joining;
mod misuse;
mod models;
mod primitive;
mod running;
mod stacks;
mod support;
mod timers;
mod waiting;
