//! The pipes to a child: waited for as sockets are, and changing hands.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use corun::process::{ChildStdin, ChildStdout, Command, Stdio};

use crate::common::everywhere;

fn cat() -> (corun::process::Child, ChildStdin, ChildStdout) {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (child, stdin, stdout)
}

fn is_nonblocking(pipe: impl AsFd) -> bool {
    // SAFETY: asks for the flags of an open descriptor.
    let flags = unsafe {
        libc::fcntl(
            std::os::fd::AsRawFd::as_raw_fd(&pipe.as_fd()),
            libc::F_GETFL,
        )
    };
    flags & libc::O_NONBLOCK != 0
}

#[test]
fn a_conversation_and_more_than_the_pipes_hold() {
    everywhere(|place| {
        let (mut child, mut stdin, mut stdout) = cat();
        for round in 0..100_u8 {
            stdin.write_all(&[round; 10]).unwrap();
            let mut back = [0; 10];
            stdout.read_exact(&mut back).unwrap();
            assert_eq!(back, [round; 10]);
        }
        let writer = place.spawn(move || stdin.write_all(&vec![7; 1 << 20]));
        let mut whole = Vec::new();
        stdout.read_to_end(&mut whole).unwrap();
        writer.join().unwrap();
        assert!(whole.len() == 1 << 20 && whole.iter().all(|byte| *byte == 7));
        assert!(child.wait().unwrap().success());
    });
}

#[corun::test(workers = [1, 2, 8])]
fn others_go_on_while_one_waits() {
    let (mut child, mut stdin, mut stdout) = cat();
    let reader = corun::spawn(move || {
        let mut byte = [0];
        stdout.read_exact(&mut byte).map(|()| byte[0])
    });
    let waiter = corun::spawn(move || child.wait());
    for _ in 0..1000 {
        corun::spawn(corun::yield_now).join().unwrap();
    }
    assert!(!reader.is_finished() && !waiter.is_finished());
    stdin.write_all(&[42]).unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), 42);
    drop(stdin);
    assert!(waiter.join().unwrap().unwrap().success());
}

#[corun::test(workers = [1, 2, 8])]
fn a_cancelled_read_takes_nothing() {
    let (mut child, mut stdin, mut stdout) = cat();
    for round in 0..50_u8 {
        let mut buffer = [0xAA_u8; 16];
        let read = corun::timeout(Duration::from_micros(200), || stdout.read(&mut buffer));
        assert!(read.is_err());
        assert_eq!(buffer, [0xAA; 16]);
        stdin.write_all(&[round; 4]).unwrap();
        stdout.read_exact(&mut buffer[..4]).unwrap();
        assert_eq!(buffer[..4], [round; 4]);
    }
    drop(stdin);
    child.wait().unwrap();
}

#[corun::test(workers = [1, 2])]
fn a_write_to_a_child_that_reads_nothing_can_be_cancelled() {
    let mut child = Command::new("sleep")
        .arg("1000")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let full = corun::timeout(Duration::from_millis(5), || stdin.write_all(&[0; 1 << 20]));
    assert!(full.is_err());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        stdin.write(b"x").unwrap_err().kind(),
        std::io::ErrorKind::BrokenPipe
    );
}

#[test]
fn who_gets_a_pipe_gets_it_in_blocking_mode() {
    everywhere(|_| {
        let (mut child, stdin, stdout) = cat();
        assert!(is_nonblocking(&stdin) && is_nonblocking(&stdout));
        let mut stdin = std::process::ChildStdin::from(stdin);
        let stdout = OwnedFd::from(stdout);
        assert!(!is_nonblocking(&stdin) && !is_nonblocking(&stdout));
        stdin.write_all(b"through std").unwrap();
        drop(stdin);
        let mut stdout = ChildStdout::from(stdout);
        assert!(is_nonblocking(&stdout));
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through std");
        child.wait().unwrap();
    });
}

#[test]
fn a_child_of_stds_can_be_taken_over() {
    everywhere(|_| {
        let child = std::process::Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut child = corun::process::Child::from(child);
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"taken over")
            .unwrap();
        assert_eq!(child.wait_with_output().unwrap().stdout, b"taken over");
    });
}
