//! A thousand connections of async tasks and coroutines at once, and nothing left behind: no descriptor, no registration.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use corun::net::{TcpListener, TcpStream};
use corun::sync::Barrier;

/// The limit of a shell is often 1,024.
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls are given a valid structure.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
}

/// Reactors come and go with spare workers, which a slow machine may need.
fn open_sockets() -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    // The one that lists them is gone by the time it is looked at.
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

const ROUNDS: usize = 5;

async fn echo(stream: TcpStream) {
    let mut buffer = [0; 64];
    loop {
        let count = stream.read_async(&mut buffer).await.unwrap();
        if count == 0 {
            return;
        }
        // So little always fits.
        assert_eq!(stream.write_async(&buffer[..count]).await.unwrap(), count);
    }
}

/// Asks as a coroutine, all of which are connected before the first one asks.
fn ask(stream: &TcpStream, meeting: &Barrier) {
    let (mut writer, mut reader) = (stream, stream);
    meeting.wait();
    for round in 0..ROUNDS {
        writer.write_all(&[round as u8; 32]).unwrap();
        let mut answer = [0; 32];
        reader.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [round as u8; 32]);
    }
}

fn crowd(connections: usize) {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let server = corun::spawn_async({
        let (listener, served) = (Arc::clone(&listener), Arc::clone(&served));
        async move {
            // Ends when the listener is closed.
            while let Ok((stream, _)) = listener.accept_async().await {
                let served = Arc::clone(&served);
                corun::spawn_async(async move {
                    echo(stream).await;
                    served.fetch_add(1, Ordering::Relaxed);
                });
            }
        }
    });
    let meeting = Arc::new(Barrier::new(connections));
    let clients: Vec<_> = (0..connections)
        .map(|_| {
            let meeting = Arc::clone(&meeting);
            corun::spawn(move || {
                let stream = corun::block_on(TcpStream::connect_async(address)).unwrap();
                ask(&stream, &meeting);
            })
        })
        .collect();
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    listener.close();
    server.join().unwrap();
    while served.load(Ordering::Relaxed) < connections {
        corun::yield_now();
    }
    // Tasks that are dropped while they wait, in both directions and in the herd.
    let (near, _far) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Arc::new(near), listener.accept().unwrap().0)
    };
    let limit = std::time::Duration::from_millis(1);
    for _ in 0..10 {
        let near = Arc::clone(&near);
        let waited = corun::timeout(limit, move || {
            corun::block_on(async { near.read_async(&mut [0]).await })
        });
        assert!(waited.is_err());
    }
}

#[test]
fn a_thousand_connections_leave_nothing_behind() {
    raise_descriptor_limit();
    for workers in [1, 2, 8] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        // What is opened once, and the reactors, are open by then.
        runtime.block_on(|| crowd(10));
        let before = open_sockets();
        runtime.block_on(|| crowd(1_000));
        assert_eq!(open_sockets(), before);
    }
}
