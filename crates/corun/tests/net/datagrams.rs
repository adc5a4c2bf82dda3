//! UDP and local datagrams.

#[cfg(unix)]
use std::sync::Arc;

use crate::common::everywhere;
use corun::net::UdpSocket;
#[cfg(unix)]
use corun::net::unix::UnixDatagram;

#[test]
fn udp_answers_reach_who_asked() {
    everywhere(|place| {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        const CLIENTS: usize = 8;
        const ROUNDS: usize = 50;
        let server = place.spawn(move || {
            let mut buffer = [0; 64];
            for _ in 0..CLIENTS * ROUNDS {
                let (length, sender) = server.recv_from(&mut buffer).unwrap();
                assert_eq!(server.send_to(&buffer[..length], sender).unwrap(), length);
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|id| {
                place.spawn(move || {
                    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                    socket.connect(address).unwrap();
                    assert_eq!(socket.peer_addr().unwrap(), address);
                    for round in 0..ROUNDS {
                        let message = format!("{id} {round}");
                        socket.send(message.as_bytes()).unwrap();
                        let mut buffer = [0; 64];
                        let length = socket.recv(&mut buffer).unwrap();
                        assert_eq!(&buffer[..length], message.as_bytes());
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join());
        server.join();
    });
}

#[test]
fn peeking_leaves_the_datagram() {
    everywhere(|place| {
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        here.connect(there.local_addr().unwrap()).unwrap();
        there.connect(here.local_addr().unwrap()).unwrap();
        let sender = place.spawn(move || here.send(b"twice").unwrap());
        let mut buffer = [0; 16];
        assert_eq!(there.peek(&mut buffer).unwrap(), 5);
        assert_eq!(there.peek_from(&mut buffer).unwrap().0, 5);
        assert_eq!(there.recv(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"twice");
        assert_eq!(sender.join(), 5);
    });
}

#[test]
fn options_of_udp() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    socket.set_ttl(7).unwrap();
    assert_eq!(socket.ttl().unwrap(), 7);
    socket.set_multicast_ttl_v4(3).unwrap();
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 3);
    socket.set_multicast_loop_v4(false).unwrap();
    assert!(!socket.multicast_loop_v4().unwrap());
}

#[cfg(unix)]
#[test]
fn local_datagrams_wait_for_room_at_a_receiver_that_is_not_connected() {
    everywhere(|place| {
        let path = std::env::temp_dir().join(format!("corun-datagram-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let receiver = UnixDatagram::bind(&path).unwrap();
        const COUNT: u32 = 2000;
        let sender = {
            let path = path.clone();
            place.spawn(move || {
                let socket = UnixDatagram::unbound().unwrap();
                for n in 0..COUNT {
                    socket.send_to(&n.to_le_bytes(), &path).unwrap();
                }
            })
        };
        for n in 0..COUNT {
            let mut buffer = [0; 8];
            let (length, from) = receiver.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], n.to_le_bytes());
            assert!(from.is_unnamed());
        }
        sender.join();
        std::fs::remove_file(&path).unwrap();
    });
}

#[cfg(unix)]
#[test]
fn local_datagrams_wait_for_room_at_a_connected_receiver() {
    everywhere(|place| {
        let path = std::env::temp_dir().join(format!("corun-connected-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let receiver = UnixDatagram::bind(&path).unwrap();
        let socket = Arc::new(UnixDatagram::unbound().unwrap());
        socket.connect(&path).unwrap();
        const SENDERS: usize = 4;
        const COUNT: usize = 500;
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let socket = Arc::clone(&socket);
                place.spawn(move || {
                    for _ in 0..COUNT {
                        socket.send(b"datagram").unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..SENDERS * COUNT {
            assert_eq!(receiver.recv(&mut [0; 16]).unwrap(), 8);
        }
        senders.into_iter().for_each(|sender| sender.join());
        std::fs::remove_file(&path).unwrap();
    });
}
