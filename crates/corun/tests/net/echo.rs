//! An echo server with many clients.

use std::io::{BufRead, BufReader, Read, Write};

use crate::common::{Place, everywhere};
use corun::net::{SocketAddr, TcpListener, TcpStream};

fn echo_server(place: Place, clients: usize) -> (SocketAddr, crate::common::Task<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = place.spawn(move || {
        let mut tasks = Vec::new();
        for stream in listener.incoming().take(clients) {
            let mut stream = stream.unwrap();
            tasks.push(place.spawn(move || {
                let mut buffer = [0; 1024];
                loop {
                    match stream.read(&mut buffer).unwrap() {
                        0 => return,
                        n => stream.write_all(&buffer[..n]).unwrap(),
                    }
                }
            }));
        }
        tasks.into_iter().for_each(|task| task.join());
    });
    (address, server)
}

#[test]
fn every_client_gets_its_own_bytes_back() {
    everywhere(|place| {
        let (address, server) = echo_server(place, 32);
        let clients: Vec<_> = (0..32u8)
            .map(|id| {
                place.spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    for round in 0..100u8 {
                        let message = [id, round, 3, 4, 5, 6, 7, 8];
                        stream.write_all(&message).unwrap();
                        let mut answer = [0; 8];
                        stream.read_exact(&mut answer).unwrap();
                        assert_eq!(answer, message);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join());
        server.join();
    });
}

#[test]
fn megabytes_pass_through_full_buffers() {
    everywhere(|place| {
        let (address, server) = echo_server(place, 1);
        let stream = TcpStream::connect(address).unwrap();
        let reader = stream.try_clone().unwrap();
        const LENGTH: usize = 8 << 20;
        let writer = place.spawn(move || {
            let data: Vec<u8> = (0..LENGTH).map(|n| (n % 251) as u8).collect();
            (&stream).write_all(&data).unwrap();
            stream.shutdown(corun::net::Shutdown::Write).unwrap();
        });
        let mut got = Vec::new();
        (&reader).read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), LENGTH);
        assert!(
            got.iter()
                .enumerate()
                .all(|(n, byte)| *byte == (n % 251) as u8)
        );
        writer.join();
        server.join();
    });
}

#[test]
fn lines_of_a_buffered_reader() {
    everywhere(|place| {
        let (address, server) = echo_server(place, 1);
        let mut stream = TcpStream::connect(address).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for n in 0..100 {
            writeln!(stream, "line {n}").unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), format!("line {n}"));
        }
        drop((stream, lines));
        server.join();
    });
}
