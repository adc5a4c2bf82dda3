//! `r2d2`: many coroutines share the connections of a pool, and wait for their turns on its locks, which are those of `parking_lot`. These keep
//! whoever waits in a thread-local, so that each coroutine has to have its own.

use std::sync::Arc;
use std::time::Duration;

use blocking_world::{alone, as_thread, both_of};
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder};
use r2d2::{ManageConnection, Pool};
use real_world::{MariaDb, Redis};
use redis::Commands;

use crate::{CROWD, LIMIT};

const CONNECTIONS: u32 = 100;

#[test]
fn a_thousand_share_a_hundred_connections_to_redis() {
    let _alone = alone();
    let Some(server) = Redis::start() else { return };
    let url = format!("redis://127.0.0.1:{}/", server.port());
    both_of("r2d2 with redis", CROWD, LIMIT, || {
        let client = redis::Client::open(url.as_str()).expect("an address");
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .connection_timeout(Duration::from_secs(60))
            .build(client)
            .expect("connections");
        as_thread(move |number| {
            let mut connection = pool.get().expect("a connection in time");
            let nothing: Option<(String, String)> = connection
                .blpop(format!("nothing:{number}"), 0.1)
                .expect("a time-out is no error");
            let told: String = redis::cmd("ECHO")
                .arg(number)
                .query(&mut connection)
                .expect("an echo");
            (nothing, told)
        })
    });
}

/// What the crate `r2d2_mysql` has in the same few lines.
struct Manager(Opts);

impl ManageConnection for Manager {
    type Connection = Conn;
    type Error = mysql::Error;

    fn connect(&self) -> Result<Conn, mysql::Error> {
        Conn::new(self.0.clone())
    }

    fn is_valid(&self, connection: &mut Conn) -> Result<(), mysql::Error> {
        connection.ping()
    }

    fn has_broken(&self, _: &mut Conn) -> bool {
        false
    }
}

#[test]
fn a_thousand_share_a_hundred_connections_to_mariadb() {
    let _alone = alone();
    let Some(server) = MariaDb::start() else {
        return;
    };
    let options = OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(server.port())
        .user(Some("anybody"))
        .prefer_socket(false);
    let options = Opts::from(options);
    both_of("r2d2 with mysql", CROWD, LIMIT, || {
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .connection_timeout(Duration::from_secs(60))
            .build(Manager(options.clone()))
            .expect("connections");
        as_thread(move |number| {
            let mut connection = pool.get().expect("a connection in time");
            let query = format!("SELECT SLEEP(0.1), {number}");
            let row: Option<(u8, usize)> = connection.query_first(query).expect("an answer");
            row
        })
    });
}

/// Whoever comes too late is told so, when it is time.
#[test]
fn a_pool_that_is_empty_says_so() {
    let _alone = alone();
    let Some(server) = Redis::start() else { return };
    let url = format!("redis://127.0.0.1:{}/", server.port());
    both_of("r2d2, empty", 100, LIMIT, || {
        let client = redis::Client::open(url.as_str()).expect("an address");
        let pool = Pool::builder()
            .max_size(1)
            .connection_timeout(Duration::from_millis(100))
            .build(client)
            .expect("connections");
        let kept = pool.get().expect("the only one");
        let kept = Arc::new(kept);
        as_thread(move |_| {
            let _ = &kept;
            pool.get().map(|_| ()).map_err(|error| error.to_string())
        })
    });
}
