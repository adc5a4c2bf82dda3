//! Coroutines in the shape of threads. One program, since each is linked four times in CI.

mod builder;
mod generators;
mod handle_state_at_end;
mod join;
mod join_across_runtimes;
mod local;
mod park;
mod scope;
mod spawn_local;
mod std_names;
