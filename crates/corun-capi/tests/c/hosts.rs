//! Main loops of others with corun's coroutines beside their own callbacks.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::build::{WARNINGS, link, output_of, prefix, root, scratch, succeed};

const LIBEVENT: &str = "a callback got: question
a coroutine got: answer
a coroutine added what callbacks sent: 6
coroutines slept 10 times
the host's timer ticked on: yes
";

/// Where Debian's `libevent-dev` puts what a program includes.
const LIBEVENT_HEADER: &str = "/usr/include/event2/event.h";

#[test]
fn libevent() {
    if !Path::new(LIBEVENT_HEADER).is_file() {
        assert!(
            std::env::var_os("CORUN_REQUIRE_REAL").is_none(),
            "libevent-dev is not installed, and CORUN_REQUIRE_REAL is set"
        );
        eprintln!("SKIPPED: libevent-dev is not installed");
        return;
    }
    for shared in [false, true] {
        let kind = if shared { "shared" } else { "static" };
        let program = scratch(&format!("libevent-{kind}-{}", std::process::id()));
        let mut command = Command::new("cc");
        command
            .args(WARNINGS)
            .args(["-std=gnu11", "-g", "-I"])
            .arg(prefix().join("include"))
            .arg(root().join("examples/hosts/libevent.c"))
            .arg("-o")
            .arg(&program);
        link(&mut command, shared);
        succeed(command.arg("-levent"));
        for _ in 0..10 {
            assert_eq!(output_of(&program, 1), LIBEVENT, "{kind}");
        }
        fs::remove_file(&program).expect("it was just run");
    }
}
