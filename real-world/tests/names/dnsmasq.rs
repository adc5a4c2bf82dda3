//! A real name server: Debian's dnsmasq, with records of its own.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_resolver::proto::rr::{RData, RecordType};
use real_world::Dnsmasq;

use crate::{alone, on, resolver, resolver_with};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

fn start() -> Option<Dnsmasq> {
    let long = format!(
        "--txt-record=long.test{}",
        ",".to_owned() + &["x".repeat(250).as_str(); 8].join(",")
    );
    Dnsmasq::start(&[
        "--local=/test/",
        "--host-record=both.test,192.0.2.1,2001:db8::1",
        "--host-record=four.test,192.0.2.2",
        "--cname=alias.test,both.test",
        "--mx-host=both.test,mail.test,10",
        "--srv-host=_http._tcp.test,both.test,8080,1,2",
        "--txt-record=both.test,some text,and more",
        "--address=/wild.test/192.0.2.3",
        &long,
    ])
}

#[test]
fn records_of_all_kinds() {
    let _alone = alone();
    let Some(server) = start() else {
        return;
    };
    for workers in [1, 2, 8] {
        let resolver = resolver(server.port());
        on(workers, || {
            // Addresses of IPv6 come first, unless it is configured otherwise.
            assert_eq!(resolver.lookup_ip("both.test").expect("found"), [V6, V4]);
            assert_eq!(resolver.lookup_ip("alias.test.").expect("found"), [V6, V4]);
            let four: Vec<_> = resolver
                .lookup_host("four.test:80")
                .expect("found")
                .collect();
            assert_eq!(four, [([192, 0, 2, 2], 80).into()]);
            assert_eq!(resolver.reverse(V4).expect("found"), ["both.test"]);
            assert_eq!(resolver.reverse(V6).expect("found"), ["both.test"]);

            let ask = |name: &str, kind| {
                let found = resolver.lookup(name, kind).expect("found");
                let data = found.answers().iter().map(|record| record.data.clone());
                data.collect::<Vec<_>>()
            };
            let [RData::MX(mx)] = &ask("both.test.", RecordType::MX)[..] else {
                panic!("no mail server");
            };
            assert_eq!(
                (mx.preference, mx.exchange.to_ascii()),
                (10, "mail.test.".into())
            );
            let [RData::SRV(srv)] = &ask("_http._tcp.test.", RecordType::SRV)[..] else {
                panic!("no service");
            };
            let found = (srv.port, srv.priority, srv.weight, srv.target.to_ascii());
            assert_eq!(found, (8080, 1, 2, "both.test.".into()));
            let found = resolver.wait(|hickory| hickory.txt_lookup("both.test."));
            let found = found.expect("found");
            let [RData::TXT(text)] = &found
                .answers()
                .iter()
                .map(|record| record.data.clone())
                .collect::<Vec<_>>()[..]
            else {
                panic!("no text");
            };
            let parts: Vec<&[u8]> = text.txt_data.iter().map(|part| &**part).collect();
            assert_eq!(parts, [&b"some text"[..], b"and more"]);

            // More than fits a datagram.
            let [RData::TXT(text)] = &ask("long.test.", RecordType::TXT)[..] else {
                panic!("no text");
            };
            assert_eq!(text.txt_data.len(), 8);

            for (name, kind) in [
                ("four.test.", RecordType::MX),
                ("nobody.test.", RecordType::A),
            ] {
                let error = resolver.lookup(name, kind).expect_err("there is none");
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
            }
            let error = resolver.reverse([192, 0, 2, 99].into()).map(drop);
            assert!(error.is_err(), "nobody has this address");
            // The server has nobody to ask for this one.
            let error = resolver
                .lookup_ip("example.com.")
                .expect_err("it is not known");
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
        });
    }
}

/// From a server that is in no hurry, and may lose some of so many questions.
#[test]
fn a_thousand_names_at_once() {
    let _alone = alone();
    let Some(server) = start() else {
        return;
    };
    let resolver = resolver(server.port());
    let found = on(2, || {
        corun::map_concurrent(0..1_000, 1_000, |number| {
            resolver.lookup_ip(&format!("n{number}.wild.test."))
        })
    });
    for found in found {
        assert_eq!(found.expect("found"), [IpAddr::from([192, 0, 2, 3])]);
    }
}

/// The server dies, and comes back.
#[test]
fn a_server_that_dies_is_a_time_out_until_it_is_back() {
    let _alone = alone();
    let Some(mut server) = start() else {
        return;
    };
    let resolver = resolver_with(server.port(), |options| {
        options.timeout = Duration::from_millis(200);
        options.attempts = 0;
        options.cache_size = 0;
    });
    on(2, || {
        resolver.lookup_ip("both.test.").expect("found");
        server.kill();
        let error = resolver
            .lookup_ip("both.test.")
            .expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
        server.restart();
        resolver.lookup_ip("both.test.").expect("found");
    });
}
