//! Processes that fork.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{ptr, thread};

use crate::{connection, in_child, let_others_wait, on_one_worker, there_and_back};

/// Waits for a child of ours, and returns its exit status.
fn status_of(child: libc::pid_t) -> i32 {
    let mut status = -1;
    // SAFETY: a number is written.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        -1
    }
}

#[test]
fn the_child_is_a_plain_thread_and_nobody_waits_there() {
    in_child(
        "forks::the_child_is_a_plain_thread_and_nobody_waits_there",
        || {
            on_one_worker(|| {
                let (client, mut server) = connection();
                let fd = client.as_raw_fd();
                let reader = corun::spawn(move || (&client).read(&mut [0; 10]).unwrap());
                let mutex = std::sync::Mutex::new(());
                let_others_wait();
                // SAFETY: the child closes, uses sockets, and leaves by `_exit`; no lock that it needs is held elsewhere.
                let child = unsafe { libc::fork() };
                if child == 0 {
                    // In the child this concerns nobody.
                    // SAFETY: nothing here uses it again.
                    unsafe { libc::close(fd) };
                    drop(mutex.lock());
                    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                    let mut stream =
                        std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                    let (mut other, _) = listener.accept().unwrap();
                    other.write_all(b"abc").unwrap();
                    let mut got = [0; 3];
                    stream.read_exact(&mut got).unwrap();
                    thread::sleep(Duration::from_millis(1));
                    // SAFETY: always valid.
                    unsafe { libc::_exit(if &got == b"abc" { 7 } else { 1 }) };
                }
                assert_eq!(status_of(child), 7);
                // The parent's reader still waits, and gets what comes.
                assert!(!reader.is_finished());
                server.write_all(b"12345").unwrap();
                assert_eq!(reader.join().unwrap(), 5);
                there_and_back();
            });
        },
    );
}

#[test]
fn forks_and_execs_while_others_use_the_hooks() {
    in_child("forks::forks_and_execs_while_others_use_the_hooks", || {
        // SAFETY: nothing here relies on a thread that blocks.
        unsafe { corun_hook::install() };
        let runtime = corun::Runtime::builder().workers(4).build().unwrap();
        runtime.block_on(|| {
            let busy: Vec<_> = (0..8)
                .map(|_| {
                    corun::spawn(|| {
                        for _ in 0..50 {
                            there_and_back();
                        }
                    })
                })
                .collect();
            let forking: Vec<_> = (0..4)
                .map(|_| {
                    corun::spawn(|| {
                        for _ in 0..5 {
                            // SAFETY: the child calls `close`, through the hooks, then `execv` or `_exit`.
                            let child = unsafe { libc::fork() };
                            if child == 0 {
                                let program = c"/bin/true";
                                // SAFETY: as above.
                                unsafe {
                                    for fd in 3..200 {
                                        libc::close(fd);
                                    }
                                    libc::execv(
                                        program.as_ptr(),
                                        [program.as_ptr(), ptr::null()].as_ptr(),
                                    );
                                    libc::_exit(127);
                                }
                            }
                            assert_eq!(status_of(child), 0);
                            let output = Command::new("cat").stdin(Stdio::null()).output().unwrap();
                            assert!(output.status.success());
                        }
                    })
                })
                .collect();
            for task in busy.into_iter().chain(forking) {
                task.join().unwrap();
            }
        });
    });
}
