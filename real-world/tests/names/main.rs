//! `corun::dns::hickory`: names looked up by hickory-resolver on corun, from Debian's dnsmasq and from a server of our own that misbehaves.

mod crowds;
mod dnsmasq;
mod endings;
mod misbehaviour;
mod places;
mod server;
mod tls;
mod without_tokio;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corun::dns::hickory::Resolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use real_world::raise_descriptor_limit;

/// Keeps the other tests of the program from running: descriptors are counted, and times measured.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    raise_descriptor_limit();
    guard
}

/// A runtime with so many workers.
fn runtime(workers: usize) -> corun::Runtime {
    let runtime = corun::Runtime::builder().workers(workers).build();
    runtime.expect("a runtime")
}

/// Runs something in a coroutine on so many workers, and waits for their ends: nothing may be left.
fn on<T: Send>(workers: usize, f: impl FnOnce() -> T + Send) -> T {
    let runtime = runtime(workers);
    let result = runtime.block_on(f);
    end(runtime);
    result
}

fn end(runtime: corun::Runtime) {
    let ended = runtime.shutdown(Duration::from_secs(10));
    ended.expect("nothing is left");
}

/// One that asks the server on this port of 127.0.0.1.
fn resolver(port: u16) -> Resolver {
    resolver_with(port, |_| {})
}

/// The same with other options.
fn resolver_with(port: u16, change: impl FnOnce(&mut ResolverOpts)) -> Resolver {
    let server = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
    resolver_for(vec![at(server, port)], change)
}

fn at(mut server: NameServerConfig, port: u16) -> NameServerConfig {
    for connection in &mut server.connections {
        connection.port = port;
    }
    server
}

fn resolver_for(
    servers: Vec<NameServerConfig>,
    change: impl FnOnce(&mut ResolverOpts),
) -> Resolver {
    let mut options = ResolverOpts::default();
    options.use_hosts_file = ResolveHosts::Never;
    change(&mut options);
    Resolver::new(ResolverConfig::from_name_servers(servers), options).expect("a resolver")
}

/// How many sockets this process has open. What else it has open comes and goes with the workers of runtimes.
fn sockets() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").expect("it is there");
    let what = open
        .flatten()
        .flat_map(|entry| std::fs::read_link(entry.path()));
    what.filter(|what| what.to_string_lossy().starts_with("socket:"))
        .count()
}

/// The address that our server gives `host{number}.test`.
fn address(number: usize) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + number as u32).into()
}
