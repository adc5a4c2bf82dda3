//! Bridges to the async world, each behind the feature of its name.

#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(any(feature = "hyper", feature = "tokio"))]
mod io;
#[cfg(feature = "tokio")]
pub mod tokio;
