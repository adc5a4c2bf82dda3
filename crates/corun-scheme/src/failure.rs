//! What a callback gets, and a waiting task is raised, when work on the workers has failed.

use std::error::Error;
use std::fmt;

use steel::SteelVal;
use steel::rvals::{Custom, IntoSteelVal};

/// Why, in words. For scripts: `http-error?` and `http-error-message`.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    message: String,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
        }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn into_value(self) -> SteelVal {
        match self.into_steelval() {
            Ok(value) => value,
            Err(error) => {
                unreachable!("a value of ours is always one of the interpreter's: {error}")
            }
        }
    }
}

impl<E: Error> From<E> for Failure {
    /// With the causes, as errors of TLS and of HTTP say little without them.
    fn from(error: E) -> Failure {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Failure { message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Custom for Failure {
    fn fmt(&self) -> Option<Result<String, fmt::Error>> {
        Some(Ok(format!("#<http-error: {}>", self.message)))
    }
}
