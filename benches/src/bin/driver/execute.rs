//! Runs one contestant once, bounded in time, and returns what it measured.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use corun_bench::process;

/// No run takes longer than this.
const LIMIT: Duration = Duration::from_secs(40);
/// Where the load generator runs.
const LOAD_CPUS: &[usize] = &[1];

/// What one run measured, by the metric's key; or why it failed.
pub type Outcome = Result<BTreeMap<String, f64>, String>;

/// The folder of the programs.
pub struct Programs {
    folder: PathBuf,
    boost: bool,
}

impl Programs {
    /// Those beside the driver itself.
    pub fn new(boost: bool) -> Programs {
        let own = std::env::current_exe().expect("/proc is mounted");
        Programs {
            folder: own.parent().expect("a file is in a folder").to_owned(),
            boost,
        }
    }

    /// Whether the program that a command names has been built; some are optional.
    pub fn has(&self, command: &str) -> bool {
        self.folder
            .join(command.split(' ').next().expect("a program"))
            .exists()
    }

    /// Runs a workload that measures itself.
    pub fn measure(&self, command: &str, cpus: &'static [usize]) -> Outcome {
        let mut process = Process::start(self, command, cpus)?;
        process.result()
    }

    /// Runs a server under load.
    pub fn serve(&self, command: &str, connections: &str, seconds: f64) -> Outcome {
        let mut load = Process::start(self, &format!("load {connections} {seconds}"), LOAD_CPUS)?;
        let upstream = load.port()?;
        let mut server = Process::start(
            self,
            &command.replace("{upstream}", &upstream.to_string()),
            &[0],
        )?;
        let port = server.port()?;
        let line = format!("{port} {}\n", server.child.id());
        let input = load.child.stdin.as_mut().expect("piped");
        input
            .write_all(line.as_bytes())
            .map_err(|error| error.to_string())?;
        load.result()
            .map_err(|why| format!("{why}; server: {}", server.last_words()))
    }
}

/// A child that is killed when it is dropped, or when its time is up.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    errors: PathBuf,
    /// Dropping it calls the watcher off.
    watched: Option<(Sender<()>, thread::JoinHandle<()>)>,
}

impl Process {
    fn start(
        programs: &Programs,
        command: &str,
        cpus: &'static [usize],
    ) -> Result<Process, String> {
        let Programs { folder, boost } = programs;
        let boost = *boost;
        let mut words = command.split(' ');
        let program = words.next().expect("a program");
        let errors = folder.join(format!("{program}.stderr"));
        let stderr = File::create(&errors).map_err(|error| error.to_string())?;
        let mut builder = Command::new(folder.join(program));
        builder
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let prepare = move || {
            process::die_with_parent();
            if boost {
                process::raise_priority();
            }
            process::pin(cpus)
        };
        // SAFETY: between fork and exec only a few system calls are made, and nothing is allocated.
        let mut child = unsafe { builder.pre_exec(prepare) }
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (call_off, called_off) = mpsc::channel::<()>();
        let pid = child.id() as i32;
        let watcher = thread::spawn(move || {
            if called_off.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                // SAFETY: no memory is involved; the child has not been waited for, so the id is still its own.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
        });
        Ok(Process {
            child,
            output,
            errors,
            watched: Some((call_off, watcher)),
        })
    }

    /// Reads the line `PORT n`.
    fn port(&mut self) -> Result<u16, String> {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let port = line
            .trim()
            .strip_prefix("PORT ")
            .and_then(|port| port.parse().ok());
        port.ok_or_else(|| format!("no port: {}", self.last_words()))
    }

    /// Reads the line `RESULT key=value ...`.
    fn result(&mut self) -> Outcome {
        let mut text = String::new();
        self.output
            .read_to_string(&mut text)
            .map_err(|error| error.to_string())?;
        // Nothing after the word: the contestant has no such thing.
        let Some(line) = text.lines().find_map(|line| line.strip_prefix("RESULT")) else {
            return Err(self.last_words());
        };
        let pairs = line.split(' ').filter_map(|pair| pair.split_once('='));
        Ok(pairs
            .filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?)))
            .collect())
    }

    /// How the process ended, and the last line it wrote on standard error.
    fn last_words(&mut self) -> String {
        self.call_off();
        let _ = self.child.kill();
        let status = match self.child.wait() {
            Ok(status) if status.signal() == Some(libc::SIGKILL) => "no result in time".to_owned(),
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let errors = fs::read_to_string(&self.errors).unwrap_or_default();
        match errors
            .lines()
            .rfind(|line| !line.trim().is_empty() && !line.starts_with("note: "))
        {
            Some(line) => format!("{status}: {}", line.chars().take(100).collect::<String>()),
            None => status,
        }
    }

    /// From here on the process may be waited for.
    fn call_off(&mut self) {
        if let Some((call_off, watcher)) = self.watched.take() {
            drop(call_off);
            let _ = watcher.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.call_off();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
