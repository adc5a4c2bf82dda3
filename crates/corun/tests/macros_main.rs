//! `#[corun::main]`: a program of its own, which runs itself again in the roles below and looks at what comes out.

mod child;

use std::env;
use std::error::Error;
use std::process::{ExitCode, Output};

fn role(role: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = child::program();
    command
        .arg(role)
        .env_remove("CORUN_WORKERS")
        .env_remove("RUST_BACKTRACE")
        .envs(variables.iter().copied());
    command.output().unwrap()
}

#[track_caller]
fn check(output: &Output, code: i32, out: &str, err: &str) {
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let as_expected = output.status.code() == Some(code) && stdout == out && stderr.contains(err);
    assert!(
        as_expected,
        "{}, stdout {stdout:?}, stderr {stderr:?}; expected {code}, {out:?}, {err:?}",
        output.status
    );
}

fn check_all() {
    check(&role("return", &[]), 0, "main returns\n", "");
    check(&role("error", &[]), 1, "", "Error: \"no such luck\"");
    check(&role("code", &[]), 7, "", "");
    check(&role("panic", &[]), 101, "", "no more");
    check(&role("panic", &[]), 101, "", "coroutine 'main' (id");
    check(&role("leave-others", &[]), 0, "main returns\n", "");
    check(&role("workers", &[]), 0, "3\n", "");
    check(&role("workers", &[("CORUN_WORKERS", "5")]), 0, "5\n", "");
    check(&role("plain-thread", &[]), 0, "3\n", "");
    let wrong = role("return", &[("CORUN_WORKERS", "plenty")]);
    check(
        &wrong,
        1,
        "",
        "the environment variable CORUN_WORKERS is \"plenty\"",
    );
    #[cfg(unix)]
    check(&role("fork", &[]), 0, "the child has ended with 9\n", "");
}

fn workers() -> usize {
    corun::runtime::Handle::try_current().unwrap().workers()
}

#[corun::main(workers = 3)]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("return") => println!("main returns"),
        Some("error") => return Err("no such luck".into()),
        Some("code") => return Ok(ExitCode::from(7)),
        Some("panic") => panic!("no more"),
        Some("leave-others") => {
            for _ in 0..10 {
                corun::spawn(|| {
                    loop {
                        corun::park();
                    }
                });
            }
            // One that has started for sure, and never ends.
            let me = corun::current();
            corun::spawn(move || {
                me.unpark();
                loop {
                    corun::yield_now();
                }
            });
            corun::park();
            println!("main returns");
        }
        Some("workers") => println!("{}", workers()),
        // The runtime of main is the default one for the whole program.
        Some("plain-thread") => {
            let count = std::thread::spawn(|| corun::spawn(workers).join().unwrap())
                .join()
                .unwrap();
            println!("{count}");
        }
        #[cfg(unix)]
        Some("fork") => {
            // SAFETY: the child returns from main, as a forked child of a program with corun may.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                return Ok(ExitCode::from(9));
            }
            let mut status = 0;
            // SAFETY: waits for the child from above.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            println!("the child has ended with {}", libc::WEXITSTATUS(status));
        }
        // Run by `cargo test`, with or without arguments of libtest's.
        _ => check_all(),
    }
    Ok(ExitCode::SUCCESS)
}
