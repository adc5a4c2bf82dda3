//! Sockets of std.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::common::on_one_worker;

#[test]
fn both_ends_of_a_connection_on_one_worker() {
    on_one_worker(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = corun::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(b"pong").unwrap();
            request
        });
        corun::yield_now();
        let mut client = TcpStream::connect(address).unwrap();
        corun::yield_now();
        client.write_all(b"ping").unwrap();
        let mut answer = [0; 4];
        client.read_exact(&mut answer).unwrap();
        assert_eq!((&answer, &server.join().unwrap()), (b"pong", b"ping"));
    });
}

#[test]
fn a_thousand_connections() {
    on_one_worker(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = corun::spawn(move || {
            for _ in 0..1000 {
                let (mut stream, _) = listener.accept().unwrap();
                corun::spawn(move || {
                    let mut buffer = [0; 100];
                    loop {
                        match stream.read(&mut buffer).unwrap() {
                            0 => break,
                            count => stream.write_all(&buffer[..count]).unwrap(),
                        }
                    }
                });
            }
        });
        let clients: Vec<_> = (0..1000u32)
            .map(|number| {
                corun::spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    for round in 0..5u32 {
                        let message = (number * 10 + round).to_be_bytes();
                        stream.write_all(&message).unwrap();
                        let mut answer = [0; 4];
                        stream.read_exact(&mut answer).unwrap();
                        assert_eq!(answer, message);
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        server.join().unwrap();
    });
}
