//! Runs scripts, and serves them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use corun::net::{TcpListener, TcpStream};

/// Longer than any script here takes, on a machine that is busy with others.
const LIMIT: Duration = Duration::from_secs(300);

/// Held for writing by a run that is measured, so that no other one takes processors from it.
static MACHINE: RwLock<()> = RwLock::new(());

/// What a run has left.
#[derive(Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Run {
    /// Asserts that all went well and that this was printed. How many spaces there are does not count, as `displayln` is free with them.
    #[track_caller]
    pub fn prints(&self, expected: &str) {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let printed: Vec<String> = self.stdout.lines().map(words).collect();
        let expected: Vec<String> = expected
            .lines()
            .map(words)
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(printed, expected, "{self:#?}");
        assert_eq!(
            (self.stderr.as_str(), self.code),
            ("", Some(0)),
            "{self:#?}"
        );
    }
}

/// A script in a file of its own, which goes with it.
pub struct Script {
    pub path: PathBuf,
}

impl Script {
    pub fn new(text: &str) -> Script {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("corun-scheme-{}-{number}.scm", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Script { path }
    }

    pub fn run(&self) -> Run {
        run(&mut command(&[self.path.to_str().unwrap()]), "")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Runs the text of a script.
pub fn script(text: &str) -> Run {
    Script::new(text).run()
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corun-scheme"));
    command.args(arguments).env_remove("CORUN_SCHEME_CA");
    command
}

/// Runs `command` with this as its standard input. It is killed if it takes far too long.
pub fn run(command: &mut Command, input: &str) -> Run {
    let _shared = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    run_now(command, input)
}

/// Runs `command` while this process runs no other.
pub fn run_alone(command: &mut Command) -> Run {
    let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    run_now(command, "")
}

fn run_now(command: &mut Command, input: &str) -> Run {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let (stdout, stderr) = (
        collect(child.stdout.take().unwrap()),
        collect(child.stderr.take().unwrap()),
    );
    let stdout = stdout.recv_timeout(LIMIT).unwrap_or_else(|_| {
        let _ = child.kill();
        format!("killed: no end within {LIMIT:?}")
    });
    let code = child.wait().unwrap().code();
    let stderr = stderr.recv_timeout(LIMIT).unwrap();
    Run {
        stdout,
        stderr,
        code,
    }
}

fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = from.read_to_string(&mut text);
        sender.send(text)
    });
    receiver
}

/// A request as the server has seen it.
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn read(reader: &mut impl BufRead) -> io::Result<Request> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (method, path) = (
            words.next().ok_or_else(missing)?,
            words.next().ok_or_else(missing)?,
        );
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
                None => break,
            }
        }
        let mut request = Request {
            method,
            path,
            headers,
            body: Vec::new(),
        };
        let length = request
            .header("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body)?;
        Ok(request)
    }
}

pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

/// A server for plain HTTP, one coroutine for each connection. Returns its port; it serves until the process ends.
pub fn serve(respond: impl Fn(Request) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let respond = Arc::new(respond);
    corun::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let respond = Arc::clone(&respond);
            corun::spawn(move || serve_connection(&stream, &*respond));
        }
    });
    port
}

fn serve_connection(stream: &TcpStream, respond: &dyn Fn(Request) -> Vec<u8>) {
    let mut reader = BufReader::new(stream);
    while let Ok(request) = Request::read(&mut reader) {
        let mut writer = stream;
        if writer.write_all(&respond(request)).is_err() {
            break;
        }
    }
}
