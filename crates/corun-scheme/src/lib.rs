#![doc = include_str!("../README.md")]

mod arguments;
mod failure;
mod headers;
mod host;
mod http;
mod procedures;
mod progress;
mod repl;
mod report;
mod script;
mod tcp;

pub use script::{Options, Script};
