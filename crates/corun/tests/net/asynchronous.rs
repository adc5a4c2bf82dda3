//! The sockets as futures: every operation, beside blocking users, dropped at each point, closed while somebody waits.

#[cfg(unix)]
use std::io;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use crate::common::{CountingWaker, everywhere};
use corun::block_on;
#[cfg(unix)]
use corun::net::unix::{UnixDatagram, UnixListener, UnixStream};
use corun::net::{TcpListener, TcpStream, UdpSocket};

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// A path that no other test of this process uses.
#[cfg(unix)]
fn path(name: &str) -> PathBuf {
    static DRAWN: AtomicUsize = AtomicUsize::new(0);
    let number = DRAWN.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!(
        "corun-async-{name}-{}-{number}",
        std::process::id()
    ))
}

/// Waits until a waker was called so often.
fn await_count(waker: &CountingWaker, count: usize) {
    while waker.count() < count {
        corun::park();
    }
}

#[test]
fn tcp_in_every_operation() {
    everywhere(|place| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = place.spawn(move || {
            block_on(async {
                let (stream, _) = listener.accept_async().await.unwrap();
                let mut buffer = [0; 4096];
                loop {
                    match stream.read_async(&mut buffer).await.unwrap() {
                        0 => break,
                        count => {
                            let mut rest = &buffer[..count];
                            while !rest.is_empty() {
                                rest = &rest[stream.write_async(rest).await.unwrap()..];
                            }
                        }
                    }
                }
            })
        });
        // More than the buffers of both sides hold, so that everybody waits for everything.
        const ALL: usize = 4 << 20;
        let client = block_on(TcpStream::connect_async(address)).unwrap();
        let client = Arc::new(client);
        let writer = place.spawn({
            let client = Arc::clone(&client);
            move || {
                block_on(async {
                    let chunk = [7; 65_536];
                    let mut left = ALL;
                    while left != 0 {
                        left -= client
                            .write_async(&chunk[..left.min(chunk.len())])
                            .await
                            .unwrap();
                    }
                });
                client.shutdown(Shutdown::Write).unwrap();
            }
        });
        let got = block_on(async {
            let mut buffer = vec![0; 65_536];
            assert_eq!(client.peek_async(&mut buffer[..1]).await.unwrap(), 1);
            let mut got = 0;
            loop {
                match client.read_async(&mut buffer).await.unwrap() {
                    0 => break got,
                    count => got += count,
                }
            }
        });
        assert_eq!(got, ALL);
        writer.join();
        server.join();
    });
}

#[test]
fn names_are_resolved_and_errors_reported() {
    everywhere(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for _ in 0..2 {
            block_on(TcpStream::connect_async(("localhost", port))).unwrap();
            block_on(TcpStream::connect_async(format!("127.0.0.1:{port}"))).unwrap();
        }
        drop(listener);
        let refused = block_on(TcpStream::connect_async(("127.0.0.1", port))).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let none: &'static [std::net::SocketAddr] = &[];
        let nowhere = block_on(TcpStream::connect_async(none)).unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn udp_in_every_operation() {
    everywhere(|place| {
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (address, sender) = (there.local_addr().unwrap(), here.local_addr().unwrap());
        let receiver = place.spawn(move || {
            block_on(async {
                let mut buffer = [0; 16];
                assert_eq!(
                    there.peek_from_async(&mut buffer).await.unwrap(),
                    (3, sender)
                );
                assert_eq!(
                    there.recv_from_async(&mut buffer).await.unwrap(),
                    (3, sender)
                );
                there.connect(sender).unwrap();
                there.send_async(b"back").await.unwrap();
                assert_eq!(there.peek_async(&mut buffer).await.unwrap(), 2);
                assert_eq!(there.recv_async(&mut buffer).await.unwrap(), 2);
            })
        });
        block_on(async {
            assert_eq!(here.send_to_async(b"one", address).await.unwrap(), 3);
            let mut buffer = [0; 16];
            assert_eq!(
                here.recv_from_async(&mut buffer).await.unwrap(),
                (4, address)
            );
            assert_eq!(here.send_to_async(b"22", address).await.unwrap(), 2);
        });
        receiver.join();
    });
}

#[cfg(unix)]
#[test]
fn local_sockets_in_every_operation() {
    everywhere(|place| {
        let name = path("stream");
        let listener = UnixListener::bind(&name).unwrap();
        let server = place.spawn(move || {
            block_on(async {
                let (stream, _) = listener.accept_async().await.unwrap();
                let mut buffer = [0; 16];
                let count = stream.read_async(&mut buffer).await.unwrap();
                stream.write_async(&buffer[..count]).await.unwrap();
            })
        });
        block_on(async {
            let client = UnixStream::connect_async(&name).await.unwrap();
            client.write_async(b"echo").await.unwrap();
            let mut buffer = [0; 16];
            assert_eq!(client.read_async(&mut buffer).await.unwrap(), 4);
            assert_eq!(client.read_async(&mut buffer).await.unwrap(), 0);
        });
        server.join();
        std::fs::remove_file(&name).unwrap();

        let name = path("datagram");
        let inbox = UnixDatagram::bind(&name).unwrap();
        // More than its queue holds, which no event announces to a sender that is not connected.
        const MANY: usize = 200;
        let sender = place.spawn({
            let name = name.clone();
            move || {
                let outbox = UnixDatagram::unbound().unwrap();
                block_on(async {
                    for _ in 0..MANY {
                        outbox.send_to_async(b"letter", &name).await.unwrap();
                    }
                    outbox.connect(&name).unwrap();
                    for _ in 0..MANY {
                        outbox.send_async(b"card").await.unwrap();
                    }
                });
            }
        });
        block_on(async {
            let mut buffer = [0; 16];
            for _ in 0..MANY {
                assert_eq!(inbox.recv_from_async(&mut buffer).await.unwrap().0, 6);
            }
            for _ in 0..MANY {
                assert_eq!(inbox.recv_async(&mut buffer).await.unwrap(), 4);
            }
        });
        sender.join();
        std::fs::remove_file(&name).unwrap();
    });
}

/// Blocking calls, futures and polls accept from one listener, which gives each connection to one of them.
#[cfg(unix)]
#[test]
fn all_kinds_of_users_share_a_listener() {
    everywhere(|place| {
        const EACH: usize = 30;
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let accept: [fn(&TcpListener) -> io::Result<TcpStream>; 3] = [
            |listener| Ok(listener.accept()?.0),
            |listener| Ok(block_on(listener.accept_async())?.0),
            |listener| Ok(block_on(std::future::poll_fn(|cx| listener.poll_accept(cx)))?.0),
        ];
        let served = Arc::new(AtomicUsize::new(0));
        let acceptors: Vec<_> = accept
            .into_iter()
            .chain(accept)
            .map(|accept| {
                let (listener, served) = (Arc::clone(&listener), Arc::clone(&served));
                place.spawn(move || {
                    loop {
                        match accept(&listener) {
                            Ok(mut stream) => {
                                stream.write_all(b"x").unwrap();
                                served.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => return assert_eq!(error.kind(), ErrorKind::NotConnected),
                        }
                    }
                })
            })
            .collect();
        let clients: Vec<_> = (0..3)
            .map(|_| {
                place.spawn(move || {
                    for _ in 0..EACH {
                        let mut answer = String::new();
                        let mut stream = TcpStream::connect(address).unwrap();
                        stream.read_to_string(&mut answer).unwrap();
                        assert_eq!(answer, "x");
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join());
        assert_eq!(served.load(Ordering::Relaxed), 3 * EACH);
        // All of them are woken.
        listener.close();
        acceptors.into_iter().for_each(|acceptor| acceptor.join());
    });
}

/// A future may go at any time: what comes is for others.
#[test]
fn a_dropped_future_has_taken_nothing() {
    everywhere(|place| {
        let (near, far) = tcp_pair();
        let near = Arc::new(near);
        let mut buffer = [0; 8];
        // Never polled.
        drop(near.read_async(&mut buffer));
        // Polled, when there is nothing to read.
        let (count, waker) = CountingWaker::new();
        let mut cx = Context::from_waker(&waker);
        assert!(
            pin!(near.read_async(&mut buffer))
                .poll(&mut cx)
                .is_pending()
        );
        (&far).write_all(b"a").unwrap();
        assert_eq!((&*near).read(&mut buffer).unwrap(), 1);
        assert_eq!(count.count(), 0);
        // Its turn has come, but it does not look.
        {
            let mut future = Box::pin(near.read_async(&mut buffer));
            assert!(future.as_mut().poll(&mut cx).is_pending());
            (&far).write_all(b"b").unwrap();
            await_count(&count, 1);
            // Whoever comes now stands behind it.
            let next = place.spawn({
                let near = Arc::clone(&near);
                move || {
                    let mut buffer = [0; 8];
                    let count = (&*near).read(&mut buffer).unwrap();
                    buffer[..count].to_vec()
                }
            });
            drop(future);
            assert_eq!(next.join(), b"b");
        }
        // It has ended, and is dropped afterwards.
        {
            let mut future = Box::pin(near.read_async(&mut buffer));
            assert!(future.as_mut().poll(&mut cx).is_pending());
            (&far).write_all(b"c").unwrap();
            await_count(&count, 2);
            assert!(matches!(future.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
        }
        // One that waits behind another that is dropped.
        {
            let mut first = Box::pin(near.peek_async(&mut buffer));
            let mut other = [0; 8];
            let mut second = Box::pin(near.read_async(&mut other));
            assert!(
                first
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
            assert!(second.as_mut().poll(&mut cx).is_pending());
            (&far).write_all(b"d").unwrap();
            drop(first);
            await_count(&count, 3);
            assert!(matches!(second.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
        }
        drop(far);
        assert_eq!(block_on(near.read_async(&mut buffer)).unwrap(), 0);
    });
}

#[test]
fn a_future_is_woken_by_its_latest_waker() {
    let (near, far) = tcp_pair();
    let mut buffer = [0; 8];
    let mut future = pin!(near.read_async(&mut buffer));
    let (old, waker) = CountingWaker::new();
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let (new, waker) = CountingWaker::new();
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    (&far).write_all(b"x").unwrap();
    await_count(&new, 1);
    assert_eq!(old.count(), 0);
    assert!(matches!(
        future.as_mut().poll(&mut Context::from_waker(&waker)),
        Poll::Ready(Ok(1))
    ));
}

#[cfg(unix)]
#[test]
fn closing_wakes_who_waits() {
    everywhere(|place| {
        // A thread that closes and a task that waits, on a socket and on a clone of it.
        for clone in [false, true] {
            let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
            let closer = if clone {
                Arc::new(socket.try_clone().unwrap())
            } else {
                Arc::clone(&socket)
            };
            let (count, waker) = CountingWaker::new();
            let mut cx = Context::from_waker(&waker);
            let mut buffer = [0; 8];
            let mut future = pin!(socket.recv_async(&mut buffer));
            assert!(future.as_mut().poll(&mut cx).is_pending());
            let closing = place.spawn(move || closer.close());
            await_count(&count, 1);
            match future.as_mut().poll(&mut cx) {
                Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::NotConnected),
                other => panic!("{other:?}"),
            }
            closing.join();
        }
        let (near, far) = tcp_pair();
        let (near, far) = (Arc::new(near), Arc::new(far));
        let reader = place.spawn({
            let near = Arc::clone(&near);
            move || block_on(near.read_async(&mut [0; 8])).unwrap()
        });
        let filler = place.spawn({
            let near = Arc::clone(&near);
            move || block_on(async { while near.write_async(&[0; 65_536]).await.is_ok() {} })
        });
        // The other side reads a little, and then both directions end at once.
        (&*far).read_exact(&mut [0; 100_000]).unwrap();
        near.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reader.join(), 0);
        filler.join();
    });
}

/// The worker that watches the descriptor may end before the task that waits.
#[test]
fn a_wait_outlives_the_runtime_that_watches() {
    for poll in [false, true] {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let runtime = corun::Runtime::builder().workers(1).build().unwrap();
        let (count, waker) = CountingWaker::new();
        // Registers the descriptor there, and forgets about it.
        runtime.block_on({
            let listener = Arc::clone(&listener);
            move || {
                let mut future = pin!(listener.accept_async());
                let mut cx = Context::from_waker(Waker::noop());
                assert!(future.as_mut().poll(&mut cx).is_pending());
            }
        });
        let mut future = pin!(async {
            if poll {
                std::future::poll_fn(|cx| listener.poll_accept(cx)).await
            } else {
                listener.accept_async().await
            }
        });
        let mut cx = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut cx).is_pending());
        drop(runtime);
        await_count(&count, 1);
        // Now a worker of the global runtime watches.
        assert!(future.as_mut().poll(&mut cx).is_pending());
        let _client = TcpStream::connect(address).unwrap();
        await_count(&count, 2);
        assert!(matches!(future.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));
    }
}

/// Sending and receiving by polls: woken by a datagram, and by the end of the socket.
#[test]
fn datagrams_by_polling() {
    everywhere(|place| {
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        let there = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let address = there.local_addr().unwrap();
        let (count, waker) = CountingWaker::new();
        let mut cx = Context::from_waker(&waker);
        let mut buffer = [0; 8];
        assert!(there.poll_recv_from(&mut cx, &mut buffer).is_pending());
        let sent = here.poll_send_to(&mut cx, b"hello", address);
        assert!(matches!(sent, Poll::Ready(Ok(5))), "{sent:?}");
        await_count(&count, 1);
        match there.poll_recv_from(&mut cx, &mut buffer) {
            Poll::Ready(Ok((5, sender))) => assert_eq!(sender, here.local_addr().unwrap()),
            other => panic!("{other:?}"),
        }
        assert_eq!(&buffer[..5], b"hello");

        #[cfg(unix)]
        {
            assert!(there.poll_recv_from(&mut cx, &mut buffer).is_pending());
            let closer = Arc::clone(&there);
            let closing = place.spawn(move || closer.close());
            await_count(&count, 2);
            closing.join();
            match there.poll_recv_from(&mut cx, &mut buffer) {
                Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::NotConnected),
                other => panic!("{other:?}"),
            }
            match there.poll_send_to(&mut cx, b"x", here.local_addr().unwrap()) {
                Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::NotConnected),
                other => panic!("{other:?}"),
            }
        }
        #[cfg(not(unix))]
        let _ = place;
    });
}

/// Limits are for blocking calls.
#[test]
fn neither_timeouts_nor_the_mode_concern_futures() {
    let (near, far) = tcp_pair();
    near.set_read_timeout(Some(std::time::Duration::from_millis(1)))
        .unwrap();
    near.set_nonblocking(true).unwrap();
    let reader = std::thread::spawn(move || block_on(near.read_async(&mut [0; 8])).unwrap());
    assert_eq!(block_on(far.write_async(b"x")).unwrap(), 1);
    assert_eq!(reader.join().unwrap(), 1);
}

/// Tasks that poll have no order, but none is forgotten.
#[cfg(unix)]
#[test]
fn everyone_who_polls_is_called() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Of many more, the earlier ones would be called when the later ones come.
    let wakers: Vec<_> = (0..30).map(|_| CountingWaker::new()).collect();
    for (_, waker) in &wakers {
        for _ in 0..2 {
            assert!(
                listener
                    .poll_accept(&mut Context::from_waker(waker))
                    .is_pending()
            );
        }
    }
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    for (count, _) in &wakers {
        await_count(count, 1);
    }
    let accepted = wakers
        .iter()
        .filter(|(_, waker)| {
            listener
                .poll_accept(&mut Context::from_waker(waker))
                .is_ready()
        })
        .count();
    assert_eq!(accepted, 1);
    assert!(wakers.iter().all(|(count, _)| count.count() == 1));
}

#[cfg(feature = "futures-io")]
mod traits {
    use super::*;
    use crate::common::Place;
    use futures_io::{AsyncRead, AsyncWrite};
    use std::future::poll_fn;
    use std::io::{IoSlice, IoSliceMut};
    use std::pin::Pin;

    async fn write_all(mut stream: impl AsyncWrite + Unpin, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = poll_fn(|cx| {
                // Two pieces at a time.
                let (front, back) = bytes.split_at(bytes.len() / 2);
                let slices = [IoSlice::new(front), IoSlice::new(back)];
                Pin::new(&mut stream).poll_write_vectored(cx, &slices)
            });
            bytes = &bytes[count.await.unwrap()..];
        }
        poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, b"."))
            .await
            .unwrap();
        poll_fn(|cx| Pin::new(&mut stream).poll_flush(cx))
            .await
            .unwrap();
        poll_fn(|cx| Pin::new(&mut stream).poll_close(cx))
            .await
            .unwrap();
    }

    async fn read_all(mut stream: impl AsyncRead + Unpin) -> usize {
        let (mut front, mut back) = ([0; 1000], [0; 3000]);
        let mut all = 0;
        loop {
            let count = poll_fn(|cx| {
                let mut slices = [IoSliceMut::new(&mut front), IoSliceMut::new(&mut back)];
                Pin::new(&mut stream).poll_read_vectored(cx, &mut slices)
            });
            all += count.await.unwrap();
            match poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut front))
                .await
                .unwrap()
            {
                0 => return all,
                count => all += count,
            }
        }
    }

    fn both_ways<S>(place: Place, near: S, far: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static,
        for<'a> &'a S: AsyncRead + AsyncWrite,
    {
        const ALL: usize = 1 << 20;
        let near = Arc::new(near);
        let writer = place.spawn({
            let near = Arc::clone(&near);
            move || block_on(write_all(&*near, &vec![1; ALL]))
        });
        let echo = place.spawn(move || {
            block_on(async {
                let count = read_all(&far).await;
                write_all(far, &vec![2; count]).await;
            })
        });
        assert_eq!(block_on(read_all(&*near)), ALL + 2);
        writer.join();
        echo.join();
    }

    #[test]
    fn streams_read_and_write_by_value_and_by_reference() {
        everywhere(|place| {
            let (near, far) = tcp_pair();
            both_ways(place, near, far);
            let (near, far) = UnixStream::pair().unwrap();
            both_ways(place, near, far);
        });
    }
}
