//! Runs a test again in a process of its own, for what a process can do only once (panic hooks, limits, exit codes, fork).

use std::env;
use std::process::{Command, Output};

const VARIABLE: &str = "CORUN_TEST_CHILD";

/// The command that starts this program; under the emulator, if `tools/cross` says that there is one.
pub fn program() -> Command {
    let program = env::current_exe().unwrap();
    let runner = env::var("CORUN_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(emulator) = words.next() else {
        return Command::new(program);
    };
    let mut command = Command::new(emulator);
    command.args(words).arg(program);
    command
}

/// Does this run under an emulator, by `tools/cross`?
#[allow(dead_code, reason = "not every test that uses this module needs it")]
pub fn is_emulated() -> bool {
    env::var_os("CORUN_TEST_RUNNER").is_some_and(|runner| !runner.is_empty())
}

/// In the parent: runs the test `name` of this binary in a child, and returns what came of it. In the child: `None`.
#[allow(dead_code, reason = "not every test that uses this module needs it")]
pub fn run(name: &str, variables: &[(&str, &str)]) -> Option<Output> {
    Some(command(name, variables)?.output().unwrap())
}

/// In the parent: the command that runs the test `name` of this binary in a child. In the child: `None`.
#[allow(dead_code, reason = "not every test that uses this module needs it")]
pub fn command(name: &str, variables: &[(&str, &str)]) -> Option<Command> {
    if env::var_os(VARIABLE).is_some_and(|value| value == name) {
        return None;
    }
    let mut command = program();
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, name);
    command
        .env_remove("RUST_BACKTRACE")
        .env_remove("CORUN_WORKERS")
        .env_remove("CORUN_STACK_SIZE")
        .env_remove("CORUN_STALL_REPORT");
    command.envs(variables.iter().copied());
    Some(command)
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
