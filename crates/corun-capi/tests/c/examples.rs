//! The example programs, with what they have to write.

use std::fs;

use crate::build::{WARNINGS, compile, expect, installed, root, scratch};

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

/// The program of the README.
#[test]
fn readme() {
    let text = fs::read_to_string(root().join("../../README.md")).expect("README.md");
    let (_, after) = text.split_once("```c\n").expect("a program in C");
    let (program, _) = after.split_once("```").expect("its end");
    let source = scratch(&format!("readme-{}.c", std::process::id()));
    fs::write(&source, program).expect("a file");
    let options = [&["-std=c11"][..], &WARNINGS, &["-Wno-unused-parameter"]].concat();
    expect(&compile("cc", &source, &options, true), "");
    fs::remove_file(source).expect("it was just written");
}

#[test]
fn cpp_with_exceptions() {
    if !installed(&["c++"]) {
        return;
    }
    example("c++", "-std=c++17", "exceptions.cpp", EXCEPTIONS);
}
