//! The crate `redis`, synchronous, against Debian's Redis.

use std::time::Duration;

use blocking_world::{alone, both};
use real_world::Redis;
use redis::Commands;

use crate::{CROWD, LIMIT};

#[test]
fn redis_blocks_a_thousand_times_at_once() {
    let _alone = alone();
    let Some(server) = Redis::start() else { return };
    let url = format!("redis://127.0.0.1:{}/", server.port());
    let client = redis::Client::open(url).expect("an address");
    both("redis, BLPOP", CROWD, LIMIT, move |number| {
        let mut connection = client.get_connection().expect("a connection");
        let nothing: Option<(String, String)> = connection
            .blpop(format!("nothing:{number}"), 0.1)
            .expect("a time-out is no error");
        assert_eq!(nothing, None);
        let key = format!("key:{number}");
        let pipeline: (String, Vec<usize>, usize) = redis::pipe()
            .set(&key, format!("{number}: {}", "x".repeat(number)))
            .ignore()
            .get(&key)
            .rpush(format!("list:{number}"), &[number, 1, 2])
            .ignore()
            .lrange(format!("list:{number}"), 0, -1)
            .del(&[key, format!("list:{number}")])
            .query(&mut connection)
            .expect("an answer");
        pipeline
    });
}

/// Half of them wait for what the other half gives them.
#[test]
fn redis_hands_over_between_coroutines() {
    let _alone = alone();
    let Some(server) = Redis::start() else { return };
    let url = format!("redis://127.0.0.1:{}/", server.port());
    let client = redis::Client::open(url).expect("an address");
    both("redis, BLPOP and RPUSH", CROWD, LIMIT, move |number| {
        let mut connection = client.get_connection().expect("a connection");
        let pair = number / 2;
        if number % 2 == 0 {
            let got: Option<(String, String)> = connection
                .blpop(format!("pair:{pair}"), 60.0)
                .expect("it comes");
            got.map(|(_, value)| value)
        } else {
            let count: usize = connection
                .rpush(format!("pair:{pair}"), format!("from {number}"))
                .expect("it is taken");
            assert_eq!(count, 1);
            None
        }
    });
}

#[test]
fn redis_tells_the_same_of_errors() {
    let _alone = alone();
    let Some(server) = Redis::start() else { return };
    let url = format!("redis://127.0.0.1:{}/", server.port());
    let client = redis::Client::open(url).expect("an address");
    let closed = redis::Client::open(format!("redis://127.0.0.1:{}/", real_world::free_port()));
    let closed = closed.expect("an address");
    both("redis, errors", 100, LIMIT, move |number| {
        let refused = closed
            .get_connection()
            .map(|_| ())
            .map_err(|error| error.kind());
        let mut connection = client.get_connection().expect("a connection");
        connection
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a socket");
        let key = format!("text:{number}");
        let () = connection.set(&key, "no number").expect("an answer");
        let wrong = connection
            .incr::<_, _, i64>(&key, 1)
            .map_err(|error| error.to_string());
        let late = connection.blpop::<_, Option<(String, String)>>("nothing", 60.0);
        (
            refused,
            wrong,
            late.map_err(|error| (error.kind(), error.is_timeout())),
        )
    });
}
