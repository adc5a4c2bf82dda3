//! The calls on sockets that std does not make.

use std::ffi::c_int;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Duration;
use std::{mem, ptr, thread};

use libc::{iovec, mmsghdr, msghdr};

use crate::common::{check, connection, let_others_wait, on_one_worker};

fn vectors(parts: &mut [Vec<u8>]) -> Vec<iovec> {
    parts
        .iter_mut()
        .map(|part| iovec {
            iov_base: part.as_mut_ptr().cast(),
            iov_len: part.len(),
        })
        .collect()
}

fn message(vectors: &mut [iovec]) -> msghdr {
    // SAFETY: a plain structure of numbers and pointers that may be null.
    let mut message: msghdr = unsafe { mem::zeroed() };
    message.msg_iov = vectors.as_mut_ptr();
    message.msg_iovlen = vectors.len();
    message
}

#[test]
fn vectors_are_filled_and_emptied_as_far_as_is_asked() {
    on_one_worker(|| {
        let (client, mut server) = connection();
        let fd = client.as_raw_fd();
        let writer = corun::spawn(move || {
            let mut parts: Vec<_> = (0..100u8).map(|n| vec![n; 50_000]).collect();
            let all = vectors(&mut parts);
            // SAFETY: the vectors are as long as they say.
            let count = check(unsafe { libc::writev(fd, all.as_ptr(), all.len() as c_int) });
            drop(client);
            count.unwrap()
        });
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        assert_eq!(writer.join().unwrap(), 5_000_000);
        assert_eq!(got.len(), 5_000_000);
        assert!(
            got.iter()
                .enumerate()
                .all(|(at, &byte)| usize::from(byte) == at / 50_000)
        );
    });
}

#[test]
fn readv_takes_what_there_is() {
    on_one_worker(|| {
        let (client, mut server) = connection();
        let reader = corun::spawn(move || {
            let mut parts = [vec![0; 3], vec![0; 10]];
            let all = vectors(&mut parts);
            // SAFETY: as above.
            let count = check(unsafe { libc::readv(client.as_raw_fd(), all.as_ptr(), 2) });
            (count.unwrap(), parts)
        });
        let_others_wait();
        server.write_all(b"hello").unwrap();
        let (count, parts) = reader.join().unwrap();
        assert_eq!(count, 5);
        assert_eq!((&parts[0][..], &parts[1][..2]), (&b"hel"[..], &b"lo"[..]));
    });
}

#[test]
fn waitall_waits_for_all_and_the_end_cuts_it_short() {
    on_one_worker(|| {
        let (client, mut server) = connection();
        let read = move |size: usize| {
            let mut buffer = vec![0u8; size];
            // SAFETY: the buffer is as long as it says.
            let count = check(unsafe {
                libc::recv(
                    client.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    size,
                    libc::MSG_WAITALL,
                )
            });
            buffer.truncate(count.unwrap());
            buffer
        };
        let reader = corun::spawn(move || (read(10), read(10)));
        for part in [&b"abc"[..], b"defg", b"hij", b"kl"] {
            let_others_wait();
            server.write_all(part).unwrap();
        }
        let_others_wait();
        drop(server);
        assert_eq!(
            reader.join().unwrap(),
            (b"abcdefghij".to_vec(), b"kl".to_vec())
        );
    });
}

#[test]
fn recvmsg_waitall_goes_through_its_vectors() {
    on_one_worker(|| {
        let (client, mut server) = connection();
        let reader = corun::spawn(move || {
            let mut parts = [vec![0; 3], vec![0; 4], vec![0; 3]];
            let mut all = vectors(&mut parts);
            let mut message = message(&mut all);
            // SAFETY: the message is made of those vectors.
            let count = check(unsafe {
                libc::recvmsg(client.as_raw_fd(), &raw mut message, libc::MSG_WAITALL)
            });
            (count.unwrap(), parts.concat())
        });
        for part in [&b"ab"[..], b"cdef", b"ghij"] {
            let_others_wait();
            server.write_all(part).unwrap();
        }
        assert_eq!(reader.join().unwrap(), (10, b"abcdefghij".to_vec()));
    });
}

#[test]
fn several_messages_in_one_call() {
    on_one_worker(|| {
        let [one, two] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        one.connect(two.local_addr().unwrap()).unwrap();
        let receive = |fd: c_int, flags: c_int, timeout: Option<Duration>| {
            let mut parts = vec![vec![0; 20]; 5];
            let mut all = vectors(&mut parts);
            let mut messages: Vec<_> = all
                .chunks_mut(1)
                .map(|vector| mmsghdr {
                    msg_hdr: message(vector),
                    msg_len: 0,
                })
                .collect();
            let mut time = timeout.map(|time| libc::timespec {
                tv_sec: time.as_secs() as i64,
                tv_nsec: time.subsec_nanos().into(),
            });
            let time = time.as_mut().map_or(ptr::null_mut(), |time| &raw mut *time);
            // SAFETY: five messages, each of a vector.
            let count = unsafe { libc::recvmmsg(fd, messages.as_mut_ptr(), 5, flags, time) };
            let count = check(count as isize);
            count.map(|count| {
                messages[..count]
                    .iter()
                    .map(|message| message.msg_len)
                    .collect::<Vec<_>>()
            })
        };
        let fd = two.as_raw_fd();
        let (tell, told) = corun::channel::bounded(1);
        let receiver = corun::spawn(move || {
            let at_least_one = receive(fd, libc::MSG_WAITFORONE, None).unwrap();
            tell.send(()).unwrap();
            let all = receive(fd, 0, None).unwrap();
            let in_time = receive(fd, 0, Some(Duration::from_millis(20)));
            (at_least_one, all, in_time.unwrap_err().raw_os_error())
        });
        let_others_wait();
        one.send(b"1").unwrap();
        // The call takes what there is: all that is sent before it returns, however often others are let run.
        told.recv().unwrap();
        let mut parts: Vec<_> = (1..=5).map(|size| vec![0; size]).collect();
        let mut all = vectors(&mut parts);
        let mut messages: Vec<_> = all
            .chunks_mut(1)
            .map(|vector| mmsghdr {
                msg_hdr: message(vector),
                msg_len: 0,
            })
            .collect();
        for message in messages.chunks_mut(2) {
            // SAFETY: as many messages as it says.
            let sent = unsafe {
                libc::sendmmsg(
                    one.as_raw_fd(),
                    message.as_mut_ptr(),
                    message.len() as u32,
                    0,
                )
            };
            assert_eq!(sent as usize, message.len());
            let_others_wait();
        }
        assert_eq!(
            receiver.join().unwrap(),
            (vec![1], vec![1, 2, 3, 4, 5], Some(libc::EAGAIN))
        );
    });
}

#[test]
fn a_file_is_sent_and_spliced_through_a_pipe() {
    on_one_worker(|| {
        let path = std::env::temp_dir().join(format!("corun-hook-sendfile-{}", std::process::id()));
        let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 241) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let (client, server) = connection();
        let size = content.len();
        let sender = corun::spawn(move || {
            // SAFETY: no offset.
            let count = check(unsafe {
                libc::sendfile(
                    client.as_raw_fd(),
                    file.as_raw_fd(),
                    ptr::null_mut(),
                    size + 5,
                )
            });
            count.unwrap()
        });
        let (mut out, into) = std::io::pipe().unwrap();
        let splicer = corun::spawn(move || {
            let mut moved = 0;
            loop {
                // SAFETY: no offsets.
                let count = check(unsafe {
                    libc::splice(
                        server.as_raw_fd(),
                        ptr::null_mut(),
                        into.as_raw_fd(),
                        ptr::null_mut(),
                        1 << 20,
                        0,
                    )
                });
                match count.unwrap() {
                    0 => return moved,
                    count => moved += count,
                }
            }
        });
        let mut got = Vec::new();
        out.read_to_end(&mut got).unwrap();
        assert_eq!(
            (sender.join().unwrap(), splicer.join().unwrap()),
            (size, size)
        );
        assert!(got == content);
        std::fs::remove_file(path).unwrap();
    });
}

/// A file of so many bytes, whose name is gone.
fn file_of(size: u32, name: &str) -> (std::fs::File, Vec<u8>) {
    let path = std::env::temp_dir().join(format!("corun-hook-{name}-{}", std::process::id()));
    let content: Vec<u8> = (0..size).map(|n| (n % 241) as u8).collect();
    std::fs::write(&path, &content).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    (file, content)
}

#[test]
fn sendfile_keeps_its_offset_or_that_of_the_file() {
    on_one_worker(|| {
        let (mut file, content) = file_of(400_000, "offsets");
        let (client, server) = connection();
        let (mut out, into) = std::io::pipe().unwrap();
        let send = |to: c_int, offset: Option<&mut i64>, count: usize| {
            let offset = offset.map_or(ptr::null_mut(), |offset| &raw mut *offset);
            // SAFETY: the offset is there, or none.
            check(unsafe { libc::sendfile(to, file.as_raw_fd(), offset, count) })
        };
        let mut reader = server.try_clone().unwrap();
        let read = corun::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        let to = client.as_raw_fd();
        let mut offset = 100;
        assert_eq!(send(to, Some(&mut offset), 300_000).unwrap(), 300_000);
        assert_eq!(offset, 300_100);
        assert_eq!(send(to, Some(&mut offset), 300_000).unwrap(), 99_900);
        assert_eq!(send(to, Some(&mut offset), 300_000).unwrap(), 0);
        assert_eq!(offset, 400_000);
        // That of the file is where it was, and goes on by what is sent, to whatever.
        assert_eq!(send(to, None, 10).unwrap(), 10);
        assert_eq!(send(into.as_raw_fd(), None, 5).unwrap(), 5);
        assert_eq!(send(to, None, 0).unwrap(), 0);
        let mut five = [0; 5];
        out.read_exact(&mut five).unwrap();
        assert_eq!(five, content[10..15]);
        // What cannot be.
        let code = |result: std::io::Result<usize>| result.unwrap_err().raw_os_error();
        assert_eq!(code(send(to, Some(&mut -1), 5)), Some(libc::EINVAL));
        assert_eq!(code(send(-1, None, 5)), Some(libc::EBADF));
        drop(client);
        let expected = [&content[100..], &content[..10]].concat();
        assert!(read.join().unwrap() == expected);
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).unwrap();
        assert!(rest == content[15..]);
    });
}

/// A thread that reads from the socket meanwhile finds it in the mode in which the program has left it.
#[test]
fn sendfile_disturbs_nobody_who_reads_from_the_socket() {
    on_one_worker(|| {
        let (file, content) = file_of(100_000, "undisturbed");
        let (client, server) = connection();
        let same = client.try_clone().unwrap();
        let reader = thread::spawn(move || {
            for _ in 0..2000 {
                (&same).read_exact(&mut [0]).unwrap();
            }
        });
        let answers = corun::spawn(move || {
            let mut buffer = vec![0; 1000];
            for _ in 0..2000 {
                (&server).read_exact(&mut buffer).unwrap();
                (&server).write_all(b"x").unwrap();
            }
        });
        for _ in 0..2_000_000 / content.len() {
            let mut offset = 0;
            while (offset as usize) < content.len() {
                // SAFETY: the offset is there.
                let sent = check(unsafe {
                    libc::sendfile(client.as_raw_fd(), file.as_raw_fd(), &raw mut offset, 1000)
                });
                assert_eq!(sent.unwrap(), 1000);
            }
        }
        answers.join().unwrap();
        reader.join().unwrap();
    });
}

unsafe extern "C" {
    fn __read_chk(fd: c_int, buffer: *mut u8, size: usize, room: usize) -> isize;
    fn __pread_chk(fd: c_int, buffer: *mut u8, size: usize, offset: i64, room: usize) -> isize;
    fn __recv_chk(fd: c_int, buffer: *mut u8, size: usize, room: usize, flags: c_int) -> isize;
    fn __recvfrom_chk(
        fd: c_int,
        buffer: *mut u8,
        size: usize,
        room: usize,
        flags: c_int,
        address: *mut libc::sockaddr,
        length: *mut u32,
    ) -> isize;
    fn __poll_chk(fds: *mut libc::pollfd, count: u64, timeout: c_int, room: usize) -> c_int;
    fn __ppoll_chk(
        fds: *mut libc::pollfd,
        count: u64,
        timeout: *const libc::timespec,
        mask: *const libc::sigset_t,
        room: usize,
    ) -> c_int;
}

/// What programs call that were compiled with `_FORTIFY_SOURCE`.
#[test]
fn the_calls_that_check_their_buffers() {
    on_one_worker(|| {
        let (client, mut server) = connection();
        let reader = corun::spawn(move || {
            let fd = client.as_raw_fd();
            let mut buffer = [0u8; 10];
            let to = buffer.as_mut_ptr();
            let mut poll = libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            };
            let room = size_of::<libc::pollfd>();
            // SAFETY: the buffers are as long as they say.
            unsafe {
                let mut results = vec![__read_chk(fd, to, 1, 10), __recv_chk(fd, to, 1, 10, 0)];
                results.push(__recvfrom_chk(
                    fd,
                    to,
                    1,
                    10,
                    0,
                    ptr::null_mut(),
                    ptr::null_mut(),
                ));
                results.push(__poll_chk(&raw mut poll, 1, -1, room) as isize);
                results.push(__read_chk(fd, to, 1, 10));
                results
                    .push(__ppoll_chk(&raw mut poll, 1, ptr::null(), ptr::null(), room) as isize);
                let file = std::fs::File::open("/proc/self/stat").unwrap();
                results.push(__pread_chk(file.as_raw_fd(), to, 5, 0, 10));
                results
            }
        });
        for _ in 0..5 {
            let_others_wait();
            server.write_all(b"x").unwrap();
        }
        assert_eq!(reader.join().unwrap(), [1, 1, 1, 1, 1, 1, 5]);
    });
}
