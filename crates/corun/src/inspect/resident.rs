//! One coroutine, as others see it: who it is, what it does, and where.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::coroutine::{Coroutine, State};

/// A coroutine, and what it was doing.
#[derive(Clone)]
pub(crate) struct Resident {
    pub(crate) coroutine: Coroutine,
    pub(crate) state: State,
    /// Where it was suspended, or was running: the innermost first.
    pub(crate) frames: Arc<[usize]>,
}

/// In one line.
impl fmt::Display for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coroutine = &self.coroutine;
        f.write_str(if coroutine.task().is_guest() {
            "async task "
        } else {
            "coroutine "
        })?;
        if let Some(name) = coroutine.name() {
            write!(f, "'{name}' ")?;
        }
        let (id, site) = (coroutine.id(), coroutine.spawn_site());
        write!(f, "({id}), spawned at {site}, ")?;
        match self.state {
            State::Suspended => write!(f, "waited{}", Whereabouts(&self.frames)),
            State::Running => write!(f, "was running{}", Whereabouts(&self.frames)),
            _ => f.write_str("was ready to run"),
        }
    }
}

/// Where a coroutine was, in one line: the innermost frame that is neither corun's nor of the standard library.
struct Whereabouts<'a>(&'a [usize]);

impl fmt::Display for Whereabouts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &address in self.0 {
            let mut result = None;
            backtrace::resolve(std::ptr::with_exposed_provenance_mut(address), |symbol| {
                let Some(name) = symbol.name() else { return };
                let name = format!("{name:#}");
                let file = symbol.filename();
                if result.is_some() || is_inner(&name) || file.is_some_and(is_inner_file) {
                    return;
                }
                result = Some(match (file, symbol.lineno()) {
                    (Some(file), Some(line)) => {
                        write!(f, " in {name} at {}:{line}", file.display())
                    }
                    _ => write!(f, " in {name}"),
                });
            });
            if let Some(result) = result {
                return result;
            }
        }
        Ok(())
    }
}

/// Is it a file of corun's, or of the standard library? With tables of lines alone (`debug = "line-tables-only"`), functions have no paths.
fn is_inner_file(file: &Path) -> bool {
    // In a workspace, and in a registry.
    const FOLDERS: [&str; 4] = [
        "/corun/src/",
        "/corun-context/src/",
        concat!("/corun-", env!("CARGO_PKG_VERSION"), "/src/"),
        concat!("/corun-context-", env!("CARGO_PKG_VERSION"), "/src/"),
    ];
    let file = file.to_string_lossy();
    file.starts_with("/rustc/") || FOLDERS.iter().any(|folder| file.contains(folder))
}

/// Is it a function of corun's, or of the standard library?
fn is_inner(name: &str) -> bool {
    let path = name.trim_start_matches(['<', '&', ' ']);
    let path = path.strip_prefix("dyn ").unwrap_or(path);
    let inner = ["corun", "corun_context", "core", "std", "alloc"];
    inner.iter().any(|&of| {
        path.strip_prefix(of)
            .is_some_and(|rest| rest.starts_with("::") || rest.starts_with('['))
    })
}
