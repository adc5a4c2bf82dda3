//! Running out of descriptors: accept reports it, and goes on once some are free.

mod child;

use std::io::{Read, Write};
use std::time::Duration;

use corun::net::{TcpListener, TcpStream, UdpSocket};

const CHILD: &str = "CORUN_TEST_OUT_OF_DESCRIPTORS";

/// The limit belongs to the process, so the test runs in one of its own.
#[test]
fn accept_goes_on_once_descriptors_are_free() {
    if std::env::var_os(CHILD).is_some() {
        return in_child();
    }
    let output = child::program()
        .args([
            "--exact",
            "accept_goes_on_once_descriptors_are_free",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn in_child() {
    let runtime = corun::Runtime::builder().workers(2).build().unwrap();
    runtime.block_on(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Wait once, so that the listener is registered and the events of the connections below are consumed while it fails.
        let first = corun::spawn(move || TcpStream::connect(address).unwrap());
        let mut served = vec![listener.accept().unwrap().0];
        let mut clients = vec![first.join().unwrap()];

        let limit = libc::rlimit {
            rlim_cur: 64,
            rlim_max: 64,
        };
        // SAFETY: passes a valid structure.
        let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        assert_eq!(result, 0);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Connections that are not accepted yet, and the last descriptors.
        for _ in 0..8 {
            clients.push(TcpStream::connect(address).unwrap());
        }
        let mut hoard = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }
        for _ in 0..3 {
            let error = listener.accept().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            corun::sleep(Duration::from_millis(1));
        }
        // A plain thread that could not be got out of its wait by a cancellation does not begin to wait.
        let socket = std::thread::spawn(move || {
            let result = corun::cancel_scope(|_| socket.recv_from(&mut [0]));
            let error = result.unwrap().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            socket
        })
        .join()
        .unwrap();
        // No new connection, hence no new event: the calls themselves must find those that wait.
        drop(hoard);
        let waiting = std::thread::spawn(move || {
            corun::timeout(Duration::from_millis(1), || {
                drop(socket.recv_from(&mut [0]))
            })
        });
        assert!(waiting.join().unwrap().is_err(), "it waits again");
        for _ in 0..8 {
            served.push(listener.accept().unwrap().0);
        }
        for (mut client, mut server) in clients.into_iter().zip(served) {
            server.write_all(b"x").unwrap();
            drop(server);
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            assert_eq!(text, "x");
        }
    });
}
