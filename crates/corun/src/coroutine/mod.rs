//! Coroutines as their users see them: spawning, joining, scopes, handles, parking and locals.

pub(crate) mod awaiting;
pub(crate) mod body;
mod handle;
pub(crate) mod inherited;
mod join;
mod joiner;
mod local;
pub(crate) mod local_map;
mod migratable;
pub(crate) mod outcome;
pub(crate) mod panic;
pub(crate) mod park;
mod scope;
mod slice;
pub(crate) mod spawn;
mod start_error;
pub(crate) mod task;

pub use handle::{Coroutine, CoroutineId, State, current};
pub use inherited::InheritedKey;
pub use join::JoinHandle;
pub use local::{AccessError, LocalKey};
pub use migratable::spawn_migratable;
pub use park::{park, park_timeout};
pub use scope::{Scope, ScopedJoinHandle, scope};
pub use slice::{checkpoint, no_suspend, yield_now};
pub use spawn::{Builder, spawn, spawn_local};
pub use start_error::StartError;
