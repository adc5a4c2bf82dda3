//! The example programs, with what they have to write.

use crate::build::{WARNINGS, compile, expect, root};

pub const SPAWN: &str = "the squares below 1000 add up to 332833500
a task that was cancelled before it began: CORUN_ERR_CANCELLED
";
pub const AWAIT: &str = "20
22
24
not too early
25
CORUN_ERR_REJECTED: 7, the disk is full
CORUN_ERR_TIMEDOUT
CORUN_ERR_ABANDONED
";
pub const CHANNEL: &str = "100 results, sum 169175.0, then CORUN_ERR_CLOSED
sending here: CORUN_ERR_DIRECTION
the workers did 100
";
pub const SELECT: &str = "default: nothing is there
arm 0 is closed, the sum is 15
CORUN_ERR_TIMEDOUT
arm 0: CORUN_OK
sent and received: 42
";
const EXCEPTIONS: &str = "coroutines
in
C++
100 of 100 exceptions were one's own
caught: thrown in a task
";

fn example(compiler: &str, standard: &str, name: &str, expected: &str) {
    let source = root().join("examples/c").join(name);
    let options = [&[standard][..], &WARNINGS].concat();
    for shared in [false, true] {
        expect(&compile(compiler, &source, &options, shared), expected);
    }
}

#[test]
fn spawn() {
    example("cc", "-std=c11", "spawn.c", SPAWN);
}

#[test]
fn await_() {
    example("cc", "-std=c11", "await.c", AWAIT);
}

#[test]
fn channel() {
    example("cc", "-std=c11", "channel.c", CHANNEL);
}

#[test]
fn select() {
    example("cc", "-std=c11", "select.c", SELECT);
}

#[test]
fn cpp_with_exceptions() {
    example("c++", "-std=c++17", "exceptions.cpp", EXCEPTIONS);
}
