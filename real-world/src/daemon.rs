//! Servers in processes of their own, in folders of their own, and the end of both.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Who runs the servers that refuse to be run by root: Debian's `nobody`, and its group.
const NOBODY: u32 = 65534;

/// Raises the limit on descriptors as far as the system allows: 1,000 connections may have 2,000 ends in this process.
///
/// # Panics
/// If the system allows too few.
pub fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls are given a valid structure.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    assert!(limit.rlim_cur >= 8192, "too few descriptors may be open");
}

/// Whether this process is root's, whom some servers refuse to serve.
fn is_root() -> bool {
    // SAFETY: it only reads a property of the process.
    unsafe { libc::geteuid() == 0 }
}

/// A folder for a server or a test, removed with all that is in it when this value is dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// A new and empty one. Its path is short enough for a Unix socket in it.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("corun-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a temporary folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Folder(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of something in it.
    ///
    /// # Panics
    /// If the folder for temporary files has a name that is not UTF-8.
    pub fn file(&self, name: &str) -> String {
        let path = self.0.join(name);
        path.to_str().expect("UTF-8").to_owned()
    }
}

/// Gives a file or folder to the user that the servers run as, if that is not ours.
pub(crate) fn give_to_nobody(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It lies among other temporary files: nobody is harmed if it stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A command that is not run as root, and ends with the thread that starts it.
pub(crate) fn as_nobody(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    if is_root() {
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    // SAFETY: between fork and exec a single system call is made, and nothing is allocated.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command
}

/// A server in a process of its own. It is ended when this value is dropped, at the latest by the end of the thread that has started it.
pub struct Daemon {
    child: Child,
    /// The signal that ends it at once, and leaves nothing behind.
    end: libc::c_int,
}

impl Daemon {
    /// Starts it and waits until it has written a line that contains `ready` on its standard error.
    ///
    /// # Panics
    /// If it cannot be started, or ends without having written that.
    pub fn start(program: &str, arguments: &[&str], ready: &str, end: libc::c_int) -> Daemon {
        let mut command = as_nobody(program, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{program}: {error}"));
        let log = child.stderr.take().expect("it is piped");
        let daemon = Daemon { child, end };
        let mut log = BufReader::new(log);
        let mut seen = String::new();
        loop {
            let begin = seen.len();
            match log.read_line(&mut seen) {
                Ok(0) => panic!("{program} {arguments:?} never wrote {ready:?}, but:\n{seen}"),
                Ok(_) if seen[begin..].contains(ready) => break,
                Ok(_) => {}
                Err(error) => panic!("{program}: {error}"),
            }
        }
        // Keeps its pipe from filling up or breaking.
        std::thread::spawn(move || {
            let mut rest = [0; 4096];
            while log.read(&mut rest).is_ok_and(|count| count > 0) {}
        });
        daemon
    }

    /// Ends it at once, in the midst of whatever it does.
    ///
    /// # Panics
    /// If that is not permitted.
    pub fn kill(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        // SAFETY: no memory is involved; the child has not been waited for, so the id is still its own.
        let sent = unsafe { libc::kill(self.child.id() as libc::pid_t, self.end) };
        assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
        self.child.wait().expect("it is a child");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself, which its client will have noticed.
        self.kill();
    }
}
