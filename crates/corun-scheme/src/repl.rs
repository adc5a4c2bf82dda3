//! Read, evaluate, print; and run tasks and callbacks in between.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use steel::SteelVal;
use steel::parser::parser::Parser;

use crate::script::Script;

pub(crate) fn run(script: &mut Script) -> io::Result<()> {
    let interactive = io::stdin().is_terminal();
    let mut input = Input::default();
    let mut form = String::new();
    loop {
        if interactive {
            print!("{}", if form.is_empty() { "> " } else { "  " });
            io::stdout().flush()?;
        }
        let line = input.line(script, interactive)?;
        let at_end = line.is_none();
        form.push_str(&line.unwrap_or_default());
        if form.trim().is_empty() {
            form.clear();
        } else if at_end || is_complete(&form) {
            evaluate(script, std::mem::take(&mut form));
            if interactive {
                run_ready(script);
            }
        }
        if at_end {
            break;
        }
    }
    if interactive {
        println!();
    }
    if let Err(error) = script.finish() {
        eprintln!("{error}");
    }
    Ok(())
}

fn evaluate(script: &mut Script, form: String) {
    match script.evaluate(form, None) {
        Ok(values) => {
            for value in values
                .iter()
                .filter(|value| !matches!(value, SteelVal::Void))
            {
                println!("=> {value}");
            }
        }
        Err(error) => {
            script.print_failure(&error);
        }
    }
}

/// Lets tasks and callbacks run that need not wait.
fn run_ready(script: &mut Script) {
    if let Err(error) = script.call("(%run-ready)") {
        script.print_failure(&error);
    }
}

/// Whether the parser is content, or complains of something other than an early end.
fn is_complete(text: &str) -> bool {
    match Parser::parse(text) {
        Ok(_) => true,
        Err(error) => !matches!(error, steel::parser::parser::ParseError::UnexpectedEOF(..)),
    }
}

/// Lines of standard input, read without the standard library's buffer, of which `poll(2)` knows nothing.
#[derive(Default)]
struct Input {
    read: Vec<u8>,
    at_end: bool,
}

impl Input {
    /// The next line with its end; `None` when there is no more.
    fn line(&mut self, script: &mut Script, interactive: bool) -> io::Result<Option<String>> {
        loop {
            if let Some(newline) = self.read.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.take(newline + 1)));
            }
            if self.at_end {
                let rest = self.read.len();
                return Ok((rest > 0).then(|| self.take(rest)));
            }
            let stdin = io::stdin();
            // Only a person takes so long that something else could be done meanwhile. With a file or a pipe, what runs when would
            // depend on the writer's pace.
            if interactive && !script.host().wait_for_input(stdin.as_fd()) {
                run_ready(script);
                continue;
            }
            let mut chunk = [0; 4096];
            let count = match rustix::io::read(&stdin, &mut chunk) {
                Err(rustix::io::Errno::INTR) => continue,
                read => read?,
            };
            self.at_end = count == 0;
            self.read.extend_from_slice(&chunk[..count]);
        }
    }

    fn take(&mut self, length: usize) -> String {
        let line: Vec<u8> = self.read.drain(..length).collect();
        String::from_utf8_lossy(&line).into_owned()
    }
}
