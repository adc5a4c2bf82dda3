//! Servers that answer badly, or not at all.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hickory_resolver::config::NameServerConfig;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use real_world::free_port;

use crate::server::NameServer;
use crate::{address, alone, at, on, resolver, resolver_for, resolver_with};

/// What hickory has said.
fn inside(error: &io::Error) -> &NetError {
    let inner = error.get_ref().expect("there is an error inside");
    inner.downcast_ref().expect("it is hickory's")
}

#[test]
fn what_a_server_says_is_an_error_of_the_right_kind() {
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    for workers in [1, 2, 8] {
        on(workers, || {
            let fails = |name: &str| resolver.lookup_ip(name).expect_err("no address");
            for name in ["nobody.test.", "none.test."] {
                let error = fails(name);
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
                assert!(inside(&error).is_no_records_found());
            }
            assert!(inside(&fails("nobody.test.")).is_nx_domain());
            let error = fails("refused.test.");
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
            let error = fails("servfail.test.");
            assert_eq!(error.kind(), ErrorKind::Other, "{error:?}");
            let code = ResponseCode::ServFail;
            assert!(
                matches!(inside(&error), NetError::Dns(DnsError::ResponseCode(said)) if *said == code),
                "{error:?}"
            );
            let error = fails("garbage.test.");
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error:?}");
            // None of them has done harm.
            let found = resolver.lookup_ip("quick1.test.").expect("an address");
            assert_eq!(found, [address(1)]);
        });
    }
}

#[test]
fn forged_answers_are_not_believed() {
    let _alone = alone();
    let server = NameServer::start();
    let found = on(2, || resolver(server.port()).lookup_ip("forged5.test."));
    assert_eq!(found.expect("an address"), [address(5)]);
}

#[test]
fn a_lost_question_is_asked_again() {
    let _alone = alone();
    let server = NameServer::start();
    let found = on(2, || resolver(server.port()).lookup_ip("late5.test."));
    assert_eq!(found.expect("an address"), [address(5)]);
}

/// Neither a server that says nothing nor a port without one keeps anybody for longer than was configured.
#[test]
fn silence_is_a_time_out() {
    const TIME: Duration = Duration::from_millis(100);
    let _alone = alone();
    let server = NameServer::start();
    for port in [server.port(), free_port()] {
        let resolver = resolver_with(port, |options| {
            options.timeout = TIME;
            options.attempts = 1;
        });
        for workers in [1, 2, 8] {
            let began = Instant::now();
            let error = on(workers, || resolver.lookup_ip("silent.test."));
            let error = error.expect_err("no answer");
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
            assert!(matches!(inside(&error), NetError::Timeout));
            // Asked twice.
            assert!(began.elapsed() >= 2 * TIME, "{:?}", began.elapsed());
            assert!(
                began.elapsed() < Duration::from_secs(2),
                "{:?}",
                began.elapsed()
            );
        }
        let began = Instant::now();
        let error = resolver.lookup_ip("silent.test.").expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "on a thread");
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}

/// Of two servers one is silent, and whichever of them is asked first, the other one answers.
#[test]
fn another_server_is_asked() {
    let _alone = alone();
    let (dead, server) = (free_port(), NameServer::start());
    let servers = [dead, server.port()]
        .map(|port| at(NameServerConfig::udp(Ipv4Addr::LOCALHOST.into()), port));
    // Which one it is, is drawn anew for each resolver.
    for number in 0..8 {
        let resolver = resolver_for(servers.to_vec(), |options| {
            options.timeout = Duration::from_millis(100);
            options.num_concurrent_reqs = 1;
        });
        let found = on(2, || resolver.lookup_ip(&format!("quick{number}.test.")));
        assert_eq!(found.expect("an address"), [address(number)]);
    }
}

/// All at once, on a connection that they share.
#[test]
fn what_is_too_long_for_a_datagram_comes_by_tcp() {
    let _alone = alone();
    let server = NameServer::start();
    for workers in [1, 2, 8] {
        let resolver = resolver(server.port());
        on(workers, || {
            corun::scope(|scope| {
                for number in 0..50 {
                    let resolver = &resolver;
                    scope.spawn(move || {
                        let found = resolver.lookup_ip(&format!("big{number}.test."));
                        assert_eq!(found.expect("an address"), [address(number)]);
                    });
                }
            });
        });
        let (datagrams, streams) = server.questions();
        assert!(datagrams >= 20 && streams >= 20, "{datagrams}, {streams}");
    }
}

/// The connection is made, and that is all.
#[test]
fn silence_by_tcp_is_a_time_out() {
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver_with(server.port(), |options| {
        options.timeout = Duration::from_millis(100);
        options.attempts = 1;
    });
    for workers in [1, 2, 8] {
        let began = Instant::now();
        let error = on(workers, || resolver.lookup_ip("mute.test."));
        let error = error.expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    let (_, streams) = server.questions();
    assert!(streams >= 6, "it was asked by TCP: {streams}");
}

#[test]
fn a_connection_that_ends_in_an_answer_is_an_error() {
    let _alone = alone();
    let server = NameServer::start();
    for workers in [1, 2, 8] {
        let resolver = resolver(server.port());
        on(workers, || {
            let error = resolver
                .lookup_ip("torn.test.")
                .expect_err("half an answer");
            // What hickory notes first: that it has the truncated answer only, or that the connection has gone.
            assert!(
                matches!(inside(&error), NetError::Truncated | NetError::Message(_)),
                "{error:?}"
            );
            // The next one gets a connection of its own.
            let found = resolver.lookup_ip("big3.test.").expect("an address");
            assert_eq!(found, [address(3)]);
        });
    }
}

#[test]
fn nobody_to_ask() {
    let _alone = alone();
    let server = NameServerConfig::tcp(Ipv4Addr::LOCALHOST.into());
    let resolver = resolver_for(vec![at(server, free_port())], |_| {});
    let error = on(2, || resolver.lookup_ip("host1.test."));
    let error = error.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::NotConnected, "{error:?}");

    let nobody = resolver_for(vec![], |_| {});
    let error = nobody.lookup_ip("host1.test.").expect_err("no server");
    assert_eq!(error.kind(), ErrorKind::NotConnected, "{error:?}");
}

#[test]
fn what_is_no_name_is_not_asked_for() {
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    let long = "x".repeat(64);
    let longer = "long.".repeat(60);
    for name in ["", "a..b", "nul\0", "two words", &long, &longer] {
        let error = resolver.lookup_ip(name).expect_err("no name");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?}: {error:?}");
    }
    for host in ["host1.test.", "host1.test.:", "host1.test.:65536", ":53"] {
        let error = resolver.lookup_host(host).expect_err("no name and port");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{host:?}: {error:?}");
    }
    assert_eq!(server.questions(), (0, 0));
    // In digits.
    for host in ["127.0.0.1:80", "[::1]:80"] {
        let found: Vec<_> = resolver.lookup_host(host).expect("an address").collect();
        assert_eq!(found, [host.parse().expect("an address")]);
    }
    let found: Vec<_> = resolver
        .lookup_host(("quick7.test.", 80))
        .expect("an address")
        .collect();
    assert_eq!(found, [(address(7), 80).into()]);
}
