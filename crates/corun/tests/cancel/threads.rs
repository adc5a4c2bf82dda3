//! Plain threads: what they wait for is cut short as in coroutines, sockets included.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use corun::CancelToken;
use corun::channel::unbounded;
#[cfg(unix)]
use corun::net::unix::UnixStream;
use corun::net::{TcpListener, TcpStream, UdpSocket};
use corun::sync::Mutex;

#[test]
fn a_plain_thread_is_cancelled() {
    let token = CancelToken::new();
    let thread = std::thread::spawn({
        let token = token.clone();
        move || {
            let (_sender, receiver) = unbounded::<()>();
            let mutex = Mutex::new(());
            let _guard = mutex.lock();
            let waits: [(&str, &dyn Fn()); 4] = [
                ("park", &corun::park),
                ("recv", &|| _ = receiver.recv()),
                ("sleep", &|| corun::sleep(Duration::from_secs(1_000))),
                ("lock", &|| drop(mutex.lock())),
            ];
            for (name, wait) in waits {
                let error = token.run(AssertUnwindSafe(wait)).expect_err(name);
                assert_eq!(error.to_string(), "cancelled: enough");
            }
        }
    });
    std::thread::yield_now();
    token.cancel_with("enough");
    thread.join().unwrap();
}

/// Something that a thread waits for at a socket, where nothing ever comes.
type SocketWait = Box<dyn Fn() + Send>;

#[cfg(unix)]
fn local_pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

#[cfg(not(unix))]
fn local_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn socket_waits() -> Vec<(&'static str, SocketWait)> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).unwrap();
    let (peer, _) = listener.accept().unwrap();
    let timed = TcpStream::connect(address).unwrap();
    timed
        .set_read_timeout(Some(Duration::from_secs(1_000)))
        .unwrap();
    let (timed_peer, _) = listener.accept().unwrap();
    let full = TcpStream::connect(address).unwrap();
    let (full_peer, _) = listener.accept().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (left, right) = local_pair();
    vec![
        ("accept", Box::new(move || drop(listener.accept()))),
        (
            "read",
            Box::new(move || {
                let _peer = &peer;
                drop((&stream).read(&mut [0]));
            }),
        ),
        (
            "read with a timeout of its own",
            Box::new(move || {
                let _peer = &timed_peer;
                drop((&timed).read(&mut [0]));
            }),
        ),
        (
            "write",
            Box::new(move || {
                let _peer = &full_peer;
                loop {
                    (&full).write_all(&[0; 65_536]).unwrap();
                }
            }),
        ),
        (
            "recv_from",
            Box::new(move || drop(socket.recv_from(&mut [0]))),
        ),
        (
            "a local socket",
            Box::new(move || {
                let _right = &right;
                drop((&left).read(&mut [0]));
            }),
        ),
    ]
}

/// The thread is in the kernel's `poll`, as far as the system tells; elsewhere it may be on its way there, which must do no harm.
fn until_it_polls(thread: i32) {
    let path = format!("/proc/self/task/{thread}/syscall");
    // 7 is `poll` and 271 `ppoll` on x86-64; 73 `ppoll` on aarch64. Where it may not be read, there is nothing to wait for.
    while let Ok(call) = std::fs::read_to_string(&path)
        && !["7 ", "271 ", "73 "]
            .iter()
            .any(|poll| call.starts_with(poll))
        && call.trim() != ""
    {
        std::thread::yield_now();
    }
}

fn thread_id() -> i32 {
    #[cfg(target_os = "linux")]
    // SAFETY: no preconditions.
    return unsafe { libc::gettid() };
    #[cfg(not(target_os = "linux"))]
    0
}

/// While it waits, or before.
#[test]
fn a_plain_thread_that_waits_for_a_socket_is_cancelled() {
    for while_it_waits in [true, false] {
        for (name, wait) in socket_waits() {
            let token = CancelToken::new();
            let (send, receive) = std::sync::mpsc::channel();
            let thread = std::thread::spawn({
                let token = token.clone();
                move || {
                    send.send(thread_id()).unwrap();
                    let error = token.run(AssertUnwindSafe(&wait)).expect_err(name);
                    assert_eq!(error.to_string(), "cancelled: enough");
                    // Neither the next wait nor one outside is disturbed by what rang before.
                    let again = corun::timeout(Duration::from_millis(2), AssertUnwindSafe(&wait));
                    assert!(again.is_err(), "{name}");
                }
            });
            let id = receive.recv().unwrap();
            if while_it_waits {
                until_it_polls(id);
            }
            token.cancel_with("enough");
            thread.join().unwrap();
        }
    }
}

/// The closure of a scope ends with its child, on a thread as well.
#[test]
fn a_child_that_panics_ends_the_wait_of_its_parent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let parent = thread_id();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        corun::scope(|scope| {
            drop(scope.spawn(move || {
                until_it_polls(parent);
                resume_unwind(Box::new("the child's"));
            }));
            drop(listener.accept());
        });
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"the child's"));
}

/// What is hidden by a shield rings, and does not end the wait; data does.
#[test]
fn a_shielded_thread_waits_on_for_its_socket() {
    let (left, right) = local_pair();
    let token = CancelToken::new();
    let (send, receive) = std::sync::mpsc::channel();
    let thread = std::thread::spawn({
        let token = token.clone();
        move || {
            send.send(thread_id()).unwrap();
            token.run(|| {
                let mut byte = [0];
                corun::shield(|| (&left).read_exact(&mut byte)).unwrap();
                assert_eq!(byte, [7]);
                send.send(0).unwrap();
                drop((&left).read(&mut byte));
            })
        }
    });
    until_it_polls(receive.recv().unwrap());
    token.cancel();
    (&right).write_all(&[7]).unwrap();
    assert_eq!(receive.recv().unwrap(), 0, "the shield held");
    assert!(thread.join().unwrap().is_err());
}
