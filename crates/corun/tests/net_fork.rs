//! A forked child uses sockets that the parent's reactors watch, and leaves the parent undisturbed.

mod child;

use std::time::Duration;

use corun::net::UdpSocket;

/// Runs the body in a forked child; returns whether it ended as it should.
fn in_child(body: impl FnOnce() + std::panic::UnwindSafe) -> bool {
    // SAFETY: the child uses what the library promises to work there, and leaves by `_exit`.
    unsafe {
        match libc::fork() {
            0 => {
                let result = std::panic::catch_unwind(body);
                libc::_exit(i32::from(result.is_err()));
            }
            child => {
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
                libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
            }
        }
    }
}

#[test]
fn sockets_work_on_both_sides_of_a_fork() {
    // QEMU fails an assertion of its own when the child of a fork starts a thread.
    if child::is_emulated() {
        return;
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let runtime = corun::Runtime::builder().workers(1).build().unwrap();
    // Have it registered with the parent's reactor.
    socket
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let socket = runtime.block_on(move || {
        socket.recv(&mut [0]).unwrap_err();
        socket
    });
    socket.set_read_timeout(None).unwrap();

    let clone = socket.try_clone().unwrap();
    let good = in_child(std::panic::AssertUnwindSafe(|| {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"thread", address).unwrap();
        assert_eq!(socket.recv(&mut [0; 16]).unwrap(), 6);
        let runtime = corun::Runtime::builder().workers(1).build().unwrap();
        runtime.block_on(move || {
            let receiver = corun::spawn(move || socket.recv(&mut [0; 16]).unwrap());
            corun::yield_now();
            sender.send_to(b"coroutine", address).unwrap();
            // The receiver drops its socket in the child, too.
            assert_eq!(receiver.join().unwrap(), 9);
        });
    }));
    assert!(good, "the child failed");

    let good = runtime.block_on(move || {
        let receiver = corun::spawn(move || clone.recv(&mut [0; 16]).unwrap());
        corun::yield_now();
        UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .send_to(b"parent", address)
            .unwrap();
        receiver.join().unwrap() == 6
    });
    assert!(good);
}
