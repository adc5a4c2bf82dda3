//! The programs in LLVM IR, with what they have to write: compiled by LLVM, linked with the static library.

use std::process::Command;

use crate::build::{expect, installed, link, root, run, scratch, succeed};

fn program(name: &str, expected: &str) {
    if !installed(&["llc"]) {
        return;
    }
    let source = root().join("examples/llvm").join(format!("{name}.ll"));
    let object = scratch(&format!("{name}-{}.o", std::process::id()));
    let compile = |opaque: &[&str]| {
        let mut command = Command::new("llc");
        command
            .args(opaque)
            .args(["-filetype=obj", "-relocation-model=pic", "-O2"])
            .arg(&source)
            .arg("-o")
            .arg(&object);
        command
    };
    // Pointers have no types since LLVM 15; version 14 has to be told so.
    if !run(&mut compile(&[])).status.success() {
        succeed(&mut compile(&["-opaque-pointers"]));
    }
    let program = scratch(&format!("llvm-{name}-{}", std::process::id()));
    let mut command = Command::new("cc");
    command.arg(&object).arg("-o").arg(&program);
    link(&mut command, false);
    succeed(&mut command);
    expect(&program, expected);
    std::fs::remove_file(object).expect("it was just made");
}

#[test]
fn spawn() {
    program("spawn", "328350\n");
}

#[test]
fn await_() {
    program("await", "42\nrejected: 7\n");
}

#[test]
fn channel() {
    program("channel", "5050\n");
}

#[test]
fn select() {
    program("select", "default\n15\ntimeout\n");
}

#[test]
fn async_function() {
    program("async", "fib(15) = 610\n");
}
