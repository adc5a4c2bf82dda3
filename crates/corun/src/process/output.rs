//! Reading both pipes of a child at once, so that it never waits for the one that is not read.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::task::Poll;

use rustix::io::Errno;

use super::{ChildStderr, ChildStdout};
use crate::cancel::limit::Limit;
use crate::reactor::Direction;
use crate::scheduler::in_coroutine;

/// How much is read at once, at the least: what a pipe holds.
const CHUNK: usize = 64 << 10;

pub(super) fn read_both(
    stdout: Option<ChildStdout>,
    out: &mut Vec<u8>,
    stderr: Option<ChildStderr>,
    err: &mut Vec<u8>,
) -> io::Result<()> {
    let (mut stdout, mut stderr) = (stdout, stderr);
    loop {
        if let Some(pipe) = &stdout
            && drain(pipe.as_fd(), out)?
        {
            stdout = None;
        }
        if let Some(pipe) = &stderr
            && drain(pipe.as_fd(), err)?
        {
            stderr = None;
        }
        match (&stdout, &stderr) {
            (None, None) => return Ok(()),
            (Some(pipe), None) => pipe.descriptor().readable()?,
            (None, Some(pipe)) => pipe.descriptor().readable()?,
            (Some(one), Some(other)) => wait_for_either(one, other)?,
        }
    }
}

/// Reads what there is. Returns whether that was the end.
fn drain(pipe: BorrowedFd<'_>, into: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        into.reserve(CHUNK);
        match rustix::io::read(pipe, rustix::buffer::spare_capacity(into)) {
            Ok(0) => return Ok(true),
            Ok(_) => crate::scheduler::safepoint(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

fn wait_for_either(one: &ChildStdout, other: &ChildStderr) -> io::Result<()> {
    if !in_coroutine() {
        let limit = Limit::for_io(None);
        let pipes = [one.as_fd(), other.as_fd()];
        if !limit.poll(&pipes, Direction::Read)? {
            limit.expired_io()?;
        }
        return Ok(());
    }
    crate::block_on(async {
        let mut one = pin!(one.descriptor().readable_async());
        let mut other = pin!(other.descriptor().readable_async());
        poll_fn(|cx| match one.as_mut().poll(cx) {
            Poll::Pending => other.as_mut().poll(cx),
            ready => ready,
        })
        .await
    })
}
