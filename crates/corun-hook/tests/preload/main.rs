//! The shared library, before programs in C that know nothing of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Compiles a program of this folder, once for each test that wants it.
fn compile(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/preload")
        .join(name);
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace(".c", ""));
    let compiled = Command::new("cc")
        .args([
            "-O2",
            "-D_FORTIFY_SOURCE=2",
            "-Wall",
            "-Werror",
            "-pthread",
            "-o",
        ])
        .args([&program, &source])
        .status()
        .expect("a C compiler");
    assert!(compiled.success());
    program
}

/// Cargo builds the library beside the tests.
fn library() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(1).unwrap().join("libcorun_hook.so")
}

/// What the server says in the end about its threads, and about bytes in three ways.
fn serve(threads_are_coroutines: bool, connections: usize) -> Vec<u64> {
    let program = compile("server.c");
    let mut command = Command::new(&program);
    command.arg(connections.to_string()).stdout(Stdio::piped());
    if threads_are_coroutines {
        command
            .env("LD_PRELOAD", library())
            .env("CORUN_HOOK_THREADS", "1")
            .env("CORUN_WORKERS", "2");
    }
    let mut server = command.spawn().unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let port: u16 = line
        .trim()
        .strip_prefix("port ")
        .expect("its port")
        .parse()
        .unwrap();
    let mut clients: Vec<_> = (0..connections)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client
                .write_all(&vec![round as u8; number % 10 + 1])
                .unwrap();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let mut answer = vec![9; number % 10 + 1];
            client.read_exact(&mut answer).unwrap();
            assert!(answer.iter().all(|&byte| byte == round as u8));
        }
    }
    drop(clients);
    line.clear();
    said.read_line(&mut line).unwrap();
    assert!(server.wait().unwrap().success());
    line.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

#[test]
fn a_thread_for_each_connection_is_a_coroutine_for_each() {
    let connections = 500;
    let bytes: u64 = (0..connections).map(|number| 3 * (number % 10 + 1)).sum();
    let with_threads = serve(false, connections as usize);
    assert_eq!(with_threads, [connections + 1, bytes, bytes, connections]);
    let with_coroutines = serve(true, connections as usize);
    assert_eq!(with_coroutines[1..], with_threads[1..]);
    assert!(with_coroutines[0] < 12, "{} threads", with_coroutines[0]);
}
