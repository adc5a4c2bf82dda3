//! The crate `tokio-postgres` in coroutines, by the bridge to tokio, against Debian's PostgreSQL.

use std::time::{Duration, Instant};

use real_world::Postgres;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::runtime;

/// A connection, which tokio's thread looks after.
fn connect(port: u16) -> Client {
    let config = format!("host=127.0.0.1 port={port} user=postgres");
    let (client, connection) =
        corun::tokio::block_on(|| async move { tokio_postgres::connect(&config, NoTls).await })
            .expect("a connection");
    corun::tokio::handle().spawn(connection);
    client
}

#[test]
fn every_connection_sleeps_at_once() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let port = server.port();
    for workers in [1, 2, 8] {
        let took = runtime(workers).block_on(move || {
            let clients: Vec<_> = (0..Postgres::CONNECTIONS)
                .map(|_| corun::spawn(move || connect(port)))
                .collect();
            let clients: Vec<_> = clients
                .into_iter()
                .map(|client| client.join().expect("no panic"))
                .collect();
            let began = Instant::now();
            let sleepers: Vec<_> = clients
                .into_iter()
                .enumerate()
                .map(|(number, client)| {
                    corun::spawn(move || {
                        let number = number as i32;
                        let query = "SELECT $1::int, pg_sleep(0.1)";
                        let row = corun::tokio::block_on(async || {
                            client.query_one(query, &[&number]).await
                        });
                        assert_eq!(row.expect("a row").get::<_, i32>(0), number);
                    })
                })
                .collect();
            for sleeper in sleepers {
                sleeper.join().expect("no panic");
            }
            began.elapsed()
        });
        // One after the other they would take 10 s.
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

/// Several coroutines share a connection, and their queries are on their way at once.
#[test]
fn coroutines_share_a_connection() {
    let Some(server) = Postgres::start() else {
        return;
    };
    runtime(2).block_on(|| {
        let client = connect(server.port());
        let nowhere = corun::tokio::block_on(|| client.simple_query("SELECT * FROM nowhere"));
        let nowhere = nowhere.expect_err("no such table");
        assert_eq!(nowhere.code(), Some(&SqlState::UNDEFINED_TABLE));
        corun::scope(|scope| {
            for number in 0..200_i32 {
                let client = &client;
                scope.spawn(move || {
                    let query = "SELECT 2 * $1::int";
                    let row =
                        corun::tokio::block_on(async || client.query_one(query, &[&number]).await);
                    assert_eq!(row.expect("a row").get::<_, i32>(0), 2 * number);
                });
            }
        });
    });
}

/// A query that is given up leaves the connection usable; one whose server dies ends with an error.
#[test]
fn queries_are_given_up_and_servers_die() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    runtime(2).block_on(|| {
        let client = connect(server.port());
        let cancel = client.cancel_token();
        let late = corun::timeout(Duration::from_millis(50), || {
            corun::tokio::block_on(|| client.simple_query("SELECT pg_sleep(1000)")).map(drop)
        });
        assert!(late.is_err(), "it was given up");
        corun::tokio::block_on(|| cancel.cancel_query(NoTls)).expect("the server is asked");
        let row = corun::tokio::block_on(|| client.query_one("SELECT 7", &[]));
        assert_eq!(row.expect("a row").get::<_, i32>(0), 7);

        let waiting = corun::spawn(move || {
            corun::tokio::block_on(|| client.simple_query("SELECT pg_sleep(1000)")).map(drop)
        });
        let other = connect(server.port());
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
        while corun::tokio::block_on(|| other.query_one(asleep, &[]))
            .expect("a row")
            .get::<_, i64>(0)
            == 0
        {
            corun::yield_now();
        }
        server.kill();
        assert!(waiting.join().expect("no panic").is_err());
    });
}
