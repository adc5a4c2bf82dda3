//! One file per architecture, each offering the same three functions: `switch`, `switch_final` and `prepare`.

#[cfg(all(target_arch = "x86_64", not(windows)))]
mod x86_64;
#[cfg(all(target_arch = "x86_64", not(windows)))]
pub(crate) use x86_64::*;
