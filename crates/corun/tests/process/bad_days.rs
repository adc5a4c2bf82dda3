//! No descriptors left, no pidfd, a child that dies, fork and exec by hand, pre_exec.

use std::io::{ErrorKind, Write};
use std::os::unix::process::ExitStatusExt;

use corun::process::{Command, Stdio};

use crate::bad;
use crate::common::everywhere;

/// Takes all descriptors that the process may have but `spare`.
fn take_descriptors(spare: usize) -> Vec<std::fs::File> {
    bad::set_limit(libc::RLIMIT_NOFILE, 128);
    let mut held = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        held.push(file);
    }
    held.truncate(held.len() - spare);
    held
}

#[test]
fn without_descriptors_there_is_an_error_and_children_are_waited_for_all_the_same() {
    let name =
        "bad_days::without_descriptors_there_is_an_error_and_children_are_waited_for_all_the_same";
    bad::passes_in_child(name, &[], || {
        for workers in [1, 2, 8] {
            let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
            runtime.block_on(|| {
                let children: Vec<_> = (0..20)
                    .map(|number| {
                        Command::new("sh")
                            .args(["-c", &format!("sleep 0.0{number}; exit {number}")])
                            .spawn()
                            .unwrap()
                    })
                    .collect();
                // No pidfd can be had from here on, so signals tell.
                let held = take_descriptors(0);
                let error = Command::new("true").output().map(drop).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                let waits: Vec<_> = children
                    .into_iter()
                    .map(|mut child| corun::spawn(move || child.wait()))
                    .collect();
                for (number, wait) in waits.into_iter().enumerate() {
                    assert_eq!(wait.join().unwrap().unwrap().code(), Some(number as i32));
                }
                drop(held);
                bad::set_limit(libc::RLIMIT_NOFILE, 1024);
                assert!(Command::new("true").status().unwrap().success());
            });
        }
    });
}

#[test]
fn without_pidfds_signals_tell_of_hundreds_of_children() {
    let name = "bad_days::without_pidfds_signals_tell_of_hundreds_of_children";
    bad::passes_in_child(name, &[], || {
        // What signals need is made before.
        drop(corun::signal::Signals::new([corun::signal::SignalKind::CHILD]).unwrap());
        for workers in [1, 2, 8] {
            let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
            runtime.block_on(|| {
                let children: Vec<_> = (0..300)
                    .map(|number| {
                        Command::new("sh")
                            .args(["-c", &format!("exit {}", number % 50)])
                            .spawn()
                            .unwrap()
                    })
                    .collect();
                let held = take_descriptors(0);
                corun::scope(|scope| {
                    let waits: Vec<_> = children
                        .into_iter()
                        .map(|mut child| scope.spawn(move || child.wait().unwrap().code()))
                        .collect();
                    for (number, wait) in waits.into_iter().enumerate() {
                        assert_eq!(wait.join().unwrap(), Some(number as i32 % 50));
                    }
                });
                drop(held);
                bad::set_limit(libc::RLIMIT_NOFILE, 1024);
            });
        }
    });
}

#[test]
fn a_child_that_dies_is_told_of_by_its_pipes_and_its_status() {
    everywhere(|_| {
        let mut child = Command::new("sh")
            .args(["-c", "kill -KILL $$"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let error = loop {
            if let Err(error) = stdin.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(libc::SIGKILL));
        assert!(output.stdout.is_empty());
    });
}

#[test]
fn a_grandchild_that_keeps_the_pipe_open_keeps_the_output_waiting_and_not_the_wait() {
    everywhere(|_| {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 1000 & echo $!"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(child.wait().unwrap().success());
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        let pid: i32 = line.trim().parse().unwrap();
        // SAFETY: the grandchild that was started here.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
    });
}

#[test]
fn code_before_the_program_and_its_errors() {
    everywhere(|_| {
        let mut command = Command::new("sh");
        command.args(["-c", "exit $(umask | tail -c 3)"]);
        // SAFETY: umask may be called in a signal handler.
        unsafe {
            command.pre_exec(|| {
                libc::umask(0o012);
                Ok(())
            })
        };
        assert_eq!(command.status().unwrap().code(), Some(12));
        let mut command = Command::new("true");
        // SAFETY: it does nothing.
        unsafe { command.pre_exec(|| Err(std::io::Error::from_raw_os_error(libc::EPROTO))) };
        assert_eq!(
            command.spawn().map(drop).unwrap_err().raw_os_error(),
            Some(libc::EPROTO)
        );
    });
}

#[test]
fn fork_and_exec_by_hand_from_a_coroutine() {
    everywhere(|_| {
        let program = c"/bin/sh".as_ptr();
        let arguments = [
            program,
            c"-c".as_ptr(),
            c"exit 9".as_ptr(),
            std::ptr::null(),
        ];
        // SAFETY: the child calls nothing but `execv` and `_exit`.
        let pid = unsafe {
            match libc::fork() {
                0 => {
                    libc::execv(program, arguments.as_ptr());
                    libc::_exit(1)
                }
                pid => pid,
            }
        };
        assert!(pid > 0);
        let mut status = 0;
        let ended = corun::blocking(|| {
            // SAFETY: the child that was forked above.
            unsafe { libc::waitpid(pid, &raw mut status, 0) }
        });
        assert_eq!(ended, pid);
        assert_eq!(libc::WEXITSTATUS(status), 9);
    });
}

#[corun::test(workers = [1, 2])]
fn a_child_may_be_waited_for_on_another_runtime_than_the_first() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    let _ = corun::timeout(std::time::Duration::from_millis(1), || child.wait());
    let other = std::thread::spawn(move || {
        let runtime = corun::Runtime::builder().workers(1).build().unwrap();
        runtime.block_on(|| child.wait())
    });
    drop(stdin);
    let status = corun::blocking(|| other.join().unwrap().unwrap());
    assert!(status.success());
}
