//! Runs a test again in a process of its own, for what a process can do only once (panic hooks, limits, exit codes, fork).

use std::env;
use std::process::{Command, Output};

const VARIABLE: &str = "CORUN_TEST_CHILD";

/// In the parent: runs the test `name` of this binary in a child, and returns what came of it. In the child: `None`.
pub fn run(name: &str, variables: &[(&str, &str)]) -> Option<Output> {
    if env::var_os(VARIABLE).is_some_and(|value| value == name) {
        return None;
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, name);
    command
        .env_remove("RUST_BACKTRACE")
        .env_remove("CORUN_WORKERS")
        .env_remove("CORUN_STACK_SIZE");
    command.envs(variables.iter().copied());
    Some(command.output().unwrap())
}

/// The child's outputs as text, for messages.
#[allow(dead_code, reason = "not every test that uses this module needs it")]
pub fn text(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{}\n--- stdout\n{out}\n--- stderr\n{err}", output.status)
}
