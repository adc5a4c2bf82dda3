//! Child processes.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{check, errno, on_one_worker};

#[test]
fn many_children_at_once() {
    on_one_worker(|| {
        let start = Instant::now();
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                corun::spawn(move || {
                    let status = Command::new("sh")
                        .args(["-c", &format!("sleep 0.5; exit {number}")])
                        .status()
                        .unwrap();
                    assert_eq!(status.code(), Some(number));
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(500));
        assert!(
            start.elapsed() < Duration::from_secs(8),
            "one after the other"
        );
    });
}

#[test]
fn pipes_to_and_from_a_child() {
    on_one_worker(|| {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut into = child.stdin.take().unwrap();
        let mut out = child.stdout.take().unwrap();
        let writer = corun::spawn(move || into.write_all(&[7; 500_000]).unwrap());
        let mut got = Vec::new();
        out.read_to_end(&mut got).unwrap();
        writer.join().unwrap();
        assert_eq!(got.len(), 500_000);
        assert!(child.wait().unwrap().success());
        let output = Command::new("sh")
            .args(["-c", "echo out; echo err >&2"])
            .output()
            .unwrap();
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b"out\n"[..], &b"err\n"[..])
        );
    });
}

#[test]
fn fork_and_exec_by_hand_and_a_child_that_is_not_ours() {
    on_one_worker(|| {
        let program = c"/bin/true";
        // SAFETY: the child calls nothing but `execv` and `_exit`.
        let child = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::execv(
                    program.as_ptr(),
                    [program.as_ptr(), std::ptr::null()].as_ptr(),
                );
                libc::_exit(127);
            }
            child
        };
        let mut status = -1;
        // SAFETY: a number is written.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        // SAFETY: as above.
        assert!(check(unsafe { libc::waitpid(child, &raw mut status, 0) } as isize).is_err());
        assert_eq!(errno(), libc::ECHILD);
    });
}
