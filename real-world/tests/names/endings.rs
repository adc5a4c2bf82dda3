//! Lookups that are given up, and descriptors that run out.

use std::fs::File;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use corun::dns::hickory::Resolver;

use crate::server::NameServer;
use crate::{address, alone, descriptors, resolver, runtime};

/// Waits until so many questions are on their way, of those that are never answered.
fn wait_for_questions(server: &NameServer, count: usize) {
    let mut asked = 0;
    while asked < count {
        asked += server.questions().0;
        corun::yield_now();
    }
}

/// A lookup that is cancelled in its midst closes its sockets, and others are not disturbed.
#[test]
fn cancelled_lookups_leave_nothing() {
    const MANY: usize = 500;
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        runtime
            .block_on(|| resolver.lookup_ip("quick1.test."))
            .expect("found");
        let before = descriptors();
        runtime.block_on(|| {
            let lookups: Vec<_> = (0..MANY)
                .map(|number| {
                    let resolver = resolver.clone();
                    corun::spawn(move || resolver.lookup_ip(&format!("silent{number}.test.")))
                })
                .collect();
            let tasks: Vec<_> = (0..MANY)
                .map(|number| {
                    let resolver = resolver.clone();
                    let name = format!("silent-task{number}.test.");
                    corun::spawn_async(async move { resolver.lookup_ip_async(&name).await })
                })
                .collect();
            wait_for_questions(&server, 2 * MANY);
            assert!(descriptors() > before + MANY);
            for lookup in &lookups {
                lookup.cancel();
            }
            for task in &tasks {
                task.cancel();
            }
            for ended in lookups.into_iter().chain(tasks) {
                let payload = ended.join().expect_err("it was cancelled");
                assert!(payload.is::<corun::Cancelled>());
            }
            assert_eq!(descriptors(), before);
            let found = resolver.lookup_ip("quick2.test.").expect("an address");
            assert_eq!(found, [address(2)]);
        });
    }
}

/// The time of a scope is that of the lookup, in coroutines and on threads.
#[test]
fn a_time_limit_ends_a_lookup() {
    const TIME: Duration = Duration::from_millis(50);
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    let late = |name: &str| {
        let began = Instant::now();
        let result = corun::timeout(TIME, || resolver.lookup_ip(name));
        result.expect_err("no answer in time");
        assert!(began.elapsed() >= TIME);
        assert!(began.elapsed() < Duration::from_secs(2));
    };
    let before = descriptors();
    late("silent1.test.");
    assert_eq!(descriptors(), before);
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let before = descriptors();
        runtime.block_on(|| {
            late("silent1.test.");
            corun::scope(|scope| {
                for number in 0..100 {
                    scope.spawn(move || late(&format!("silent{number}.test.")));
                }
            });
        });
        assert_eq!(descriptors(), before);
        // And an async task's own.
        let clone = resolver.clone();
        let task = runtime.spawn_async(async move {
            let lookup = clone.lookup_ip_async("silent1.test.");
            corun::time::timeout_async(TIME, lookup).await.map(drop)
        });
        task.join()
            .expect("no panic")
            .expect_err("no answer in time");
        assert_eq!(descriptors(), before);
    }
}

/// Of two that wait for the same answer, the one who has asked goes. The other gets it.
#[test]
fn whoever_has_asked_may_go() {
    let _alone = alone();
    let server = NameServer::start();
    for workers in [1, 2, 8] {
        let resolver = resolver(server.port());
        runtime(workers).block_on(|| {
            let ask = |resolver: &Resolver| {
                let resolver = resolver.clone();
                corun::spawn(move || resolver.lookup_ip("host6.test."))
            };
            let first = ask(&resolver);
            wait_for_questions(&server, 1);
            let second = ask(&resolver);
            corun::yield_now();
            first.cancel();
            // It may have had its answer by then.
            let _ = first.join();
            let found = second.join().expect("no panic").expect("an address");
            assert_eq!(found, [address(6)]);
        });
    }
}

/// Without a descriptor for its socket a lookup is an error, at once, and the next one works.
#[test]
fn without_descriptors_it_is_an_error() {
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        runtime
            .block_on(|| resolver.lookup_ip("quick1.test."))
            .expect("found");
        limit_descriptors(descriptors() as u64 + 64);
        let mut taken = Vec::new();
        let refused = loop {
            match File::open("/dev/null") {
                Ok(file) => taken.push(file),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.raw_os_error(), Some(libc::EMFILE));
        let began = Instant::now();
        let outcomes = runtime.block_on(|| {
            corun::map_concurrent(0..100, 100, |number| {
                resolver.lookup_ip(&format!("quick{}.test.", 1_000 + number))
            })
        });
        drop(taken);
        real_world::raise_descriptor_limit();
        for outcome in outcomes {
            let error = outcome.expect_err("there is no descriptor");
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error:?}");
            assert_ne!(error.kind(), ErrorKind::NotFound);
        }
        assert!(began.elapsed() < Duration::from_secs(2));
        let found = runtime.block_on(|| resolver.lookup_ip("quick1000.test."));
        assert_eq!(found.expect("found"), [address(1_000)]);
    }
}

fn limit_descriptors(count: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls are given a valid structure.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = count;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
}
