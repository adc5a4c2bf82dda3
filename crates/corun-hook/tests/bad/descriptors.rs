//! There are no descriptors left.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;

use crate::{connection, in_child, let_others_wait, on_one_worker};

/// Uses up all that the process may have, and returns them.
fn use_up() -> Vec<std::fs::File> {
    let limit = libc::rlimit {
        rlim_cur: 200,
        rlim_max: 200,
    };
    // SAFETY: a limit.
    assert_eq!(
        // SAFETY: the arguments are what the call wants, and as long as they say.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) },
        0
    );
    let mut all = Vec::new();
    loop {
        match std::fs::File::open("/dev/null") {
            Ok(file) => all.push(file),
            Err(failed) => {
                assert_eq!(failed.raw_os_error(), Some(libc::EMFILE));
                return all;
            }
        }
    }
}

#[test]
fn accepting_says_so_and_goes_on_later() {
    in_child("descriptors::accepting_says_so_and_goes_on_later", || {
        on_one_worker(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let mut all = use_up();
            all.pop();
            // It takes the last one.
            let mut client = TcpStream::connect(address).unwrap();
            assert_eq!(
                listener.accept().unwrap_err().raw_os_error(),
                Some(libc::EMFILE)
            );
            all.pop();
            let (mut server, _) = listener.accept().unwrap();
            let reader = corun::spawn(move || client.read_exact(&mut [0]).unwrap());
            let_others_wait();
            server.write_all(b"x").unwrap();
            reader.join().unwrap();
        });
    });
}

#[test]
fn waiting_for_several_goes_on_by_a_thread() {
    in_child(
        "descriptors::waiting_for_several_goes_on_by_a_thread",
        || {
            on_one_worker(|| {
                let (mut one, other) = connection();
                let (two, another) = connection();
                let all = use_up();
                let poller = corun::spawn(move || {
                    let mut fds = [&other, &another].map(|socket| libc::pollfd {
                        fd: socket.as_raw_fd(),
                        events: libc::POLLIN,
                        revents: 0,
                    });
                    // SAFETY: two entries.
                    let ready = unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) };
                    (ready, fds[0].revents, fds[1].revents)
                });
                let_others_wait();
                one.write_all(b"x").unwrap();
                assert_eq!(poller.join().unwrap(), (1, libc::POLLIN, 0));
                drop((two, all));
            });
        },
    );
}

#[test]
fn a_child_is_waited_for_without_one() {
    in_child("descriptors::a_child_is_waited_for_without_one", || {
        on_one_worker(|| {
            let mut child = Command::new("sleep").arg("0.1").spawn().unwrap();
            let all = use_up();
            assert!(child.wait().unwrap().success());
            let failed = Command::new("true").output().unwrap_err();
            assert!(
                failed.raw_os_error() == Some(libc::EMFILE) || failed.kind() == ErrorKind::Other
            );
            drop(all);
        });
    });
}
