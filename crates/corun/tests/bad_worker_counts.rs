//! The same program with 1, 2 and 16 workers, set by `CORUN_WORKERS`, whatever the number of processors.
#![cfg(unix)]

mod bad;

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use corun::net::{TcpListener, TcpStream};
use corun::runtime::Handle;

fn tree(depth: u32) -> usize {
    if depth == 0 {
        return 1;
    }
    let children: Vec<_> = (0..5)
        .map(|_| corun::spawn(move || tree(depth - 1)))
        .collect();
    children
        .into_iter()
        .map(|child| child.join().unwrap())
        .sum()
}

fn echoes(clients: u8) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    corun::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..clients {
                let (mut stream, _) = listener.accept().unwrap();
                scope.spawn(move || {
                    let mut byte = [0];
                    while stream.read(&mut byte).unwrap() == 1 {
                        stream.write_all(&byte).unwrap();
                    }
                });
            }
        });
        for n in 0..clients {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                for _ in 0..20 {
                    stream.write_all(&[n]).unwrap();
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    assert_eq!(byte, [n]);
                }
            });
        }
    });
}

fn sleepers() {
    corun::scope(|scope| {
        for n in 0..500 {
            scope.spawn(move || corun::sleep(Duration::from_micros(n * 20)));
        }
    });
}

fn program(workers: usize) {
    let handle = corun::spawn(move || {
        assert_eq!(Handle::try_current().unwrap().workers(), workers);
        assert_eq!(tree(5), 5usize.pow(5));
        echoes(32);
        sleepers();
    });
    handle.join().unwrap();
}

#[test]
fn one() {
    bad::passes_in_child("one", &[("CORUN_WORKERS", "1")], || program(1));
}

#[test]
fn two() {
    bad::passes_in_child("two", &[("CORUN_WORKERS", "2")], || program(2));
}

#[test]
fn sixteen() {
    bad::passes_in_child("sixteen", &[("CORUN_WORKERS", "16")], || program(16));
}
