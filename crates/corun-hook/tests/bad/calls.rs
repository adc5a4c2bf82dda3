//! A call that cannot be hooked.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;

use crate::in_child;

/// A `read` that goes to the kernel past the C library.
#[inline(never)]
fn a_read_that_nobody_sees(fd: i32) {
    let mut byte = 0u8;
    // SAFETY: one byte.
    let count = unsafe { libc::syscall(libc::SYS_read, fd, &raw mut byte, 1) };
    assert_eq!(count, 1);
}

#[test]
fn is_named_by_the_watch_thread() {
    in_child("calls::is_named_by_the_watch_thread", || {
        // SAFETY: nothing here relies on a thread that blocks.
        unsafe { corun_hook::install() };
        let (tell, told) = mpsc::channel();
        let runtime = corun::Runtime::builder()
            .workers(1)
            .on_stall(move |stall| {
                tell.send((
                    stall.coroutine().name().map(String::from),
                    stall.backtrace().to_string(),
                ))
                .unwrap();
            })
            .build()
            .unwrap();
        let (out, mut into) = std::io::pipe().unwrap();
        let helper = thread::spawn(move || {
            let report = told.recv().unwrap();
            into.write_all(b"x").unwrap();
            report
        });
        let reader = corun::Builder::new()
            .name("unseen".into())
            .spawn_on(runtime.handle(), move || {
                a_read_that_nobody_sees(out.as_raw_fd())
            })
            .unwrap();
        reader.join().unwrap();
        let (name, backtrace) = helper.join().unwrap();
        assert_eq!(name.as_deref(), Some("unseen"));
        assert!(backtrace.contains("a_read_that_nobody_sees"), "{backtrace}");
    });
}
