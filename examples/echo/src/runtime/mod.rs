//! What compiled programs call besides corun's C ABI: strings, printing, reference counts, and the ways in which a program fails.
//!
//! # Values
//! Each value is one word. An `int` and a `bool` are themselves. Strings, channels and futures are counted references: whoever evaluates an
//! expression owns one reference to its value, and whatever takes the value takes that reference. Null is the empty string, and
//! what is received from a closed channel.
//!
//! # Failing
//! A compiled function returns its value and a status. Who fails notes why with the task (`corun_task_fail`) and returns 1; every caller
//! releases what it holds, and returns 1 as well, up to the task's entry. Nothing unwinds.

pub mod failing;
pub mod references;
pub mod spawning;
pub mod text;
