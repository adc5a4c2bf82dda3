//! Pipes: no flag of a call says for them that it should not wait, but `RWF_NOWAIT`.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;

use crate::common::{check, let_others_wait, on_one_worker};

#[test]
fn both_ends_on_one_worker() {
    on_one_worker(|| {
        let (mut out, mut into) = io::pipe().unwrap();
        let reader = corun::spawn(move || {
            let mut all = Vec::new();
            out.read_to_end(&mut all).unwrap();
            all
        });
        let_others_wait();
        let much: Vec<u8> = (0..1_000_000u32).map(|n| (n % 239) as u8).collect();
        // SAFETY: the buffer is as long as it says.
        let count =
            check(unsafe { libc::write(into.as_raw_fd(), much.as_ptr().cast(), much.len()) });
        assert_eq!(count.unwrap(), much.len());
        into.write_all(b"end").unwrap();
        drop(into);
        let got = reader.join().unwrap();
        assert!(got[..1_000_000] == much && &got[1_000_000..] == b"end");
    });
}

#[test]
fn closing_the_end_that_is_read_wakes_the_reader() {
    on_one_worker(|| {
        let (out, _into) = io::pipe().unwrap();
        let fd = std::os::fd::IntoRawFd::into_raw_fd(out);
        // SAFETY: the buffer is as long as it says.
        let reader =
            corun::spawn(move || check(unsafe { libc::read(fd, [0u8; 9].as_mut_ptr().cast(), 9) }));
        let_others_wait();
        // SAFETY: nobody else owns it.
        unsafe { libc::close(fd) };
        assert_eq!(
            reader.join().unwrap().unwrap_err().raw_os_error(),
            Some(libc::EBADF)
        );
    });
}

#[test]
fn a_pipe_that_is_broken_and_one_in_non_blocking_mode() {
    on_one_worker(|| {
        let (out, mut into) = io::pipe().unwrap();
        drop(out);
        assert_eq!(into.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        let (mut out, mut into) = io::pipe().unwrap();
        for end in [out.as_raw_fd(), into.as_raw_fd()] {
            // SAFETY: no pointers.
            assert_eq!(
                // SAFETY: the arguments are what the call wants, and as long as they say.
                unsafe { libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK) },
                0
            );
        }
        assert_eq!(
            out.read(&mut [0; 9]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let count = into.write(&vec![0; 1 << 20]).unwrap();
        assert!(count < 1 << 20);
        assert_eq!(
            into.write(&[0; 5000]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn what_is_counted_in_a_descriptor() {
    on_one_worker(|| {
        // SAFETY: a new descriptor, closed below.
        let event = unsafe { libc::eventfd(0, 0) };
        let reader = corun::spawn(move || {
            let mut value = 0u64;
            // SAFETY: eight bytes.
            check(unsafe { libc::read(event, (&raw mut value).cast(), 8) }).unwrap();
            value
        });
        let_others_wait();
        // SAFETY: eight bytes.
        check(unsafe { libc::write(event, 42u64.to_ne_bytes().as_ptr().cast(), 8) }).unwrap();
        assert_eq!(reader.join().unwrap(), 42);
        // SAFETY: as above.
        unsafe { libc::close(event) };
    });
}

#[test]
fn a_terminal() {
    on_one_worker(|| {
        let (mut master, mut slave) = (0, 0);
        // SAFETY: two descriptors are written; nothing else is asked for.
        let made = unsafe {
            libc::openpty(
                &raw mut master,
                &raw mut slave,
                std::ptr::null_mut(),
                std::ptr::null(),
                std::ptr::null(),
            )
        };
        assert_eq!(made, 0);
        let reader = corun::spawn(move || {
            let mut line = [0u8; 100];
            // SAFETY: the buffer is as long as it says.
            let count = check(unsafe { libc::read(slave, line.as_mut_ptr().cast(), 100) }).unwrap();
            line[..count].to_vec()
        });
        let_others_wait();
        // SAFETY: as above.
        check(unsafe { libc::write(master, b"a line\n".as_ptr().cast(), 7) }).unwrap();
        assert_eq!(reader.join().unwrap(), b"a line\n");
        for fd in [master, slave] {
            // SAFETY: nobody else owns them.
            unsafe { libc::close(fd) };
        }
    });
}
