//! The crate `mysql` against Debian's MariaDB.

use std::sync::Arc;

use blocking_world::{alone, both, both_of};
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, TxOpts};
use real_world::MariaDb;

use crate::{CROWD, LIMIT};

fn options(server: &MariaDb) -> Opts {
    OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(server.port())
        .user(Some("anybody"))
        .db_name(Some("test"))
        .prefer_socket(false)
        .into()
}

#[test]
fn mysql_sleeps_a_thousand_times_at_once() {
    let _alone = alone();
    let Some(server) = MariaDb::start() else {
        return;
    };
    let options = options(&server);
    assert_eq!(MariaDb::CONNECTIONS, CROWD);
    both("mysql", CROWD, LIMIT, move |number| {
        let mut connection = Conn::new(options.clone()).expect("a connection");
        let slept: Option<u8> = connection
            .query_first("SELECT SLEEP(0.1)")
            .expect("an answer");
        let row: Option<(usize, String)> = connection
            .exec_first("SELECT ?, REPEAT(?, ?)", (number, "x", number))
            .expect("an answer");
        (slept, row)
    });
}

/// Prepared statements, transactions, large results, and errors of the server.
#[test]
fn mysql_tells_the_same_of_everything() {
    let _alone = alone();
    let Some(mut server) = MariaDb::start() else {
        return;
    };
    let first = options(&server);
    let socket = OptsBuilder::from_opts(first.clone())
        .socket(Some(server.socket()))
        .prefer_socket(true);
    let second = Opts::from(socket);
    both("mysql, tables", 50, LIMIT, move |number| {
        // On both sorts of socket.
        let options = if number % 2 == 0 { &first } else { &second };
        let mut connection = Conn::new(options.clone()).expect("a connection");
        let error = connection
            .query_drop("SELECT * FROM nowhere")
            .expect_err("no such table");
        connection
            .query_drop("CREATE TEMPORARY TABLE mine (id INT PRIMARY KEY, text LONGTEXT)")
            .expect("a table");
        let rows = (0..20).map(|id| (id, format!("{id} of {number}")));
        let insert = "INSERT INTO mine VALUES (?, ?)";
        connection.exec_batch(insert, rows).expect("they are new");
        let doubled = connection
            .exec_drop(insert, (7, "again"))
            .expect_err("it is there");
        let mut transaction = connection
            .start_transaction(TxOpts::default())
            .expect("a transaction");
        let large: Option<String> = transaction
            .query_first("SELECT REPEAT('0123456789', 300000)")
            .expect("an answer");
        transaction.commit().expect("it is good");
        let all: Vec<(u32, String)> = connection
            .query("SELECT * FROM mine ORDER BY id")
            .expect("rows");
        (
            error.to_string(),
            doubled.to_string(),
            large.map(|text| text.len()),
            all,
        )
    });

    // A server that dies while it is asked.
    let options = Arc::new(options(&server));
    let running = std::thread::spawn(move || {
        blocking_world::coroutines(50, move |_| {
            let mut connection = Conn::new(Opts::clone(&options)).expect("a connection");
            let marked: Option<u8> = connection.query_first("SELECT 1").expect("an answer");
            assert_eq!(marked, Some(1));
            connection.query_drop("SELECT SLEEP(1000)").is_err()
        })
    });
    // They are seen to sleep by the server itself, through a connection of a thread.
    let mut connection = Conn::new(self::options(&server)).expect("a connection");
    let asleep =
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'";
    while connection
        .query_first::<usize, _>(asleep)
        .expect("an answer")
        != Some(50)
    {
        std::thread::yield_now();
    }
    server.kill();
    let told = running.join().expect("no panic").results;
    assert!(told.into_iter().all(|failed| failed), "each was told");
}

/// The pool of the crate `mysql` itself, which has locks of std's.
#[test]
fn a_thousand_share_the_pool_of_the_crate() {
    let _alone = alone();
    let Some(server) = MariaDb::start() else {
        return;
    };
    let options = OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(server.port())
        .user(Some("anybody"))
        .prefer_socket(false)
        .pool_opts(
            PoolOpts::default()
                .with_constraints(PoolConstraints::new(10, 100).expect("10 are fewer")),
        );
    let options = Opts::from(options);
    both_of("mysql's own pool", CROWD, LIMIT, || {
        let pool = Arc::new(Pool::new(options.clone()).expect("connections"));
        move |number| {
            let mut connection = pool.get_conn().expect("a connection");
            let query = format!("SELECT SLEEP(0.1), {number}");
            let row: Option<(u8, usize)> = connection.query_first(query).expect("an answer");
            row
        }
    });
}
