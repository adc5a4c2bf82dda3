//! `corun-scheme [--ca FILE] [FILE.scm]`: runs a script, or reads forms from standard input.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use corun_scheme::{Options, Script};

const USAGE: &str = "usage: corun-scheme [--ca FILE.pem] [--workers COUNT] [FILE.scm]

Runs FILE.scm, and then whatever tasks and callbacks it has left; without FILE.scm, reads forms from standard input.

  --ca FILE.pem     trust the certificates in FILE.pem instead of the web's authorities (also: CORUN_SCHEME_CA)
  --workers COUNT   threads that carry what scripts wait for (default: as many as there are processors)

Exit status: 0 if all went well, 1 after an error in the script, a task or a callback, 2 if it could not be started.";

/// What the command line says.
struct Arguments {
    options: Options,
    file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args_os().skip(1).collect()) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("corun-scheme: {complaint}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    keep_home_clean();
    let code = run(&arguments);
    // What standard output cannot take now is lost in any case.
    let _ = io::stdout().flush();
    code
}

fn run(arguments: &Arguments) -> ExitCode {
    let mut script = match Script::new(&arguments.options) {
        Ok(script) => script,
        Err(error) => {
            eprintln!("corun-scheme: {error}");
            return ExitCode::from(2);
        }
    };
    let result = match &arguments.file {
        Some(file) => script.run_file(file).and_then(|()| script.finish()),
        None => {
            if let Err(error) = script.repl() {
                eprintln!("corun-scheme: standard input: {error}");
                return ExitCode::from(2);
            }
            Ok(())
        }
    };
    match result {
        Err(error) if error.is_about_file() => {
            eprintln!("corun-scheme: {error}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        Ok(()) if script.failures() > 0 => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
    }
}

/// `None` if help is asked for.
fn parse(words: Vec<std::ffi::OsString>) -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments {
        options: Options {
            workers: None,
            authorities: std::env::var_os("CORUN_SCHEME_CA")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
        },
        file: None,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--help" | "-h") => return Ok(None),
            Some("--ca") => {
                let path = words.next().ok_or("--ca needs a file")?;
                arguments.options.authorities = Some(path.into());
            }
            Some("--workers") => {
                let count = words.next().and_then(|count| count.to_str()?.parse().ok());
                arguments.options.workers = Some(
                    count
                        .filter(|count| *count > 0)
                        .ok_or("--workers needs a number above 0")?,
                );
            }
            Some(option) if option.starts_with('-') && option.len() > 1 => {
                return Err(format!("unknown option {option}"));
            }
            _ if arguments.file.is_some() => return Err("more than one file".to_owned()),
            _ => arguments.file = Some(word.into()),
        }
    }
    Ok(Some(arguments))
}

/// Steel makes a folder for its packages in the user's home, unless it is told of one. Somebody who runs a script has not asked for that.
fn keep_home_clean() {
    if std::env::var_os("STEEL_HOME").is_some() {
        return;
    }
    let Some(home) = std::env::home_dir() else {
        return;
    };
    if [".steel", ".local/share/steel"]
        .iter()
        .any(|folder| home.join(folder).exists())
    {
        return;
    }
    // SAFETY: no other thread has been started yet that could read the environment meanwhile.
    unsafe { std::env::set_var("STEEL_HOME", home.join(".steel")) };
}
