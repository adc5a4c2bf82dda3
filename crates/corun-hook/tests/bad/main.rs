//! Bad days. Each test is a process of its own, since what goes wrong there concerns all of it.

#[path = "../both/mod.rs"]
mod both;
mod calls;
mod channels;
mod descriptors;
mod forks;
mod identity;
mod pool;
mod signals;

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use both::{connection, let_others_wait};

/// How long a test may take: so long that it is over only if it never is.
const LIMIT: Duration = Duration::from_secs(60);
const CHILD: &str = "CORUN_HOOK_TEST_CHILD";

/// Runs `body` in a process of its own, and returns what that has said. `name` is that of the calling test.
#[track_caller]
fn in_child(name: &str, body: impl FnOnce()) -> Output {
    if std::env::var_os(CHILD).is_some() {
        thread::spawn(|| {
            thread::sleep(LIMIT);
            eprintln!("no end after {LIMIT:?}");
            std::process::exit(101);
        });
        body();
        std::io::stderr().flush().unwrap();
        std::process::exit(0);
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stderr)
    );
    child
}

/// Runs `body` in a coroutine of a runtime with one worker, with the hooks installed.
fn on_one_worker<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    // SAFETY: nothing in these tests relies on a thread that blocks.
    unsafe { corun_hook::install() };
    corun::Runtime::builder()
        .workers(1)
        .build()
        .unwrap()
        .block_on(body)
}

/// Both ends on one worker: it works if neither blocks.
fn there_and_back() {
    let (mut client, mut server) = connection();
    let echo = corun::spawn(move || {
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        server.write_all(&byte).unwrap();
    });
    corun::yield_now();
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    echo.join().unwrap();
}

#[test]
fn without_a_runtime_everything_is_as_it_was() {
    in_child("without_a_runtime_everything_is_as_it_was", || {
        // SAFETY: nothing runs in coroutines.
        unsafe {
            corun_hook::install();
            corun_hook::install();
        }
        let (mut client, mut server) = connection();
        let echo = thread::spawn(move || {
            let mut byte = [0];
            server.read_exact(&mut byte).unwrap();
            server.write_all(&byte).unwrap();
        });
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
        echo.join().unwrap();
        let (tell, told) = mpsc::channel();
        let teller = thread::spawn(move || tell.send(1).unwrap());
        assert_eq!(told.recv(), Ok(1));
        teller.join().unwrap();
        assert!(Command::new("true").status().unwrap().success());
        assert!(std::fs::read("/proc/self/stat").is_ok());
    });
}

#[test]
fn before_they_are_installed_calls_block_the_worker_and_afterwards_they_do_not() {
    in_child(
        "before_they_are_installed_calls_block_the_worker_and_afterwards_they_do_not",
        || {
            let runtime = corun::Runtime::builder().workers(1).build().unwrap();
            runtime.block_on(|| {
                // It has begun, and so only this worker can run it.
                let other = corun::spawn(corun::park);
                let_others_wait();
                other.coroutine().unpark();
                thread::sleep(Duration::from_millis(5));
                assert!(!other.is_finished());
                // SAFETY: nothing here relies on a thread that blocks.
                unsafe { corun_hook::install() };
                thread::sleep(Duration::from_millis(5));
                assert!(other.is_finished());
                there_and_back();
            });
        },
    );
}
