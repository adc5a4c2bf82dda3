//! Errors as people want them: the place in their own file first, then what went wrong, and the line itself.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;

use steel::SteelErr;
use steel::parser::span::Span;
use steel::steel_vm::engine::Engine;

/// What a text without a file is called.
const INPUT: &str = "input";
/// As many places are listed if a message does not tell which it is.
const MAX_CALLS: usize = 5;

/// Knows the sources of an engine, and counts what it has reported.
pub(crate) struct Reporter {
    /// A copy of the engine from before our procedures were registered. It shares the table of sources, and, unlike the engine itself,
    /// can be asked while the engine runs.
    sources: Engine,
    prelude: &'static str,
    /// The names and texts of what the user has run.
    texts: RefCell<Vec<(String, Rc<str>)>>,
    failures: Cell<usize>,
}

impl Reporter {
    pub(crate) fn new(engine: &Engine, prelude: &'static str) -> Reporter {
        Reporter {
            sources: engine.clone(),
            prelude,
            texts: RefCell::default(),
            failures: Cell::new(0),
        }
    }

    /// How many errors have been reported that stopped nothing.
    pub(crate) fn failures(&self) -> usize {
        self.failures.get()
    }

    /// Is told of each text before it runs.
    pub(crate) fn remember(&self, path: Option<&Path>, text: &str) {
        let name = path.map_or_else(|| INPUT.to_owned(), |path| path.display().to_string());
        self.texts.borrow_mut().push((name, text.into()));
    }

    pub(crate) fn count(&self) {
        self.failures.set(self.failures.get() + 1);
    }

    /// Prints an error that ends one callback or task and nothing else.
    pub(crate) fn report(&self, what: &str, error: &SteelErr) {
        self.count();
        eprintln!("{}({what}; everything else goes on)", self.describe(error));
    }

    /// `FILE:LINE:COLUMN: error: MESSAGE`, and the line with a mark under the place. The place is the innermost one in the user's text:
    /// that an argument was found wrong inside of our prelude helps nobody.
    pub(crate) fn describe(&self, error: &SteelErr) -> String {
        let message = message_of(error);
        let traced = error
            .stack_trace()
            .iter()
            .flat_map(|trace| trace.trace().iter().rev().filter_map(|call| *call.span()))
            .collect::<Vec<_>>();
        let place = error
            .span()
            .into_iter()
            .chain(traced)
            .find_map(|span| self.place(span));
        match place {
            Some(place) => place.describe(&message),
            None => match self.calls(&message).as_slice() {
                [] => format!("error: {message}\n"),
                [place] => place.describe(&message),
                places => {
                    let mut text =
                        format!("error: {message}\n  in a call at one of these places:\n");
                    for place in places.iter().take(MAX_CALLS) {
                        let _ = writeln!(
                            text,
                            "  {}:{}: {}",
                            place.file,
                            place.line_number,
                            place.line.trim()
                        );
                    }
                    text
                }
            },
        }
    }

    /// Where the procedure is called that a message begins with. Scheme forgets the caller of a call in tail position, so that the trace
    /// may have nothing of the user's; the text still has it.
    fn calls(&self, message: &str) -> Vec<Place> {
        let Some((procedure, _)) = message.split_once(": ") else {
            return Vec::new();
        };
        let call = format!("({procedure}");
        let ends_name =
            |rest: &str| rest.starts_with(|c: char| c.is_whitespace() || c == ')' || c == '(');
        let mut places = Vec::new();
        for (file, text) in self.texts.borrow().iter() {
            for (start, _) in text.match_indices(&call) {
                let end = start + call.len();
                if ends_name(&text[end..]) {
                    places.extend(Place::new(file, text, start + 1, end));
                }
            }
        }
        places
    }

    fn place(&self, span: Span) -> Option<Place> {
        let id = span.source_id?;
        let text = self.sources.get_source(&id)?;
        let path = self.sources.get_path_for_source_id(&id);
        let is_private =
            text.as_ref() == self.prelude || path.as_ref().is_some_and(|path| !path.is_file());
        if is_private {
            return None;
        }
        let file = path.map_or_else(|| INPUT.to_owned(), |path| path.display().to_string());
        Place::new(&file, &text, span.start as usize, span.end as usize)
    }
}

struct Place {
    file: String,
    /// From 1, as the column, which counts characters.
    line_number: usize,
    column: usize,
    line: String,
    width: usize,
}

impl Place {
    /// From the bytes of `text` that are to be marked.
    fn new(file: &str, text: &str, start: usize, end: usize) -> Option<Place> {
        let (before, marked) = (text.get(..start)?, text.get(start..end)?);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default();
        Some(Place {
            file: file.to_owned(),
            line_number: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            line: line.to_owned(),
            width: marked.chars().count().max(1),
        })
    }

    fn describe(&self, message: &str) -> String {
        let Place {
            file,
            line_number,
            column,
            line,
            width,
        } = self;
        let mut text = format!("{file}:{line_number}:{column}: error: {message}\n");
        let number = line_number.to_string();
        let _ = writeln!(text, "  {number} | {line}");
        let margin = " ".repeat(number.len());
        let indent: String = line
            .chars()
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let _ = writeln!(text, "  {margin} | {indent}{}", "^".repeat(*width));
        text
    }
}

/// Without the "Error: Kind: " that steel puts before it.
fn message_of(error: &SteelErr) -> String {
    let text = error.to_string();
    let prefix = format!("Error: {:?}: ", error.kind());
    text.strip_prefix(&prefix)
        .unwrap_or(&text)
        .trim()
        .to_owned()
}
