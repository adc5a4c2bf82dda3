//! Where a resolver may be used, and how long.

use std::sync::Arc;

use corun::dns::hickory::Resolver;

use crate::server::NameServer;
use crate::{address, alone, end, on, resolver, runtime};

/// In a coroutine, one that changes threads, an async task, on a plain thread, and on an executor of somebody else's. By UDP, and by TCP on one
/// connection.
#[test]
fn one_resolver_serves_all() {
    let _alone = alone();
    let server = NameServer::start();
    for (workers, kind) in [1, 2, 8].into_iter().zip(["host", "big", "quick"]) {
        let resolver = resolver(server.port());
        let runtime = runtime(workers);
        let name = move |number| format!("{kind}{number}.test.");
        let ask = move |resolver: &Resolver, number| {
            let found = resolver.lookup_ip(&name(number)).expect("an address");
            assert_eq!(found, [address(number)]);
        };
        let ask_async = move |resolver: Resolver, number| async move {
            let found = resolver.lookup_ip_async(&name(number)).await;
            assert_eq!(found.expect("an address"), [address(number)]);
        };
        runtime.block_on(|| ask(&resolver, 1));
        let clone = resolver.clone();
        runtime.block_on(move || {
            // SAFETY: nothing of this thread is kept across a suspension.
            let migratable = unsafe { corun::spawn_migratable(move || ask(&clone, 2)) };
            migratable.join().expect("no panic");
        });
        let task = runtime.spawn_async(ask_async(resolver.clone(), 3));
        task.join().expect("no panic");
        ask(&resolver, 4);
        corun::block_on(ask_async(resolver.clone(), 5));
        let program = tokio::runtime::Builder::new_current_thread().build();
        let program = program.expect("a runtime of tokio's");
        program.block_on(ask_async(resolver.clone(), 6));
        let local = corun::runtime::LocalRuntime::new().expect("a runtime");
        local.block_on(|| ask(&resolver, 7));
    }
}

/// A runtime ends though a resolver that was used on it lives, with a connection open; and the resolver goes on on another one, and on a thread.
#[test]
fn a_resolver_outlives_runtimes_and_keeps_none() {
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    for workers in [1, 2, 8] {
        let first = runtime(workers);
        for name in ["quick1.test.", "big1.test."] {
            let found = first.block_on(|| resolver.lookup_ip(name)).expect("found");
            assert_eq!(found, [address(1)]);
        }
        end(first);
        resolver.get_ref().clear_cache();
        for name in ["quick1.test.", "big1.test."] {
            let found = on(1, || resolver.lookup_ip(name));
            assert_eq!(found.expect("found"), [address(1)]);
            resolver.get_ref().clear_cache();
            let found = resolver.lookup_ip(name).expect("found");
            assert_eq!(found, [address(1)]);
            resolver.get_ref().clear_cache();
        }
    }
}

/// The child of a fork has a resolver with everything but the tasks that serve its connections.
#[test]
fn a_forked_child_makes_connections_of_its_own() {
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    let ask = |number| {
        ["quick", "big"].into_iter().all(|kind| {
            let found = resolver.lookup_ip(&format!("{kind}{number}.test."));
            found.is_ok_and(|found| found == [address(number)])
        })
    };
    assert!(ask(1));
    // SAFETY: the child does what corun allows, and leaves.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: no memory is involved. It would wait for ever if nobody serves its connection.
        unsafe { libc::alarm(20) };
        let passed = ask(2);
        // SAFETY: nothing of this process is wanted any more.
        unsafe { libc::_exit(if passed { 7 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: waits for the child from above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7,
        "{status}"
    );
    assert!(ask(3), "the parent has not noticed");
}

/// In the poll of a task the call that blocks is refused, and says what to do.
#[test]
fn a_task_that_would_block_is_told_so() {
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    let task = runtime(1).spawn_async(async move { resolver.lookup_ip("host1.test.").map(drop) });
    let payload = task.join().expect_err("it panics");
    let said = payload.downcast_ref::<String>().map(String::as_str);
    let said = said.or(payload.downcast_ref::<&str>().copied());
    assert!(said.is_some_and(|said| said.contains("await")), "{said:?}");
}

/// The configuration of the system is whatever it is here; a machine without one gets an error.
#[test]
fn the_systems_configuration() {
    let _alone = alone();
    match on(2, Resolver::system) {
        Ok(resolver) => {
            // Nobody is asked for this name.
            let found = resolver.lookup_ip("localhost").expect("it is always there");
            assert!(found.iter().all(|ip| ip.is_loopback()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

corun::coroutine_local! {
    static inherit ORDER: Order;
}

struct Order(#[expect(dead_code, reason = "it is counted")] Arc<()>);

/// A connection is everybody's: it keeps nothing of what was bound where it was made.
#[test]
fn connections_inherit_nothing() {
    let _alone = alone();
    let server = NameServer::start();
    let resolver = resolver(server.port());
    let order = Arc::new(());
    let bound = Order(Arc::clone(&order));
    let runtime = runtime(1);
    runtime.block_on(|| {
        ORDER.with_value(bound, || resolver.lookup_ip("big1.test.").expect("found"));
    });
    end(runtime);
    assert_eq!(server.questions().1, 2, "there was a connection");
    assert_eq!(Arc::strong_count(&order), 1);
    drop(resolver);
}
