//! Debian's database servers, each with an empty database in a temporary folder, on loopback.

use std::fs;
use std::path::Path;

use crate::daemon::{as_nobody, give_to_nobody};
use crate::{Daemon, Folder, Server, free_port, installed};

/// Where Debian has PostgreSQL's programs, which are not on the path.
const POSTGRES: &str = "/usr/lib/postgresql";

/// Says that a test is skipped, or fails it where nothing may be.
pub(crate) fn missing(program: &str) {
    // There is no such program, and that is what it says.
    assert!(!installed(&[program]), "{program} is only on the path");
}

/// A Redis server that keeps nothing.
pub struct Redis {
    port: u16,
    _server: Server,
}

impl Redis {
    /// Starts one, if it is installed.
    ///
    /// # Panics
    /// If it does not start; if it is not installed where it has to be.
    pub fn start() -> Option<Redis> {
        if !installed(&["redis-server"]) {
            return None;
        }
        let port = free_port();
        let arguments = format!(
            "--port {port} --bind 127.0.0.1 --maxclients 4000 --tcp-backlog 4000 --appendonly no --save"
        );
        let mut arguments: Vec<_> = arguments.split(' ').collect();
        arguments.push("");
        let server = Server::start("redis-server", &arguments, "Ready to accept connections");
        Some(Redis {
            port,
            _server: server,
        })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A MariaDB server that asks nobody who they are, with the empty database `test`.
pub struct MariaDb {
    port: u16,
    server: Daemon,
    folder: Folder,
}

impl MariaDb {
    /// How many connections it allows.
    pub const CONNECTIONS: usize = 1_000;

    /// Starts one, if it is installed.
    ///
    /// # Panics
    /// If it does not start; if it is not installed where it has to be.
    pub fn start() -> Option<MariaDb> {
        let program = "/usr/sbin/mariadbd";
        if !Path::new(program).exists() {
            missing("mariadbd");
            return None;
        }
        let folder = Folder::new();
        // An empty folder in the data directory is an empty database.
        for made in [".", "data", "data/test"] {
            let path = folder.path().join(made);
            fs::create_dir_all(&path).expect("it is ours");
            give_to_nobody(&path);
        }
        let port = free_port();
        let arguments = [
            "--no-defaults".to_owned(),
            format!("--datadir={}", folder.file("data")),
            format!("--socket={}", folder.file("socket")),
            format!("--pid-file={}", folder.file("pid")),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={port}"),
            format!("--max-connections={}", MariaDb::CONNECTIONS + 10),
            "--back-log=2000".to_owned(),
            // No tables of its own are needed, neither of users nor of anything else: it starts in a fraction of a second.
            "--skip-grant-tables".to_owned(),
            "--skip-networking=0".to_owned(),
            "--skip-name-resolve".to_owned(),
            "--skip-innodb".to_owned(),
            "--default-storage-engine=MyISAM".to_owned(),
            "--thread-stack=256K".to_owned(),
        ];
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let server = Daemon::start(program, &arguments, "ready for connections", libc::SIGKILL);
        Some(MariaDb {
            port,
            server,
            folder,
        })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of its Unix socket.
    pub fn socket(&self) -> String {
        self.folder.file("socket")
    }

    /// Ends it at once, in the midst of whatever it does.
    pub fn kill(&mut self) {
        self.server.kill();
    }
}

/// A PostgreSQL server that trusts everybody, with the user and the database `postgres`.
pub struct Postgres {
    port: u16,
    server: Daemon,
    folder: Folder,
}

impl Postgres {
    /// How many connections it allows, each of which is a process.
    pub const CONNECTIONS: usize = 100;

    /// Starts one, if it is installed.
    ///
    /// # Panics
    /// If it does not start; if it is not installed where it has to be.
    pub fn start() -> Option<Postgres> {
        let versions = fs::read_dir(POSTGRES).into_iter().flatten().flatten();
        let programs = versions.map(|version| version.path().join("bin"));
        let Some(programs) = programs.max().filter(|bin| bin.join("initdb").exists()) else {
            missing("initdb");
            return None;
        };
        let program = |name: &str| programs.join(name).to_str().expect("UTF-8").to_owned();
        let folder = Folder::new();
        give_to_nobody(folder.path());
        let data = folder.file("data");
        let arguments = [
            "--no-sync",
            "--no-instructions",
            "--no-locale",
            "--encoding=UTF8",
            "--auth=trust",
            "--username=postgres",
            "--pgdata",
            &data,
        ];
        let made = as_nobody(&program("initdb"), &arguments).output();
        let made = made.expect("initdb starts");
        assert!(made.status.success(), "initdb: {made:?}");
        let port = free_port();
        let settings = [
            format!("port={port}"),
            format!("max_connections={}", Postgres::CONNECTIONS + 10),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", folder.path().display()),
            "fsync=off".to_owned(),
            "autovacuum=off".to_owned(),
            "shared_buffers=16MB".to_owned(),
            "jit=off".to_owned(),
        ];
        let mut arguments = vec!["-D", &data];
        for setting in &settings {
            arguments.extend(["-c", setting]);
        }
        let ready = "database system is ready to accept connections";
        // Killed, it would leave shared memory behind.
        let server = Daemon::start(&program("postgres"), &arguments, ready, libc::SIGQUIT);
        Some(Postgres {
            port,
            server,
            folder,
        })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it at once, in the midst of whatever it does.
    pub fn kill(&mut self) {
        self.server.kill();
    }
}
