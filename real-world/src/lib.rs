//! What the tests of this crate share: they start servers and clients that the system has, such as `redis-server` and `curl`, and need
//! to know whether it has them.
//!
//! A program that is not installed makes its tests say so and pass, unless `CORUN_REQUIRE_REAL` is set: then they fail. `.ci/run`
//! installs the programs and sets the variable.

mod daemon;
mod databases;
mod names;

pub use daemon::{Daemon, Folder, raise_descriptor_limit};
pub use databases::{MariaDb, Postgres, Redis};
pub use names::Dnsmasq;

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// Whether all of these programs are installed; says which one is not.
///
/// # Panics
/// If one is missing and `CORUN_REQUIRE_REAL` is set.
pub fn installed(programs: &[&str]) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    for program in programs {
        if !env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
            assert!(
                env::var_os("CORUN_REQUIRE_REAL").is_none(),
                "{program} is not installed, and CORUN_REQUIRE_REAL is set"
            );
            // Not by `eprintln`, whose output the test harness keeps from view while all is well.
            let said = writeln!(io::stderr(), "SKIPPED: {program} is not installed");
            said.expect("standard error");
            return false;
        }
    }
    true
}

/// Runs a program to its end and returns what it wrote.
///
/// # Panics
/// If it cannot be started or fails; the message has what it wrote.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{out}\n{err}",
        output.status
    );
    out.into_owned()
}

/// A port that nothing listens on at the moment, for servers that want to be told one.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// A server in a process of its own, which ends with this value.
pub struct Server(Child);

impl Server {
    /// Starts it and waits until it has written a line that contains `ready`.
    ///
    /// # Panics
    /// If it cannot be started, or ends without having written that.
    pub fn start(program: &str, arguments: &[&str], ready: &str) -> Server {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut server = Server(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{program}: {error}")),
        );
        let mut lines = BufReader::new(server.0.stdout.take().expect("it is piped")).lines();
        let mut seen = Vec::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains(ready) => break,
                Some(Ok(line)) => seen.push(line),
                end => panic!(
                    "{program} never wrote {ready:?} ({end:?}), but:\n{}",
                    seen.join("\n")
                ),
            }
        }
        // Keeps its pipe from filling up or breaking.
        std::thread::spawn(move || lines.for_each(drop));
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which its client will have noticed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
