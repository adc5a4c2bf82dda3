//! What the command does with scripts, from outside: one process for each script, and servers of this process's own.

mod command;
mod examples;
mod http;
mod support;
mod tasks;
mod tcp;
mod tls;
