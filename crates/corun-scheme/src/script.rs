//! An interpreter with everything in it.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use steel::steel_vm::engine::Engine;
use steel::{SteelErr, SteelVal};

use crate::host::Host;
use crate::http::Client;
use crate::procedures::{self, Shared};
use crate::progress::Progress;
use crate::repl;
use crate::report::Reporter;

const PRELUDE: &str = include_str!("prelude.scm");

/// How a [`Script`] is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How many threads carry what scripts wait for. By default as many as there are processors. However few there are, any number
    /// of requests is in flight at once.
    pub workers: Option<usize>,
    /// A file of certificates, in PEM, to trust instead of those of the web's authorities.
    pub authorities: Option<PathBuf>,
}

/// A Scheme interpreter whose code runs on the thread that made it, and whose waiting is done by corun's workers.
///
/// # Examples
/// ```no_run
/// use corun_scheme::{Options, Script};
///
/// let mut script = Script::new(&Options::default())?;
/// script.run("(g_coroutine-run (lambda () (displayln \"a task\")))")?;
/// script.finish()?; // Runs the task.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Script {
    engine: Engine,
    shared: Rc<Shared>,
}

impl Script {
    /// Starts the interpreter and the workers.
    ///
    /// # Errors
    /// If threads cannot be started, or the certificates not be read.
    pub fn new(options: &Options) -> io::Result<Script> {
        let authorities = match &options.authorities {
            None => None,
            Some(path) => Some(std::fs::read(path).map_err(|error| about(path, &error))?),
        };
        let client = Client::new(authorities.as_deref()).map_err(|failure| {
            let path = options.authorities.as_deref().unwrap_or(Path::new(""));
            about(
                path,
                &io::Error::new(io::ErrorKind::InvalidData, failure.to_string()),
            )
        })?;
        let host = Host::new(options.workers, Progress::on_terminal())?;
        let mut engine = Engine::new();
        let shared = Rc::new(Shared {
            host,
            client,
            reporter: Reporter::new(&engine, PRELUDE),
            http_limit: None.into(),
        });
        procedures::register(&mut engine, &shared);
        register_cells(&mut engine)?;
        engine
            .run(PRELUDE)
            .map_err(|error| io::Error::other(format!("the prelude does not load: {error}")))?;
        Ok(Script { engine, shared })
    }

    /// Runs the forms of `text`, and what they wait for. Tasks that are left run later: see [`finish`](Script::finish).
    ///
    /// # Errors
    /// The first error that nothing in `text` has caught, with its place. Forms before it have been run, unless it is one of syntax.
    pub fn run(&mut self, text: &str) -> Result<(), ScriptError> {
        self.evaluate(text.to_owned(), None).map(drop)
    }

    /// Runs a file.
    ///
    /// # Errors
    /// As [`run`](Script::run); and if the file cannot be read.
    pub fn run_file(&mut self, path: &Path) -> Result<(), ScriptError> {
        let text = std::fs::read_to_string(path).map_err(|error| ScriptError {
            description: format!("{}\n", about(path, &error)),
            is_about_file: true,
            is_fatal: false,
        })?;
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.evaluate(text, Some(path)).map(drop)
    }

    /// Waits until all tasks and callbacks have ended, as `(g_coroutine-wait)` does.
    ///
    /// # Errors
    /// If the interpreter itself fails. Errors of tasks and callbacks are reported where they happen, and counted: see
    /// [`failures`](Script::failures).
    pub fn finish(&mut self) -> Result<(), ScriptError> {
        // Steel has no handler for an error in a procedure that a native one has called (such as the argument of `mapping`), but unwinds all.
        // What had led there is lost; everything else is in the prelude's lists, and goes on.
        while let Err(error) = self.call("(%finish)") {
            if error.is_fatal {
                return Err(error);
            }
            self.print_failure(&error);
        }
        Ok(())
    }

    /// How many errors have been reported so far that ended a task or a callback.
    pub fn failures(&self) -> usize {
        self.shared.reporter.failures()
    }

    /// Reads forms from standard input and prints their values, until it ends; then waits as [`finish`](Script::finish) does. At a terminal,
    /// tasks and callbacks run while it waits for the next line.
    ///
    /// # Errors
    /// If standard input cannot be read. Errors of forms are printed, and counted in [`failures`](Script::failures).
    pub fn repl(&mut self) -> io::Result<()> {
        repl::run(self)
    }

    pub(crate) fn evaluate(
        &mut self,
        text: String,
        path: Option<PathBuf>,
    ) -> Result<Vec<SteelVal>, ScriptError> {
        self.shared.reporter.remember(path.as_deref(), &text);
        self.evaluate_unseen(text, path)
    }

    /// Evaluates what is not the user's.
    pub(crate) fn call(&mut self, form: &str) -> Result<Vec<SteelVal>, ScriptError> {
        self.evaluate_unseen(form.to_owned(), None)
    }

    fn evaluate_unseen(
        &mut self,
        text: String,
        path: Option<PathBuf>,
    ) -> Result<Vec<SteelVal>, ScriptError> {
        let engine = &mut self.engine;
        let run = || match path {
            Some(path) => engine.compile_and_run_raw_program_with_path(text, path),
            None => engine.run(text),
        };
        // Should the interpreter itself panic, the script is over, but not its host.
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => result.map_err(|error| self.describe(&error)),
            Err(_) => Err(ScriptError {
                description: "error: the interpreter has panicked\n".to_owned(),
                is_about_file: false,
                is_fatal: true,
            }),
        }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.shared.host
    }

    /// For an error after which there is more to do.
    pub(crate) fn print_failure(&self, error: &ScriptError) {
        self.shared.reporter.count();
        eprintln!("{error}");
    }

    fn describe(&self, error: &SteelErr) -> ScriptError {
        ScriptError {
            description: self.shared.reporter.describe(error),
            is_about_file: false,
            is_fatal: false,
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

/// Why a script ended early: where, what, and the line itself.
#[derive(Clone, Debug)]
pub struct ScriptError {
    description: String,
    is_about_file: bool,
    /// Nothing more can be run after it.
    is_fatal: bool,
}

impl ScriptError {
    /// Whether the file itself could not be read, rather than its contents be run.
    pub fn is_about_file(&self) -> bool {
        self.is_about_file
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description.trim_end())
    }
}

impl std::error::Error for ScriptError {}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Gives the prelude the cells in which steel keeps what is a thread's: the winders of `dynamic-wind`, which have no public name, and the
/// continuations that `with-handler` goes to. Each task is to have its own.
fn register_cells(engine: &mut Engine) -> io::Result<()> {
    const CELLS: [&str; 2] = ["winders", "*meta-continuation*"];
    let mut names: Vec<String> = engine.globals().iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    let mut cells = Vec::new();
    for cell in CELLS {
        let before = cells.len();
        let named = names.iter().filter(|name| name.ends_with(cell));
        cells.extend(named.filter_map(|name| engine.extract_value(name).ok()));
        if cells.len() == before {
            return Err(io::Error::other(format!(
                "this version of steel has no {cell}"
            )));
        }
    }
    engine.register_value("%cells", SteelVal::ListV(cells.into_iter().collect()));
    Ok(())
}
