//! `echo-lang`: compiles a program of a small language with goroutine-like tasks, futures, channels and `select`, and runs it.
//!
//! It is an example of what a compiler has to do to have corun's concurrency: see `examples/echo/README.md` and `docs/compilers.md`.

mod abi;
mod compiler;
mod lexer;
mod parser;
mod runtime;
mod syntax;

use std::process::ExitCode;
use std::{env, fs, ptr};

use abi::{CANCELLED, FAILED, Handle, OK, RuntimeOptions};
use runtime::failing::text_of;

const USAGE: &str = "usage: echo-lang PROGRAM.echo [--workers N] [--leaks]";

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, code }) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

/// Why the program did not end well, and the status of the process then.
struct Failure {
    message: String,
    code: u8,
}

/// The program could not be run.
fn unusable(message: String) -> Failure {
    Failure { message, code: 2 }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let (mut path, mut workers, mut leaks) = (None, 0, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--workers" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                workers = number.ok_or_else(|| unusable(USAGE.to_owned()))?;
            }
            "--leaks" => leaks = true,
            _ if path.is_none() && !argument.starts_with('-') => path = Some(argument),
            _ => return Err(unusable(USAGE.to_owned())),
        }
    }
    let path = path.ok_or_else(|| unusable(USAGE.to_owned()))?;
    let source = fs::read_to_string(&path).map_err(|error| unusable(format!("{path}: {error}")))?;
    let program = parser::parse(&source).and_then(|functions| compiler::compile(&functions));
    let program = program.map_err(|error| unusable(show(&path, &source, &error)))?;
    let ended = start(program.main, workers);
    if leaks {
        report_leaks();
    }
    ended
}

/// Says how many channels, futures and tasks are left that nobody has released: none, if the compiler is right.
fn report_leaks() {
    let mut statistics = abi::Statistics {
        size: size_of::<abi::Statistics>() as u32,
        ..Default::default()
    };
    // SAFETY: the place is to be written, and says how large it is.
    unsafe { abi::corun_get_statistics(&raw mut statistics) };
    eprintln!("{} handles are left", statistics.handles);
}

/// The message, and the line that it is about.
fn show(path: &str, source: &str, error: &lexer::Error) -> String {
    let line = source.lines().nth(error.place.line as usize - 1);
    let line = line.unwrap_or_default();
    let caret = " ".repeat(error.place.column as usize - 1);
    format!("{path}:{error}\n    {line}\n    {caret}^")
}

/// Runs `main` as a task, and ends with it, whatever else still runs.
fn start(main: abi::Function, workers: u32) -> Result<(), Failure> {
    let options = RuntimeOptions {
        size: size_of::<RuntimeOptions>() as u32,
        workers,
        stack_size: 0,
        thread_name: ptr::null(),
        max_blocking_threads: 0,
        flags: 0,
    };
    let mut runtime: Handle = ptr::null_mut();
    // SAFETY: the options are valid, and the place is to be written.
    let status = unsafe { abi::corun_runtime_create(&raw const options, &raw mut runtime) };
    if status != OK {
        return Err(unusable(last_message()));
    }
    let options = abi::TaskOptions {
        size: size_of::<abi::TaskOptions>() as u32,
        flags: 0,
        stack_size: 0,
        name: c"main".as_ptr(),
        runtime,
        argument_destructor: None,
        result_destructor: None,
    };
    let mut task: Handle = ptr::null_mut();
    let none = ptr::null_mut();
    // SAFETY: `main` is a compiled function of that form, and its code stays.
    let status = unsafe { abi::corun_spawn(main, none, &raw const options, &raw mut task) };
    if status != OK {
        return Err(unusable(last_message()));
    }
    // SAFETY: the task is a handle that this function owns; a second reference keeps it for the question how it ended.
    let status = unsafe {
        abi::corun_task_retain(task);
        abi::corun_task_join(task, ptr::null_mut())
    };
    let ended = match status {
        OK => Ok(()),
        FAILED => {
            let (mut code, mut message) = (0, ptr::null());
            // SAFETY: the message is valid until the task is released.
            let message = unsafe {
                abi::corun_task_error(task, &raw mut code, &raw mut message);
                text_of(message)
            };
            Err(format!("panic: {message}"))
        }
        CANCELLED => Err("main was cancelled".to_owned()),
        _ => Err(last_message()),
    };
    // SAFETY: the handles are this function's. What still runs is cancelled; if it does not end in time, the process does.
    unsafe {
        abi::corun_task_release(task);
        abi::corun_runtime_shutdown(runtime, 0);
    }
    ended.map_err(|message| Failure { message, code: 1 })
}

fn last_message() -> String {
    // SAFETY: it is a string that ends with a 0, and is read at once.
    unsafe { text_of(abi::corun_last_error_message()) }
}
