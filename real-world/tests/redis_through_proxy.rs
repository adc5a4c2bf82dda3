//! The example `echo_proxy` between a real Redis server and its own tools.

#[path = "../../crates/corun/examples/echo_proxy.rs"]
#[allow(dead_code)]
mod echo_proxy;

use std::net::SocketAddr;

use real_world::{Server, free_port, installed, run};

/// A Redis server that keeps nothing, and a proxy in front of it.
fn start() -> (Server, String) {
    let port = free_port().to_string();
    let arguments = [
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ];
    let server = Server::start("redis-server", &arguments, "Ready to accept connections");
    let upstream: SocketAddr = format!("127.0.0.1:{port}").parse().expect("an address");
    let listener = corun::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("bound").port().to_string();
    corun::spawn(move || echo_proxy::serve(&listener, upstream));
    (server, port)
}

#[test]
fn redis_benchmark_runs_through_the_proxy() {
    if !installed(&["redis-server", "redis-benchmark"]) {
        return;
    }
    let (_server, port) = start();
    for pipeline in ["1", "16"] {
        let tests = "ping_mbulk,set,get,lpush,lrange_100";
        let out = run(
            "redis-benchmark",
            &[
                "-p", &port, "-t", tests, "-n", "10000", "-c", "50", "-P", pipeline, "--csv",
            ],
        );
        for test in ["PING_MBULK", "SET", "GET", "LPUSH", "LRANGE_100"] {
            let row = out
                .lines()
                .find(|line| line.starts_with(&format!("\"{test}")));
            let rate =
                row.and_then(|row| row.split(',').nth(1)?.trim_matches('"').parse::<f64>().ok());
            assert!(
                rate.is_some_and(|rate| rate > 0.0),
                "no figure for {test} in:\n{out}"
            );
        }
    }
}

#[test]
fn a_large_value_comes_back_as_it_went() {
    if !installed(&["redis-server", "redis-cli"]) {
        return;
    }
    let (_server, port) = start();
    assert_eq!(
        run(
            "redis-cli",
            &["-p", &port, "setrange", "key", "4194303", "x"]
        )
        .trim(),
        "4194304"
    );
    let value = run("redis-cli", &["-p", &port, "--raw", "get", "key"]);
    assert_eq!(value.trim_end_matches('\n').len(), 4_194_304);
    assert!(value.trim_end().ends_with("\0x"));
}

#[test]
fn two_hundred_clients_at_once() {
    if !installed(&["redis-server", "redis-benchmark"]) {
        return;
    }
    let (_server, port) = start();
    let out = run(
        "redis-benchmark",
        &[
            "-p", &port, "-t", "incr", "-n", "20000", "-c", "200", "--csv",
        ],
    );
    assert!(out.contains("\"INCR\""), "{out}");
    let count = run(
        "redis-cli",
        &["-p", &port, "--raw", "get", "counter:__rand_int__"],
    );
    assert_eq!(count.trim(), "20000", "every INCR was carried out once");
}
