//! Names, which the pool's threads look up.

use std::io::ErrorKind;
use std::net::ToSocketAddrs;

use crate::common::everywhere;

#[test]
fn the_same_addresses_and_errors_as_std() {
    everywhere(|_| {
        for name in ["localhost:80", "127.0.0.1:1", "[::1]:65535"] {
            let ours: Vec<_> = corun::dns::lookup_host(name).unwrap().collect();
            let theirs: Vec<_> = name.to_socket_addrs().unwrap().collect();
            assert_eq!(ours, theirs);
        }
        for name in ["localhost", "localhost:http", "localhost:99999", ""] {
            let ours = corun::dns::lookup_host(name).unwrap_err();
            let theirs = name.to_socket_addrs().map(drop).unwrap_err();
            assert_eq!(ours.kind(), theirs.kind());
            assert_eq!(ours.to_string(), theirs.to_string());
        }
        assert!(corun::dns::lookup_host(("nul\0", 80)).is_err());
        let none: &[std::net::SocketAddr] = &[];
        let error = corun::dns::lookup_host(none).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let addresses = corun::dns::lookup_ip("localhost").unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(std::net::IpAddr::is_loopback));
    });
}

#[corun::test(workers = [1, 2, 8])]
fn many_at_once() {
    corun::scope(|scope| {
        for _ in 0..300 {
            scope.spawn(|| {
                assert!(corun::dns::lookup_host(("localhost", 80)).unwrap().len() > 0);
            });
        }
    });
}
