//! Input of a process of its own: the child is this program, the test calls itself there.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use crate::bad::child;

const IN_CHILD: &str = "CORUN_TEST_STANDARD";

/// As below, with a pipe for its input.
pub fn on_both_sides(name: &str, body: impl Fn() + Send + Sync, parent: impl Fn(Child)) {
    on_both_sides_reading(
        name,
        body,
        || (Stdio::piped(), ()),
        |child, ()| parent(child),
    );
}

/// The parent gets the child, the child runs `body` on one, two and eight workers and on a plain thread, as the variable says.
fn on_both_sides_reading<T>(
    name: &str,
    body: impl Fn() + Send + Sync,
    input: impl Fn() -> (Stdio, T),
    parent: impl Fn(Child, T),
) {
    if let Ok(workers) = std::env::var(IN_CHILD) {
        match workers.parse().unwrap() {
            0 => body(),
            workers => {
                let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
                runtime.block_on(body);
            }
        }
        std::process::exit(0);
    }
    for workers in ["0", "1", "2", "8"] {
        let (stdin, other_end) = input();
        let child = child::program()
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(IN_CHILD, workers)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        parent(child, other_end);
    }
}

/// What the child says: the lines that begin with a mark, as the harness writes others.
pub struct Talk {
    child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

pub fn say(text: &str) {
    let mut out = corun::io::stdout().lock();
    writeln!(out, "\n> {text}").unwrap();
}

impl Talk {
    pub fn with(mut child: Child) -> Talk {
        Talk {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).unwrap() == 0 {
                let mut errors = String::new();
                let _ = self
                    .child
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut errors);
                panic!("it ended before it said {text:?}: {errors}");
            }
            if let Some(said) = line.strip_prefix("> ") {
                assert_eq!(said.trim_end(), text);
                return;
            }
        }
    }

    pub fn tell(&mut self, text: &str) {
        self.stdin
            .as_mut()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    pub fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

fn is_nonblocking(descriptor: i32) -> bool {
    // SAFETY: asks for flags.
    unsafe { libc::fcntl(descriptor, libc::F_GETFL) & libc::O_NONBLOCK != 0 }
}

#[test]
fn lines_are_waited_for_while_others_go_on() {
    let child = || {
        let (sender, ticks) = corun::channel::bounded(0);
        corun::spawn(move || while sender.send(()).is_ok() {});
        say("ready");
        let reader = || {
            let mut line = String::new();
            assert_eq!(corun::io::stdin().read_line(&mut line).unwrap(), 6);
            say(&format!("got {}", line.trim_end()));
            let mut lines = corun::io::stdin().lines();
            say(&format!("got {}", lines.next().unwrap().unwrap()));
            say(&format!("got {}", lines.next().unwrap().unwrap()));
            assert!(lines.next().is_none());
        };
        corun::scope(|scope| {
            let task = scope.spawn(reader);
            for _ in 0..100 {
                ticks.recv().unwrap();
            }
            assert!(!task.is_finished());
            say("others go on");
            task.join().unwrap();
        });
        assert!(!is_nonblocking(0) && !is_nonblocking(1) && !is_nonblocking(2));
        say("end");
    };
    on_both_sides(
        "standard::lines_are_waited_for_while_others_go_on",
        child,
        |child| {
            let mut talk = Talk::with(child);
            talk.expect("ready");
            talk.expect("others go on");
            talk.tell("fir");
            talk.tell("st\nsecond\nla");
            talk.expect("got first");
            talk.expect("got second");
            talk.tell("st");
            drop(talk.stdin.take());
            talk.expect("got last");
            talk.expect("end");
            talk.end();
        },
    );
}

#[test]
fn a_reader_that_is_cancelled_in_the_middle_of_a_line_has_taken_nothing() {
    let child = || {
        let mut line = String::from("kept");
        say("ready");
        // Until half of the line is there.
        while !corun::io::stdin()
            .lock()
            .fill_buf()
            .unwrap()
            .starts_with(b"half")
        {}
        for _ in 0..3 {
            let cut = corun::timeout(Duration::from_millis(2), || {
                corun::io::stdin().read_line(&mut line)
            });
            assert!(cut.is_err());
            assert_eq!(line, "kept");
        }
        say("cut");
        corun::io::stdin().read_line(&mut line).unwrap();
        assert_eq!(line, "kepthalf and half\n");
        let mut rest = String::new();
        corun::io::stdin().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "the rest");
        say("end");
    };
    let name = "standard::a_reader_that_is_cancelled_in_the_middle_of_a_line_has_taken_nothing";
    on_both_sides(name, child, |child| {
        let mut talk = Talk::with(child);
        talk.expect("ready");
        talk.tell("half");
        talk.expect("cut");
        talk.tell(" and half\nthe rest");
        drop(talk.stdin.take());
        talk.expect("end");
        talk.end();
    });
}

#[test]
fn what_is_not_text_is_an_error_and_the_next_line_is_read() {
    let child = || {
        let mut line = String::new();
        let error = corun::io::stdin().read_line(&mut line).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        corun::io::stdin().read_line(&mut line).unwrap();
        assert_eq!(line, "text\n");
        let mut bytes = Vec::new();
        let mut stdin = corun::io::stdin().lock();
        assert_eq!(stdin.read_until(b';', &mut bytes).unwrap(), 3);
        assert_eq!(bytes, b"ab;");
        let mut two = [0; 2];
        stdin.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"cd");
        drop(stdin);
        assert_eq!(corun::io::stdin().read(&mut two).unwrap(), 0);
        say("end");
    };
    on_both_sides(
        "standard::what_is_not_text_is_an_error_and_the_next_line_is_read",
        child,
        |child| {
            let mut talk = Talk::with(child);
            let stdin = talk.stdin.as_mut().unwrap();
            stdin.write_all(b"\xff\xfe\ntext\nab;cd").unwrap();
            drop(talk.stdin.take());
            talk.expect("end");
            talk.end();
        },
    );
}

/// Both ends of a new terminal: ours, and the one that a program has.
#[cfg(target_os = "linux")]
fn terminal() -> (std::fs::File, std::fs::File) {
    use std::fs::File;
    use std::os::fd::FromRawFd;
    use std::os::unix::fs::OpenOptionsExt;

    // SAFETY: opens a terminal, and asks for the name of its other end, which is copied before anybody asks for another's.
    unsafe {
        let ours = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(ours >= 0);
        assert_eq!((libc::grantpt(ours), libc::unlockpt(ours)), (0, 0));
        let mut name = [0; 64];
        assert_eq!(libc::ptsname_r(ours, name.as_mut_ptr(), name.len()), 0);
        let name = std::ffi::CStr::from_ptr(name.as_ptr()).to_str().unwrap();
        let theirs = File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY)
            .open(name);
        (File::from_raw_fd(ours), theirs.unwrap())
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_is_waited_for_and_stays_in_its_mode() {
    let child = || {
        assert!(corun::io::stdin().is_terminal() && !corun::io::stdout().is_terminal());
        let mut line = String::new();
        let early = corun::timeout(Duration::from_millis(3), || {
            corun::io::stdin().read_line(&mut line)
        });
        assert!(early.is_err());
        say("ready");
        corun::scope(|scope| {
            let reader = scope.spawn(|| corun::io::stdin().read_line(&mut line).unwrap());
            for _ in 0..100 {
                corun::yield_now();
            }
            assert!(!reader.is_finished());
            say("others go on");
            assert_eq!(reader.join().unwrap(), 6);
        });
        assert_eq!(line, "typed\n");
        assert!(!is_nonblocking(0));
        // The end is typed too.
        assert_eq!(corun::io::stdin().read_line(&mut line).unwrap(), 0);
        say("end");
    };
    let open = || {
        let (ours, theirs) = terminal();
        (Stdio::from(theirs), ours)
    };
    let name = "standard::a_terminal_is_waited_for_and_stays_in_its_mode";
    on_both_sides_reading(name, child, open, |child, mut keyboard| {
        let mut talk = Talk::with(child);
        talk.expect("ready");
        talk.expect("others go on");
        keyboard.write_all(b"typed\n\x04").unwrap();
        talk.expect("end");
        talk.end();
    });
}
