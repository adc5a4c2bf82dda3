//! The crate `postgres` against Debian's PostgreSQL. Each of its calls is a `block_on` of tokio's, of which a thread can be in one only: its
//! coroutines have thread-locals of their own.

use blocking_world::{alone, as_thread, both};
use postgres::{Client, NoTls};
use real_world::Postgres;

use crate::LIMIT;

#[test]
fn postgres_sleeps_on_every_connection_at_once() {
    let _alone = alone();
    let Some(server) = Postgres::start() else {
        return;
    };
    let config = format!("host=127.0.0.1 port={} user=postgres", server.port());
    both(
        "postgres, 10 x 0.1 s each",
        Postgres::CONNECTIONS,
        LIMIT,
        as_thread(move |number| {
            let mut client = Client::connect(&config, NoTls).expect("a connection");
            for _ in 0..10 {
                client
                    .execute("SELECT pg_sleep(0.1)", &[])
                    .expect("an answer");
            }
            let row = client
                .query_one("SELECT $1::int, repeat('x', $1)", &[&(number as i32)])
                .expect("a row");
            (row.get::<_, i32>(0), row.get::<_, String>(1))
        }),
    );
}

#[test]
fn postgres_tells_the_same_of_everything() {
    let _alone = alone();
    let Some(server) = Postgres::start() else {
        return;
    };
    let first = format!("host=127.0.0.1 port={} user=postgres", server.port());
    let folder = server.socket_folder().display();
    let second = format!("host={folder} port={} user=postgres", server.port());
    both(
        "postgres, tables",
        20,
        LIMIT,
        as_thread(move |number| {
            let config = if number % 2 == 0 { &first } else { &second };
            let mut client = Client::connect(config, NoTls).expect("a connection");
            let error = client
                .query("SELECT * FROM nowhere", &[])
                .expect_err("no such table");
            let code = error.code().map(|code| code.code().to_owned());
            client
                .batch_execute("CREATE TEMPORARY TABLE mine (id INT PRIMARY KEY, text TEXT)")
                .expect("a table");
            let mut transaction = client.transaction().expect("a transaction");
            for id in 0..20 {
                let insert = "INSERT INTO mine VALUES ($1, $2)";
                let text = format!("{id} of {number}");
                transaction
                    .execute(insert, &[&id, &text])
                    .expect("it is new");
            }
            transaction.commit().expect("it is good");
            let large: String = client
                .query_one("SELECT repeat('0123456789', 300000)", &[])
                .expect("a row")
                .get(0);
            let rows = client
                .query("SELECT * FROM mine ORDER BY id", &[])
                .expect("rows");
            let rows: Vec<(i32, String)> =
                rows.iter().map(|row| (row.get(0), row.get(1))).collect();
            (code, large.len(), rows)
        }),
    );
}
