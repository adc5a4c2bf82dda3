//! Lookups that are given up, and descriptors that run out.

use std::env;
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

use corun::dns::hickory::Resolver;

use real_world::raise_descriptor_limit;

use crate::server::NameServer;
use crate::{address, alone, end, on, resolver, runtime, sockets};

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
    const MANY: usize = 200;
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        runtime
            .block_on(|| resolver.lookup_ip("quick1.test."))
            .expect("found");
        let before = sockets();
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
            assert!(sockets() > before + 3 * MANY);
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
            assert!(sockets() <= before);
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
    let before = sockets();
    late("silent1.test.");
    assert!(sockets() <= before);
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let before = sockets();
        runtime.block_on(|| {
            late("silent1.test.");
            corun::scope(|scope| {
                for number in 0..100 {
                    scope.spawn(move || late(&format!("silent{number}.test.")));
                }
            });
        });
        assert!(sockets() <= before);
        // And an async task's own.
        let clone = resolver.clone();
        let task = runtime.spawn_async(async move {
            let lookup = clone.lookup_ip_async("silent1.test.");
            corun::time::timeout_async(TIME, lookup).await.map(drop)
        });
        task.join()
            .expect("no panic")
            .expect_err("no answer in time");
        assert!(sockets() <= before);
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

/// Without a descriptor for its socket a lookup is an error, at once, and the next one works. In processes of their own, where hardly anybody else opens or
/// closes any.
#[test]
fn without_descriptors_it_is_an_error() {
    const CHILD: &str = "CORUN_TEST_WITHOUT_DESCRIPTORS";
    if let Some(workers) = env::var_os(CHILD) {
        let workers = workers.to_str().and_then(|workers| workers.parse().ok());
        return without_descriptors(workers.expect("a number"));
    }
    let _alone = alone();
    let program = env::current_exe().expect("it has a path");
    for workers in ["1", "2", "8"] {
        let child = Command::new(&program)
            .args(["--exact", "endings::without_descriptors_it_is_an_error"])
            .env(CHILD, workers)
            .output()
            .expect("it starts");
        assert!(child.status.success(), "{workers} workers: {child:?}");
    }
}

fn without_descriptors(workers: usize) {
    const MANY: usize = 100;
    let server = NameServer::start();
    let resolver = resolver(server.port());
    let runtime = runtime(workers);
    let ask = |number: usize| resolver.lookup_ip(&format!("quick{number}.test."));
    runtime.block_on(|| ask(0)).expect("found");
    limit_descriptors(256);
    let mut taken = Vec::new();
    let refused = loop {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.raw_os_error(), Some(libc::EMFILE));
    let began = Instant::now();
    let outcomes = runtime.block_on(|| corun::map_concurrent(1..=MANY, MANY, ask));
    drop(taken);
    raise_descriptor_limit();
    assert!(began.elapsed() < Duration::from_secs(5));
    let errors: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    for error in &errors {
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error:?}");
    }
    // A worker that ended just now has left a descriptor or two.
    assert!(errors.len() > MANY / 2, "{}", errors.len());
    let found = runtime.block_on(|| corun::map_concurrent(1..=MANY, MANY, ask));
    for (number, found) in (1..).zip(found) {
        assert_eq!(found.expect("found"), [address(number)]);
    }
    end(runtime);
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
