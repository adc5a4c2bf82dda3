//! Compiling and running C programs against the library that cargo has built for this test.

use std::env;
use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];

/// The folder of this crate.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The static library that cargo has made with this test: beside it, under a name with a hash in it. (Only `cargo build` puts it where one would
/// look for it, and what lies there may be old.) The newest is the one: cargo makes it before it makes the test.
pub fn archive() -> PathBuf {
    let test = env::current_exe().expect("a test knows its file");
    let folder = fs::read_dir(test.parent().expect("a folder")).expect("its folder");
    let newest = folder
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            name.is_some_and(|name| name.starts_with("libcorun_capi") && name.ends_with(".a"))
        })
        .max_by_key(|path| fs::metadata(path).and_then(|file| file.modified()).ok());
    newest.expect("cargo has made libcorun_capi.a")
}

/// Where the library is installed for this run, once.
pub fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = scratch(&format!("prefix-{}", std::process::id()));
        let tool = root().join("../../tools/install-capi");
        succeed(Command::new(tool).arg(&prefix).arg(archive()));
        prefix
    })
}

/// A file or folder of the tests' own.
pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs a command to its end, which must be a good one.
pub fn succeed(command: &mut Command) -> Output {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Runs a command to its end, which must come within a minute or two.
pub fn run(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let began = Instant::now();
    // What they write fits into the pipes.
    while child.try_wait().expect("a child of ours").is_none() {
        if began.elapsed() > Duration::from_secs(120) {
            child.kill().expect("a child of ours");
            let output = child.wait_with_output().expect("its output");
            panic!(
                "{command:?} did not end\n{}\n{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().expect("its output")
}

/// Compiles a program, and returns where it is. With `shared` it uses `libcorun.so`, else it has the library in itself.
pub fn compile(compiler: &str, source: &Path, options: &[&str], shared: bool) -> PathBuf {
    let name = source.file_name().expect("a file").to_string_lossy();
    let kind = if shared { "shared" } else { "static" };
    let program = scratch(&format!("{name}-{kind}-{}", std::process::id()));
    let mut command = Command::new(compiler);
    command
        .args(options)
        .args(["-g", "-I"])
        .arg(prefix().join("include"))
        .arg(source)
        .arg("-o")
        .arg(&program);
    link(&mut command, shared);
    succeed(&mut command);
    program
}

/// Adds the library to a command that links.
pub fn link(command: &mut Command, shared: bool) {
    let lib = prefix().join("lib");
    if shared {
        command.arg(lib.join("libcorun.so"));
        command.arg(format!("-Wl,-rpath,{}", lib.display()));
    } else {
        command.arg(lib.join("libcorun.a"));
        command.args(["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"]);
    }
    command.args(["-pthread", "-lm"]);
}

/// Runs a compiled program on so many workers, and returns what it wrote.
pub fn output_of(program: &Path, workers: usize) -> String {
    let mut command = Command::new(program);
    command.env("CORUN_WORKERS", workers.to_string());
    String::from_utf8(succeed(&mut command).stdout).expect("text")
}

/// Runs a program on 1, 2 and 8 workers. Each time it has to write what is expected.
pub fn expect(program: &Path, expected: &str) {
    for workers in [1, 2, 8] {
        let output = output_of(program, workers);
        assert_eq!(
            output,
            expected,
            "{} on {workers} workers",
            program.display()
        );
    }
    fs::remove_file(program).expect("it was just run");
}

/// Whether all of these programs are installed; says which one is not. With `CORUN_REQUIRE_REAL` set, they must be.
pub fn installed(programs: &[&str]) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    for program in programs {
        if !env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
            assert!(
                env::var_os("CORUN_REQUIRE_REAL").is_none(),
                "{program} is not installed, and CORUN_REQUIRE_REAL is set"
            );
            // Not by `eprintln`, whose output the test harness keeps from view while all is well.
            let said = writeln!(stderr(), "SKIPPED: {program} is not installed");
            said.expect("standard error");
            return false;
        }
    }
    true
}
