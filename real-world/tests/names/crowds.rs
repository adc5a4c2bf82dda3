//! Many at once: they wait together.

use std::time::{Duration, Instant};

use hickory_resolver::config::LookupIpStrategy;

use crate::server::{DELAY, NameServer};
use crate::{address, alone, end, on, resolver, resolver_with, runtime};

const MANY: usize = 1_000;

/// One after the other they would take 100 s.
#[test]
fn a_thousand_names_in_a_thousand_coroutines() {
    let _alone = alone();
    let server = NameServer::start();
    for workers in [1, 2, 8] {
        let resolver = resolver_with(server.port(), |options| {
            options.ip_strategy = LookupIpStrategy::Ipv4Only;
        });
        let runtime = runtime(workers);
        let crowd = |label: &'static str| {
            let began = Instant::now();
            let lookups: Vec<_> = (0..MANY)
                .map(|number| {
                    let resolver = resolver.clone();
                    runtime.spawn(move || resolver.lookup_ip(&format!("{label}{number}.test.")))
                })
                .collect();
            for (number, lookup) in lookups.into_iter().enumerate() {
                let found = lookup.join().expect("no panic").expect("an address");
                assert_eq!(found, [address(number)]);
            }
            began.elapsed()
        };
        let (at_once, delayed) = (crowd("quick"), crowd("host"));
        println!("{workers} workers: {at_once:.0?}, with a delay of {DELAY:?} {delayed:.0?}");
        assert!(delayed >= DELAY);
        // On a machine that is busy with other things, everything is late.
        let limit = Duration::from_secs(2).max(4 * at_once);
        assert!(delayed < limit, "{delayed:?}, may take {limit:?}");
        end(runtime);
    }
}

/// The same as async tasks, which have no stacks. Both kinds of address are asked for, so that 2,000 questions are on their way, each from a socket
/// of its own.
#[test]
fn a_thousand_names_in_a_thousand_tasks() {
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    let runtime = runtime(2);
    let began = Instant::now();
    let lookups: Vec<_> = (0..MANY)
        .map(|number| {
            let resolver = resolver.clone();
            runtime.spawn_async(async move {
                let host = format!("host{number}.test.:{number}");
                resolver.lookup_host_async(host).await
            })
        })
        .collect();
    for (number, lookup) in lookups.into_iter().enumerate() {
        let mut found = lookup.join().expect("no panic").expect("an address");
        let found = found.next().expect("never none");
        assert_eq!(found, (address(number), number as u16).into());
    }
    assert!(began.elapsed() < Duration::from_secs(10));
    end(runtime);
}

/// What many ask for at the same time is asked once, and what was found is remembered.
#[test]
fn a_thousand_ask_for_one_name() {
    let _alone = alone();
    let server = NameServer::start();
    for workers in [1, 2, 8] {
        let resolver = resolver(server.port());
        on(workers, || {
            corun::scope(|scope| {
                for _ in 0..MANY {
                    scope.spawn(|| {
                        let found = resolver.lookup_ip("host42.test.").expect("an address");
                        assert_eq!(found, [address(42)]);
                    });
                }
            });
        });
        let (asked, _) = server.questions();
        // For two kinds of address, and again if the answer was late. Who comes after the answer is told from memory, but that there is no address of
        // IPv6 is not remembered, as our server does not say for how long that holds.
        assert!(asked < MANY / 10, "it was asked {asked} times");
        let found = resolver.wait(|hickory| hickory.ipv4_lookup("host42.test."));
        assert_eq!(found.expect("an address").answers().len(), 1);
        assert_eq!(server.questions(), (0, 0));
    }
}
