//! Debian's dnsmasq, as a name server with records of its own.

use std::net::UdpSocket;
use std::path::Path;

use crate::databases::missing;
use crate::{Daemon, free_port};

const PROGRAM: &str = "/usr/sbin/dnsmasq";

/// A dnsmasq server on 127.0.0.1 that knows what it is told, and asks nobody.
pub struct Dnsmasq {
    port: u16,
    arguments: Vec<String>,
    server: Daemon,
}

impl Dnsmasq {
    /// Starts one with these options of the command line, if it is installed.
    ///
    /// # Panics
    /// If it does not start; if it is not installed where it has to be.
    pub fn start(options: &[&str]) -> Option<Dnsmasq> {
        if !Path::new(PROGRAM).exists() {
            missing("dnsmasq");
            return None;
        }
        let port = loop {
            let port = free_port();
            // It has to be free for UDP, too.
            if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
                break port;
            }
        };
        let fixed = [
            // As a debugging aid, `--no-daemon` has it serve one connection at a time, and nobody else meanwhile.
            "--keep-in-foreground",
            "--log-facility=-",
            "--pid-file",
            "--conf-file=/dev/null",
            "--no-hosts",
            "--no-resolv",
            "--listen-address=127.0.0.1",
            "--bind-interfaces",
        ];
        let mut arguments: Vec<_> = fixed.iter().chain(options).map(|&x| x.to_owned()).collect();
        arguments.push(format!("--port={port}"));
        Some(Dnsmasq {
            port,
            server: start(&arguments),
            arguments,
        })
    }

    /// Where it listens, on 127.0.0.1, by UDP and by TCP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again, where it was.
    pub fn restart(&mut self) {
        self.server.kill();
        self.server = start(&self.arguments);
    }
}

fn start(arguments: &[String]) -> Daemon {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Daemon::start(PROGRAM, &arguments, "started, version", libc::SIGKILL)
}
