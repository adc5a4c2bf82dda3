//! What a runtime is made of: the builder's wishes, completed by the environment and by defaults, and checked.
//!
//! - `CORUN_WORKERS` wins over everything, so that any program can be run with one worker or with sixteen without a change.
//! - `CORUN_STACK_SIZE` replaces the default only, as `RUST_MIN_STACK` does for threads: a size in the code is there for a reason.
//! - `CORUN_STALL_REPORT=0` keeps stalled coroutines from being printed.
//! - `CORUN_IO_URING=0` has files go through the pool of threads, whatever the system could do.
//! - A wrong value is an error that names the variable and the value; nothing is ignored or silently repaired.

use std::error::Error;
use std::ffi::OsString;
use std::time::Duration;
use std::{env, fmt, io, thread};

/// Usable bytes of a coroutine's stack unless something else is asked for. Only the pages that are touched cost memory.
pub(crate) const DEFAULT_STACK_SIZE: usize = corun_context::stack::DEFAULT_SIZE;
/// A panic message with a backtrace does not fit in less.
pub(crate) const MIN_STACK_SIZE: usize = 16 * 1024;
const MAX_STACK_SIZE: usize = 1 << 36;
const MAX_WORKERS: usize = 4096;
const DEFAULT_BLOCKING_THREADS: usize = 512;
const DEFAULT_BLOCKING_QUEUE: usize = 1 << 16;
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(10);

const WORKERS: &str = "CORUN_WORKERS";
const STACK_SIZE: &str = "CORUN_STACK_SIZE";
const IO_URING: &str = "CORUN_IO_URING";
const STALL_REPORT: &str = "CORUN_STALL_REPORT";

/// What a builder was told. `None` means the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) workers: Option<usize>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) thread_name: Option<String>,
    pub(crate) max_blocking_threads: Option<usize>,
    pub(crate) max_blocking_queue: Option<usize>,
    pub(crate) start_paused: bool,
    pub(crate) io_uring: Option<bool>,
}

/// The checked result: every field is in the range that the runtime can work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Worker threads, at least 1.
    pub(crate) workers: usize,
    /// Default stack size of coroutines in bytes.
    pub(crate) stack_size: usize,
    /// Workers are named `NAME-0`, `NAME-1`, ...
    pub(crate) thread_name: String,
    /// The limit of the blocking pool, at least 1.
    pub(crate) max_blocking_threads: usize,
    /// How many calls may wait for a thread of it before some are refused.
    pub(crate) max_blocking_queue: usize,
    /// How long a thread of the blocking pool waits for work before it ends.
    pub(crate) blocking_keep_alive: Duration,
    /// Print coroutines that stall their worker, if nobody has asked to be told of them.
    pub(crate) print_stalls: bool,
    /// The clock stands still from the beginning.
    pub(crate) start_paused: bool,
    /// Files may go through io_uring.
    pub(crate) io_uring: bool,
}

impl Request {
    /// Completes the request from the environment of the process.
    ///
    /// # Errors
    /// `InvalidInput`, with a text that names the value and what would be right.
    pub(crate) fn resolve(self) -> io::Result<Config> {
        let parallelism = || thread::available_parallelism().map_or(1, |count| count.get());
        Ok(self.resolve_in(env::var_os, parallelism)?)
    }

    fn resolve_in(
        self,
        variable: impl Fn(&'static str) -> Option<OsString>,
        parallelism: impl FnOnce() -> usize,
    ) -> Result<Config, ConfigError> {
        let workers = match (read(&variable, WORKERS, parse_count)?, self.workers) {
            (Some(count), _) => in_range(Origin::Variable(WORKERS), count, 1, MAX_WORKERS)?,
            (None, Some(count)) => in_range(Origin::Builder("workers"), count, 1, MAX_WORKERS)?,
            (None, None) => parallelism().clamp(1, MAX_WORKERS),
        };
        let stack_size = match self.stack_size {
            Some(size) => check_stack_size(size, Origin::Builder("stack_size"))?,
            None => match read(&variable, STACK_SIZE, parse_bytes)? {
                Some(size) => check_stack_size(size, Origin::Variable(STACK_SIZE))?,
                None => DEFAULT_STACK_SIZE,
            },
        };
        let thread_name = self.thread_name.unwrap_or_else(|| "corun-worker".into());
        if thread_name.contains('\0') {
            return Err(ConfigError {
                origin: Origin::Builder("thread_name"),
                value: format!("{thread_name:?}"),
                expected: "a name without NUL characters".into(),
            });
        }
        let threads = self
            .max_blocking_threads
            .unwrap_or(DEFAULT_BLOCKING_THREADS);
        let max_blocking_threads = in_range(
            Origin::Builder("max_blocking_threads"),
            threads,
            1,
            usize::MAX,
        )?;
        let print_stalls = read(&variable, STALL_REPORT, parse_switch)? != Some(0);
        Ok(Config {
            workers,
            stack_size,
            thread_name,
            max_blocking_threads,
            max_blocking_queue: self.max_blocking_queue.unwrap_or(DEFAULT_BLOCKING_QUEUE),
            blocking_keep_alive: DEFAULT_KEEP_ALIVE,
            print_stalls,
            start_paused: self.start_paused,
            io_uring: match read(&variable, IO_URING, parse_switch)? {
                Some(switch) => switch != 0,
                None => self.io_uring.unwrap_or(true),
            },
        })
    }
}

/// Checks the stack size that a single coroutine asks for, with the same limits and words as the runtime's default.
///
/// # Errors
/// `InvalidInput` for a size that no stack can have.
pub(crate) fn coroutine_stack_size(size: usize) -> io::Result<usize> {
    Ok(check_stack_size(size, Origin::Builder("stack_size"))?)
}

/// Small sizes are rounded up, as `std::thread::Builder` does; 0 and sizes beyond any machine are mistakes.
fn check_stack_size(size: usize, origin: Origin) -> Result<usize, ConfigError> {
    in_range(origin, size, 1, MAX_STACK_SIZE).map(|size| size.max(MIN_STACK_SIZE))
}

fn in_range(origin: Origin, value: usize, least: usize, most: usize) -> Result<usize, ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let expected = if most == usize::MAX {
        format!("at least {least}")
    } else {
        format!("{least} to {most}")
    };
    Err(ConfigError {
        origin,
        value: value.to_string(),
        expected,
    })
}

/// The variable's value, `None` if it is unset or empty.
fn read(
    variable: impl Fn(&'static str) -> Option<OsString>,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<usize, &'static str>,
) -> Result<Option<usize>, ConfigError> {
    let Some(value) = variable(name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let parsed = match value.to_str() {
        Some(text) => parse(text.trim()),
        None => Err("text in UTF-8"),
    };
    let error = |expected: &str| ConfigError {
        origin: Origin::Variable(name),
        value: format!("{value:?}"),
        expected: expected.into(),
    };
    parsed.map(Some).map_err(error)
}

fn parse_count(text: &str) -> Result<usize, &'static str> {
    text.parse()
        .map_err(|_| "a whole number of worker threads, as in 4")
}

fn parse_switch(text: &str) -> Result<usize, &'static str> {
    match text {
        "0" => Ok(0),
        "1" => Ok(1),
        _ => Err("0 or 1"),
    }
}

/// `65536`, `64K`, `64KiB`, `1M`, `1G`, in either case.
fn parse_bytes(text: &str) -> Result<usize, &'static str> {
    const EXPECTED: &str = "a number of bytes, as in 65536, 64K or 1M";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1_usize,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(EXPECTED),
    };
    let number: usize = number.parse().map_err(|_| EXPECTED)?;
    number.checked_mul(scale).ok_or(EXPECTED)
}

/// Who gave a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Variable(&'static str),
    Builder(&'static str),
}

/// A value that no runtime can be built with. Reaches the caller as the source of an `io::Error` of kind `InvalidInput`.
#[derive(Debug, PartialEq, Eq)]
struct ConfigError {
    origin: Origin,
    value: String,
    expected: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigError {
            origin,
            value,
            expected,
        } = self;
        match origin {
            Origin::Variable(name) => write!(
                f,
                "the environment variable {name} is {value}; expected {expected}"
            ),
            Origin::Builder(name) => write!(f, "`{name}` is {value}; expected {expected}"),
        }
    }
}

impl Error for ConfigError {}

impl From<ConfigError> for io::Error {
    fn from(error: ConfigError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(request: Request, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let lookup = |name: &'static str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        };
        request.resolve_in(lookup, || 6)
    }

    fn error(request: Request, variables: &[(&str, &str)]) -> String {
        let error = io::Error::from(resolve(request, variables).expect_err("a wrong value"));
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        error.to_string()
    }

    #[test]
    fn defaults() {
        let config = resolve(Request::default(), &[]).unwrap();
        assert_eq!(config.workers, 6);
        assert_eq!(config.stack_size, DEFAULT_STACK_SIZE);
        assert_eq!(config.thread_name, "corun-worker");
        assert_eq!(config.max_blocking_threads, 512);
    }

    #[test]
    fn the_environment_wins_for_workers_and_fills_in_for_stacks() {
        let request = Request {
            workers: Some(3),
            stack_size: Some(1 << 20),
            ..Request::default()
        };
        let config = resolve(request, &[(WORKERS, "16"), (STACK_SIZE, "64K")]).unwrap();
        assert_eq!((config.workers, config.stack_size), (16, 1 << 20));
        let config = resolve(Request::default(), &[(WORKERS, " 2 "), (STACK_SIZE, "64K")]).unwrap();
        assert_eq!((config.workers, config.stack_size), (2, 64 << 10));
    }

    #[test]
    fn io_uring_is_allowed_unless_somebody_says_no() {
        let wish = |io_uring| Request {
            io_uring,
            ..Request::default()
        };
        let allowed = |io_uring, variables: &[_]| resolve(wish(io_uring), variables).unwrap();
        assert!(allowed(None, &[]).io_uring);
        assert!(!allowed(Some(false), &[]).io_uring);
        assert!(allowed(Some(false), &[(IO_URING, "1")]).io_uring);
        assert!(!allowed(Some(true), &[(IO_URING, "0")]).io_uring);
        assert!(error(wish(None), &[(IO_URING, "yes")]).contains("expected 0 or 1"));
    }

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        assert_eq!(
            resolve(Request::default(), &[(WORKERS, ""), (STACK_SIZE, "")])
                .unwrap()
                .workers,
            6
        );
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("65536", 65536),
            ("64K", 65536),
            ("64k", 65536),
            ("64 KiB", 65536),
            ("1M", 1 << 20),
            ("1g", 1 << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "K",
            "-1",
            "1.5M",
            "64Q",
            "99999999999999999999",
            "99999999999999G",
            "64 K B",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn errors_name_the_variable_and_the_value() {
        assert_eq!(
            error(Request::default(), &[(WORKERS, "many")]),
            "the environment variable CORUN_WORKERS is \"many\"; expected a whole number of worker threads, as in 4"
        );
        assert_eq!(
            error(Request::default(), &[(WORKERS, "0")]),
            "the environment variable CORUN_WORKERS is 0; expected 1 to 4096"
        );
        assert_eq!(
            error(Request::default(), &[(STACK_SIZE, "big")]),
            "the environment variable CORUN_STACK_SIZE is \"big\"; expected a number of bytes, as in 65536, 64K or 1M"
        );
        assert!(error(Request::default(), &[(STACK_SIZE, "0")]).contains("CORUN_STACK_SIZE is 0"));
    }

    #[test]
    fn errors_name_the_method_of_the_builder() {
        assert_eq!(
            error(
                Request {
                    workers: Some(0),
                    ..Request::default()
                },
                &[]
            ),
            "`workers` is 0; expected 1 to 4096"
        );
        let none = Request {
            max_blocking_threads: Some(0),
            ..Request::default()
        };
        assert_eq!(
            error(none, &[]),
            "`max_blocking_threads` is 0; expected at least 1"
        );
        let name = Request {
            thread_name: Some("a\0b".into()),
            ..Request::default()
        };
        assert!(error(name, &[]).starts_with("`thread_name` is \"a\\0b\""));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_text() {
        use std::os::unix::ffi::OsStringExt;
        let lookup = |name| (name == WORKERS).then(|| OsString::from_vec(vec![0xff]));
        let error = Request::default().resolve_in(lookup, || 1).unwrap_err();
        assert!(error.to_string().contains("CORUN_WORKERS"), "{error}");
    }

    #[test]
    fn small_stacks_are_rounded_up() {
        let config = resolve(
            Request {
                stack_size: Some(1),
                ..Request::default()
            },
            &[],
        )
        .unwrap();
        assert_eq!(config.stack_size, MIN_STACK_SIZE);
        assert_eq!(
            coroutine_stack_size(0).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
