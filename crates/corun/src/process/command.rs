//! How a child is started.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};

use super::Child;
use crate::cancel::limit::Limit;
use crate::scheduler::safepoint;

/// How to start a process: the counterpart of [`std::process::Command`], with the methods of its
/// [`CommandExt`](std::os::unix::process::CommandExt).
///
/// ```
/// use corun::process::Command;
///
/// let output = Command::new("sh").arg("-c").arg("echo $GREETING; exit 3").env("GREETING", "hello").output()?;
/// assert_eq!((output.stdout.as_slice(), output.status.code()), (&b"hello\n"[..], Some(3)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Command {
    inner: process::Command,
    /// Which of the three streams the user has said something about: the defaults differ.
    said: [bool; 3],
}

impl Command {
    /// Starts this program, which is looked for in `PATH`, with no arguments.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Command {
        Command {
            inner: process::Command::new(program),
            said: [false; 3],
        }
    }

    /// Adds an argument.
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.inner.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.inner.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env<K: AsRef<OsStr>, V: AsRef<OsStr>>(&mut self, key: K, val: V) -> &mut Command {
        self.inner.env(key, val);
        self
    }

    /// Sets environment variables.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.inner.envs(vars);
        self
    }

    /// The child does not inherit the variable.
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Command {
        self.inner.env_remove(key);
        self
    }

    /// The child inherits no variables.
    pub fn env_clear(&mut self) -> &mut Command {
        self.inner.env_clear();
        self
    }

    /// Where the child works.
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Command {
        self.inner.current_dir(dir);
        self
    }

    /// Where standard input comes from. The default is that of the parent, and nothing for [`output`](Self::output).
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.inner.stdin(cfg);
        self.said[0] = true;
        self
    }

    /// Where standard output goes to. The default is that of the parent, and a pipe for [`output`](Self::output).
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.inner.stdout(cfg);
        self.said[1] = true;
        self
    }

    /// Where standard error goes to. The default is that of the parent, and a pipe for [`output`](Self::output).
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.inner.stderr(cfg);
        self.said[2] = true;
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    /// Those of [`std::process::Command::spawn`].
    pub fn spawn(&mut self) -> io::Result<Child> {
        Limit::check();
        let child = self.inner.spawn()?.into();
        // Others should go on between the children of a loop.
        safepoint();
        Ok(child)
    }

    /// Starts the process and waits for its end. If the caller is cancelled meanwhile, the child is killed.
    ///
    /// # Errors
    /// Those of [`std::process::Command::status`].
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait_as_owner()
    }

    /// Starts the process, waits for its end and returns all that it has written. If the caller is cancelled meanwhile, the child is killed.
    ///
    /// # Errors
    /// Those of [`std::process::Command::output`].
    pub fn output(&mut self) -> io::Result<Output> {
        self.set_unsaid([Stdio::null(), Stdio::piped(), Stdio::piped()]);
        let child = self.spawn();
        self.set_unsaid([Stdio::inherit(), Stdio::inherit(), Stdio::inherit()]);
        child?.wait_with_output()
    }

    fn set_unsaid(&mut self, [stdin, stdout, stderr]: [Stdio; 3]) {
        if !self.said[0] {
            self.inner.stdin(stdin);
        }
        if !self.said[1] {
            self.inner.stdout(stdout);
        }
        if !self.said[2] {
            self.inner.stderr(stderr);
        }
    }

    /// The program.
    pub fn get_program(&self) -> &OsStr {
        self.inner.get_program()
    }

    /// The arguments.
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.inner.get_args()
    }

    /// The variables that were set (`Some`) or removed (`None`).
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.inner.get_envs()
    }

    /// Where the child works, if that was set.
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.inner.get_current_dir()
    }

    /// The child's user.
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.inner.uid(id);
        self
    }

    /// The child's group.
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.inner.gid(id);
        self
    }

    /// The child's process group; 0 makes a new one.
    pub fn process_group(&mut self, pgroup: i32) -> &mut Command {
        self.inner.process_group(pgroup);
        self
    }

    /// The first argument, which otherwise is the program.
    pub fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.inner.arg0(arg);
        self
    }

    /// Runs `f` in the child before the program.
    ///
    /// # Safety
    /// As for [`pre_exec`](std::os::unix::process::CommandExt::pre_exec) of std: `f` runs in the child of a fork, where only what may be done in a signal handler
    /// may be done. To wait, or to call anything of corun that does, is not among that.
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the same contract.
        unsafe { self.inner.pre_exec(f) };
        self
    }

    /// Becomes the program, with all threads and coroutines gone. Returns only if that fails.
    pub fn exec(&mut self) -> io::Error {
        self.inner.exec()
    }
}
