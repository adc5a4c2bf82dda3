//! Every program of `programs/` prints what it says at its end that it prints, on one worker, on two and on eight.
//!
//! Nor does it leave a channel, a future or a task behind, however it ends.
//!
//! `//> LINE` is a line on standard output; `//! TEXT` stands somewhere on standard error, and the program then ends with a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn expected(source: &str, mark: &str) -> Vec<String> {
    let lines = source.lines().filter_map(|line| line.strip_prefix(mark));
    lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned())
        .collect()
}

fn programs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let entries = fs::read_dir(folder).unwrap();
    let mut programs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    programs.sort();
    programs
}

fn all_do_what_they_say(workers: &str) {
    let mut wrong = Vec::new();
    let programs = programs();
    assert!(programs.len() >= 30, "the corpus is here");
    for path in programs {
        let source = fs::read_to_string(&path).unwrap();
        let ran = Command::new(env!("CARGO_BIN_EXE_echo-lang"))
            .arg(&path)
            .arg("--leaks")
            .env("CORUN_WORKERS", workers)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
        let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
        let wanted = expected(&source, "//!");
        let was_run = !errors.contains(".echo:");
        let is_right = printed.lines().eq(expected(&source, "//>"))
            && ran.status.success() == wanted.is_empty()
            && wanted.iter().all(|text| errors.contains(text))
            && (!was_run || errors.lines().any(|line| line == "0 handles are left"));
        if !is_right {
            wrong.push(format!(
                "{}: {}\n{printed}{errors}",
                path.display(),
                ran.status
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn on_one_worker() {
    all_do_what_they_say("1");
}

#[test]
fn on_two_workers() {
    all_do_what_they_say("2");
}

#[test]
fn on_eight_workers() {
    all_do_what_they_say("8");
}

#[test]
fn what_cannot_be_run_says_so() {
    let run = |arguments: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_echo-lang"))
            .args(arguments)
            .output()
            .unwrap();
        (
            ran.status.code(),
            String::from_utf8_lossy(&ran.stderr).into_owned(),
        )
    };
    assert_eq!(run(&[]).0, Some(2));
    assert_eq!(run(&["--workers", "many"]).0, Some(2));
    let (status, message) = run(&["no/such/program.echo"]);
    assert_eq!(status, Some(2));
    assert!(message.starts_with("no/such/program.echo: "), "{message}");
}
