//! `rusqlite` with the SQLite that it brings, which calls itself from C, sleeps in C and locks files.

use std::thread;
use std::time::Duration;

use blocking_world::{DELAY, alone, both, both_of};
use real_world::Folder;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, TransactionBehavior};

use crate::{CROWD, LIMIT};

/// A function of SQL sleeps, below the frames of SQLite's own.
#[test]
fn a_thousand_queries_sleep_at_once() {
    let _alone = alone();
    both("rusqlite", CROWD, LIMIT, |number| {
        let connection = Connection::open_in_memory().expect("a database");
        let nap = |context: &rusqlite::functions::Context<'_>| {
            thread::sleep(DELAY);
            context.get::<i64>(0)
        };
        connection
            .create_scalar_function("nap", 1, FunctionFlags::SQLITE_UTF8, nap)
            .expect("a function");
        let sum: i64 = connection
            .query_row("SELECT nap(?1) + ?1", [number as i64], |row| row.get(0))
            .expect("a row");
        sum
    });
}

/// All write to one file, and each sleeps while it holds the lock on it. The others wait as SQLite does, by sleeping and trying again; if that
/// blocked the workers, the one that has the lock could never go on.
#[test]
fn writers_take_turns_at_one_file() {
    let _alone = alone();
    let count = 40;
    both_of("rusqlite, one file", count, 3 * LIMIT, || {
        let folder = Folder::new();
        let path = folder.file("database");
        let connection = Connection::open(&path).expect("a database");
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE total (sum INTEGER); INSERT INTO total VALUES (0)")
            .expect("a table");
        move |number| {
            let _ = &folder;
            let mut connection = Connection::open(&path).expect("a database");
            connection
                .busy_timeout(Duration::from_secs(60))
                .expect("a time");
            connection
                .pragma_update(None, "synchronous", "OFF")
                .expect("a pragma");
            let behaviour = TransactionBehavior::Immediate;
            let transaction = connection
                .transaction_with_behavior(behaviour)
                .expect("the lock");
            let sum: i64 = transaction
                .query_row("SELECT sum FROM total", [], |row| row.get(0))
                .expect("a row");
            thread::sleep(Duration::from_millis(2));
            transaction
                .execute("UPDATE total SET sum = ?1", [sum + number as i64])
                .expect("the lock is ours");
            transaction.commit().expect("the lock is ours");
            // The last to commit sees them all; this one sees at least its own.
            let sum: i64 = connection
                .query_row("SELECT sum FROM total", [], |row| row.get(0))
                .expect("a row");
            let all = (count * (count - 1) / 2) as i64;
            assert!((number as i64..=all).contains(&sum), "{sum}");
        }
    });
}
