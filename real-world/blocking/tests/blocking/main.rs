//! Blocking crates, unmodified, on OS threads and as coroutines: the same results of both, and 1,000 coroutines that wait together.

mod c_libraries;
mod http;
mod mysql_crate;
mod pools;
mod postgres_crate;
mod preloaded;
mod processes;
mod redis_crate;
mod sqlite;
mod std_net;
mod websocket;

use std::time::Duration;

/// How many there are of everything.
const CROWD: usize = 1_000;

/// What a crowd may take that waits 100 ms, with all that it does before and after. One after the other they would take 100 s, and on
/// 2 workers that they block 50 s. On a quiet machine it is far below 2 s; docs/blocking-world.md has the figures.
const LIMIT: Duration = Duration::from_secs(10);
