//! One line on the terminal while a script waits for long.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// A wait shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(500);

/// Where the line goes; nowhere if it would not be seen by a person.
pub(crate) struct Progress {
    output: Option<Box<dyn Write>>,
    is_shown: bool,
}

impl Progress {
    /// On standard error if that is a terminal.
    pub(crate) fn on_terminal() -> Progress {
        let stderr = io::stderr();
        Progress {
            output: stderr
                .is_terminal()
                .then(|| Box::new(stderr) as Box<dyn Write>),
            is_shown: false,
        }
    }

    /// Shows how long it has been waited for what, if it has been long. Answers when to call again.
    pub(crate) fn show(
        &mut self,
        since: Instant,
        working: usize,
        timers: usize,
    ) -> Option<Instant> {
        let output = self.output.as_mut()?;
        let waited = since.elapsed();
        if waited < PATIENCE {
            return Some(since + PATIENCE);
        }
        let mut line = format!("waiting for {}s:", waited.as_secs());
        if working > 0 {
            let _ = write!(line, " {working} in flight");
        }
        if timers > 0 {
            let _ = write!(line, " {timers} asleep");
        }
        // To the beginning of the line and clear it. A terminal that fails is none to show things on.
        let _ = write!(output, "\r\x1b[K{line}").and_then(|()| output.flush());
        self.is_shown = true;
        Some(Instant::now() + INTERVAL)
    }

    /// Takes the line away, as something else may be written now.
    pub(crate) fn clear(&mut self) {
        if let (true, Some(output)) = (self.is_shown, self.output.as_mut()) {
            let _ = write!(output, "\r\x1b[K").and_then(|()| output.flush());
            self.is_shown = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Screen(Rc<RefCell<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown_on(screen: &Screen) -> String {
        String::from_utf8(screen.0.borrow().clone()).unwrap()
    }

    #[test]
    fn a_long_wait_is_shown_and_a_short_one_is_not() {
        let screen = Screen::default();
        let mut progress = Progress {
            output: Some(Box::new(screen.clone())),
            is_shown: false,
        };
        let now = Instant::now();
        assert_eq!(progress.show(now, 3, 0), Some(now + PATIENCE));
        progress.clear();
        assert_eq!(shown_on(&screen), "");

        let Some(long_ago) = now.checked_sub(Duration::from_secs(7)) else {
            return; // The machine has been on for less than that.
        };
        assert!(progress.show(long_ago, 3, 1).is_some_and(|next| next > now));
        assert_eq!(
            shown_on(&screen),
            "\r\x1b[Kwaiting for 7s: 3 in flight 1 asleep"
        );
        progress.clear();
        progress.clear();
        assert!(shown_on(&screen).ends_with("asleep\r\x1b[K"));
    }

    #[test]
    fn without_a_terminal_there_is_no_waking_up_for_it() {
        let mut progress = Progress {
            output: None,
            is_shown: false,
        };
        assert_eq!(progress.show(Instant::now(), 1, 1), None);
    }
}
