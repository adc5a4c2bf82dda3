//! Lookups that are given up, and descriptors that run out.

use std::env;
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

use corun::dns::hickory::Resolver;

use real_world::raise_descriptor_limit;

use crate::server::NameServer;
use crate::{address, alone, descriptors, end, on, resolver, runtime};

/// Waits until so many different questions have come.
fn wait_for_questions(server: &NameServer, count: usize) {
    while server.different_questions() < count {
        corun::yield_now();
    }
    server.forget_questions();
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
        server.forget_questions();
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
            // Each of them has asked for two kinds of address.
            wait_for_questions(&server, 4 * MANY);
            assert!(descriptors() > before + 3 * MANY);
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
            assert!(descriptors() <= before);
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
    // On a thread the default runtime's reactors are used, which are started by this.
    resolver.lookup_ip("quick1.test.").expect("found");
    let before = descriptors();
    late("silent1.test.");
    assert!(descriptors() <= before);
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
        assert!(descriptors() <= before);
        // And an async task's own.
        let clone = resolver.clone();
        let task = runtime.spawn_async(async move {
            let lookup = clone.lookup_ip_async("silent1.test.");
            corun::time::timeout_async(TIME, lookup).await.map(drop)
        });
        task.join()
            .expect("no panic")
            .expect_err("no answer in time");
        assert!(descriptors() <= before);
        end(runtime);
    }
}

/// Of two that wait for the same answer, the one who has asked goes. The other gets it.
#[test]
fn whoever_has_asked_may_go() {
    let _alone = alone();
    let server = NameServer::start();
    for workers in [1, 2, 8] {
        let resolver = resolver(server.port());
        on(workers, || {
            let ask = |resolver: &Resolver| {
                let resolver = resolver.clone();
                corun::spawn(move || resolver.lookup_ip("host6.test."))
            };
            let first = ask(&resolver);
            wait_for_questions(&server, 2);
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

/// Without a descriptor for its socket a lookup is an error, at once, and the next one works. In a process of its own, where nobody else opens or closes any.
#[test]
fn without_descriptors_it_is_an_error() {
    const CHILD: &str = "CORUN_TEST_WITHOUT_DESCRIPTORS";
    if env::var_os(CHILD).is_none() {
        let _alone = alone();
        let program = env::current_exe().expect("it has a path");
        let child = Command::new(program)
            .args(["--exact", "endings::without_descriptors_it_is_an_error"])
            .env(CHILD, "1")
            .output()
            .expect("it starts");
        assert!(child.status.success(), "{child:?}");
        return;
    }
    let server = NameServer::start();
    let resolver = resolver(server.port());
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        runtime
            .block_on(|| resolver.lookup_ip("quick1.test."))
            .expect("found");
        limit_descriptors(descriptors() as u64 + 8);
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
        raise_descriptor_limit();
        for outcome in outcomes {
            let error = outcome.expect_err("there is no descriptor");
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error:?}");
        }
        assert!(began.elapsed() < Duration::from_secs(2));
        let found = runtime.block_on(|| resolver.lookup_ip("quick1000.test."));
        assert_eq!(found.expect("found"), [address(1_000)]);
        resolver.get_ref().clear_cache();
        end(runtime);
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
