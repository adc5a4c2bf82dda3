//! Children.

use std::fmt;
use std::io;
use std::process::{self, ExitStatus, Output};

use super::ended::Ended;
use super::output;
use super::{ChildStderr, ChildStdin, ChildStdout};

/// A child process: the counterpart of [`std::process::Child`]. As with std, dropping it neither ends the child nor waits for it.
///
/// ```
/// use std::io::{Read, Write};
/// use corun::process::{Command, Stdio};
///
/// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// child.stdin.take().unwrap().write_all(b"there and back")?;
/// let mut text = String::new();
/// child.stdout.take().unwrap().read_to_string(&mut text)?;
/// assert_eq!(text, "there and back");
/// assert!(child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Child {
    /// What the child reads, if it was [piped](process::Stdio::piped).
    pub stdin: Option<ChildStdin>,
    /// What the child writes, if it was piped.
    pub stdout: Option<ChildStdout>,
    /// What the child writes to standard error, if it was piped.
    pub stderr: Option<ChildStderr>,
    ended: Ended,
    inner: process::Child,
}

impl Child {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Kills the child with SIGKILL. It still has to be waited for.
    ///
    /// # Errors
    /// Those of [`std::process::Child::kill`]. One that was waited for is no error.
    pub fn kill(&mut self) -> io::Result<()> {
        self.inner.kill()
    }

    /// Waits for the child to end; its input is closed before, so that it does not wait for us.
    ///
    /// ```
    /// use std::time::Duration;
    /// use corun::process::Command;
    ///
    /// corun::spawn(|| {
    ///     let mut child = Command::new("sleep").arg("1000").spawn()?;
    ///     assert!(corun::timeout(Duration::from_millis(1), || child.wait()).is_err());
    ///     child.kill()?;
    ///     assert_eq!(child.wait()?.code(), None);
    ///     Ok::<(), std::io::Error>(())
    /// })
    /// .join()
    /// .unwrap()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`std::process::Child::wait`].
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.ended.wait(&mut self.inner)
    }

    /// The child's status, if it has ended.
    ///
    /// # Errors
    /// Those of [`std::process::Child::try_wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.inner.try_wait()
    }

    /// Closes the child's input, reads all that it writes to pipes, both at once, and waits for its end. If the caller is cancelled meanwhile, or a pipe
    /// cannot be read, the child is killed and waited for.
    ///
    /// # Errors
    /// Those of [`std::process::Child::wait_with_output`].
    pub fn wait_with_output(self) -> io::Result<Output> {
        let mut owned = Owned(Some(self));
        let child = owned.child();
        drop(child.stdin.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        output::read_both(
            child.stdout.take(),
            &mut stdout,
            child.stderr.take(),
            &mut stderr,
        )?;
        Ok(Output {
            status: owned.wait()?,
            stdout,
            stderr,
        })
    }

    /// As `wait`, and nobody else has the child.
    pub(super) fn wait_as_owner(self) -> io::Result<ExitStatus> {
        Owned(Some(self)).wait()
    }
}

/// A child that nobody can wait for if this goes: then it is killed and waited for.
struct Owned(Option<Child>);

impl Owned {
    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it is taken when it has ended")
    }

    fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child().wait()?;
        self.0 = None;
        Ok(status)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It fails for one that belongs to somebody else by now (set-user-ID), which may take its time to end.
            if child.kill().is_ok() {
                // What waits while it unwinds is not cancelled again.
                let _ = child.wait();
            }
        }
    }
}

impl From<process::Child> for Child {
    fn from(mut child: process::Child) -> Child {
        Child {
            stdin: child.stdin.take().map(ChildStdin::from),
            stdout: child.stdout.take().map(ChildStdout::from),
            stderr: child.stderr.take().map(ChildStderr::from),
            ended: Ended::default(),
            inner: child,
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}
