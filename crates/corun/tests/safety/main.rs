//! What docs/safety.md says of thread locals and locks of std. One program, since each is linked four times in CI.

mod lazy_thread_local;
mod migratable;
mod no_suspend;
mod pinned;
mod refcell_in_thread_local;
mod scoped_tls;
