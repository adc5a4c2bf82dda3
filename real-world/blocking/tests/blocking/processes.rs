//! `std::process`.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use blocking_world::{alone, both};

use crate::LIMIT;

/// Each is forked from a process with large tables of pages: 1,000 of them cost more than all that is tested here.
const PROCESSES: usize = 300;

#[test]
fn hundreds_of_children_are_waited_for_at_once() {
    let _alone = alone();
    both("std::process, status", PROCESSES, LIMIT, |_| {
        let status = Command::new("sleep").arg("0.1").status();
        status.expect("a child").code()
    });
}

#[test]
fn what_children_write_is_read() {
    let _alone = alone();
    both("std::process, output", 100, LIMIT, |number| {
        let script = format!(
            "sleep 0.1; echo out {number}; echo err {number} >&2; exit {}",
            number % 50
        );
        let output = Command::new("sh")
            .arg("-c")
            .arg(script)
            .output()
            .expect("a child");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    });
}

#[test]
fn children_are_written_to_and_killed() {
    let _alone = alone();
    both("std::process, pipes", 100, LIMIT, |number| {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut input = child.stdin.take().expect("it is piped");
        let mut output = child.stdout.take().expect("it is piped");
        let text = format!("line {number}\n");
        input.write_all(text.as_bytes()).expect("it reads");
        let mut seen = vec![0; text.len()];
        output.read_exact(&mut seen).expect("it writes");
        if number % 2 == 0 {
            drop(input);
        } else {
            child.kill().expect("it is there");
        }
        let mut rest = String::new();
        output.read_to_string(&mut rest).expect("the end");
        let status = child.wait().expect("it is a child");
        let gone = Command::new("/no/such/program")
            .status()
            .map_err(|error| error.kind());
        (
            String::from_utf8(seen),
            rest,
            status,
            gone.map(|status| status.code()),
        )
    });
}
