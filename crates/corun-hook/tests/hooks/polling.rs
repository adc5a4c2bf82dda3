//! Waiting for one of several descriptors.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;
use std::{mem, ptr};

use libc::{epoll_event, fd_set, pollfd};

use crate::common::{check, connection, let_others_wait, on_one_worker, takes_at_least};

const TIME: Duration = Duration::from_millis(20);

fn poll(fds: &mut [pollfd], timeout: i32) -> usize {
    // SAFETY: as many as there are.
    check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as u64, timeout) } as isize).unwrap()
}

fn readable(socket: &impl AsRawFd) -> pollfd {
    pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    }
}

#[test]
fn poll_one() {
    on_one_worker(|| {
        let (mut client, server) = connection();
        // Told when the time is over: only then something may happen.
        let (tell, told) = corun::channel::bounded(1);
        let poller = corun::spawn(move || {
            let mut fds = [readable(&server)];
            assert_eq!(takes_at_least(TIME, || poll(&mut fds, 20)), 0);
            tell.send(()).unwrap();
            assert_eq!(poll(&mut fds, -1), 1);
            assert_eq!(fds[0].revents, libc::POLLIN);
            fds[0].events = libc::POLLOUT;
            assert_eq!(poll(&mut fds, -1), 1);
            server
        });
        told.recv().unwrap();
        let_others_wait();
        client.write_all(b"x").unwrap();
        let server = poller.join().unwrap();
        drop(client);
        let mut fds = [readable(&server)];
        fds[0].events |= libc::POLLRDHUP;
        assert_eq!(poll(&mut fds, 0), 1);
    });
}

#[test]
fn poll_many() {
    on_one_worker(|| {
        let connections: Vec<_> = (0..20).map(|_| connection()).collect();
        let (mut clients, servers): (Vec<_>, Vec<_>) = connections.into_iter().unzip();
        // Told when the time is over: only then something may happen.
        let (tell, told) = corun::channel::bounded(1);
        let poller = corun::spawn(move || {
            let mut left = 20;
            let mut fds: Vec<_> = servers.iter().map(readable).collect();
            // The same one twice, one for nothing, and one that is not there.
            fds.extend([
                readable(&servers[0]),
                pollfd {
                    fd: -1,
                    events: 0,
                    revents: 0,
                },
            ]);
            assert_eq!(takes_at_least(TIME, || poll(&mut fds, 20)), 0);
            tell.send(()).unwrap();
            while left > 0 {
                poll(&mut fds, -1);
                for (mut server, fd) in servers.iter().zip(&fds) {
                    if fd.revents != 0 {
                        server.read_exact(&mut [0]).unwrap();
                        left -= 1;
                    }
                }
            }
        });
        told.recv().unwrap();
        let_others_wait();
        for client in clients.iter_mut().rev() {
            let_others_wait();
            client.write_all(b"x").unwrap();
        }
        poller.join().unwrap();
    });
}

#[test]
fn poll_says_what_is_not_open() {
    on_one_worker(|| {
        let mut fds = [pollfd {
            fd: 100_000,
            events: libc::POLLIN,
            revents: 0,
        }];
        assert_eq!(poll(&mut fds, -1), 1);
        assert_eq!(fds[0].revents, libc::POLLNVAL);
    });
}

#[test]
fn ppoll_without_and_with_a_mask() {
    on_one_worker(|| {
        let (mut client, server) = connection();
        // Told when the time is over: only then something may happen.
        let (tell, told) = corun::channel::bounded(1);
        let poller = corun::spawn(move || {
            let mut fds = [readable(&server)];
            let time = libc::timespec {
                tv_sec: 0,
                tv_nsec: 20_000_000,
            };
            // SAFETY: one entry, a time, and a mask that is initialised.
            unsafe {
                let mut mask: libc::sigset_t = mem::zeroed();
                libc::sigemptyset(&raw mut mask);
                for mask in [ptr::null(), &raw const mask] {
                    let none = takes_at_least(TIME, || {
                        libc::ppoll(fds.as_mut_ptr(), 1, &raw const time, mask)
                    });
                    assert_eq!(none, 0);
                }
                tell.send(()).unwrap();
                libc::ppoll(fds.as_mut_ptr(), 1, ptr::null(), &raw const mask)
            }
        });
        told.recv().unwrap();
        let_others_wait();
        client.write_all(b"x").unwrap();
        assert_eq!(poller.join().unwrap(), 1);
    });
}

#[test]
fn select_and_pselect() {
    on_one_worker(|| {
        let (mut one, mut two) = connection();
        let fd = two.as_raw_fd();
        // Told when the time is over: only then something may happen.
        let (tell, told) = corun::channel::bounded(1);
        let selector = corun::spawn(move || {
            // SAFETY: sets that are initialised, and a time.
            unsafe {
                let mut set: fd_set = mem::zeroed();
                libc::FD_SET(fd, &raw mut set);
                let mut time = libc::timeval {
                    tv_sec: 0,
                    tv_usec: 20_000,
                };
                let none = takes_at_least(TIME, || {
                    libc::select(
                        fd + 1,
                        &raw mut set,
                        ptr::null_mut(),
                        ptr::null_mut(),
                        &raw mut time,
                    )
                });
                assert_eq!((none, libc::FD_ISSET(fd, &raw const set)), (0, false));
                assert_eq!((time.tv_sec, time.tv_usec), (0, 0));
                tell.send(()).unwrap();
                libc::FD_SET(fd, &raw mut set);
                let ready = libc::select(
                    fd + 1,
                    &raw mut set,
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                );
                assert_eq!((ready, libc::FD_ISSET(fd, &raw const set)), (1, true));
                two.read_exact(&mut [0]).unwrap();
                let mut write = set;
                let ready = libc::pselect(
                    fd + 1,
                    &raw mut set,
                    &raw mut write,
                    ptr::null_mut(),
                    ptr::null(),
                    ptr::null(),
                );
                assert_eq!(ready, 1);
                assert!(
                    libc::FD_ISSET(fd, &raw const write) && !libc::FD_ISSET(fd, &raw const set)
                );
            }
        });
        told.recv().unwrap();
        let_others_wait();
        one.write_all(b"x").unwrap();
        selector.join().unwrap();
    });
}

#[test]
fn epoll_by_several_coroutines() {
    on_one_worker(|| {
        // SAFETY: a new descriptor, closed below.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        let connections: Vec<_> = (0..10).map(|_| connection()).collect();
        for (number, (_, server)) in connections.iter().enumerate() {
            let mut event = epoll_event {
                events: (libc::EPOLLIN | libc::EPOLLONESHOT) as u32,
                u64: number as u64,
            };
            // SAFETY: the event is read.
            let added = unsafe {
                libc::epoll_ctl(
                    epoll,
                    libc::EPOLL_CTL_ADD,
                    server.as_raw_fd(),
                    &raw mut event,
                )
            };
            assert_eq!(added, 0);
        }
        let wait = move |timeout| {
            let mut event = epoll_event { events: 0, u64: 0 };
            // SAFETY: room for one event.
            let count = unsafe { libc::epoll_wait(epoll, &raw mut event, 1, timeout) };
            (count, { event.u64 })
        };
        assert_eq!(takes_at_least(TIME, || wait(20).0), 0);
        let waiters: Vec<_> = (0..10).map(|_| corun::spawn(move || wait(-1))).collect();
        for (client, _) in &connections {
            let_others_wait();
            (&*client).write_all(b"x").unwrap();
        }
        let mut seen: Vec<_> = waiters
            .into_iter()
            .map(|waiter| waiter.join().unwrap())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).map(|number| (1, number)).collect::<Vec<_>>());
        // SAFETY: nobody else owns it.
        unsafe { libc::close(epoll) };
    });
}
