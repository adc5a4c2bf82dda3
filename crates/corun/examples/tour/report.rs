//! What the tour prints: chapters while it works, a table at the end.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stdout};
use std::time::Instant;

pub struct Report {
    rows: Vec<[String; 4]>,
    chapters: usize,
    chapter: usize,
    start: Instant,
    terminal: bool,
}

impl Report {
    pub fn new(chapters: usize) -> Report {
        let terminal = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Report {
            rows: Vec::new(),
            chapters,
            chapter: 0,
            start: Instant::now(),
            terminal,
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.terminal {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Begins a chapter of the tour.
    pub fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        let number = format!("[{}/{}]", self.chapter, self.chapters);
        println!("\n{} {}", self.paint("36", &number), self.paint("1", title));
    }

    /// A line of what has been done, with the time since the start.
    pub fn say(&self, line: impl Display) {
        let at = format!("{:>6.2} s", self.start.elapsed().as_secs_f64());
        println!("  {}  {line}", self.paint("2", &at));
        stdout().flush().expect("stdout");
    }

    /// Adds a line to the table: what was measured, the target, the value, and whether it is good enough.
    pub fn figure(&mut self, what: &str, target: &str, measured: impl Display, met: bool) {
        let mark = if met { "✔" } else { "✘" };
        self.rows.push([
            what.to_owned(),
            target.to_owned(),
            measured.to_string(),
            mark.to_owned(),
        ]);
    }

    /// Prints the table.
    pub fn table(&self) {
        let heads = ["figure", "target", "measured", ""].map(str::to_owned);
        let mut widths = [0; 4];
        for row in self.rows.iter().chain([&heads]) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let rule = |left, middle, right| {
            let cells = widths.map(|width| "─".repeat(width + 2));
            println!("{left}{}{right}", cells.join(middle));
        };
        let line = |row: &[String; 4]| {
            let mut text = String::from("│");
            for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
                let cell = match index {
                    0 => format!("{cell:<width$}"),
                    3 => self.paint(
                        if cell == "✔" { "32;1" } else { "31;1" },
                        &format!("{cell:<width$}"),
                    ),
                    _ => format!("{cell:>width$}"),
                };
                text.push_str(&format!(" {cell} │"));
            }
            println!("{text}");
        };
        println!();
        rule("┌", "┬", "┐");
        line(&heads);
        rule("├", "┼", "┤");
        self.rows.iter().for_each(line);
        rule("└", "┴", "┘");
        let missed = self.rows.iter().filter(|row| row[3] != "✔").count();
        let met = self.rows.len() - missed;
        println!(
            "{met} of {} targets met, in {:.0} s.",
            self.rows.len(),
            self.start.elapsed().as_secs_f64()
        );
        if missed > 0 {
            println!(
                "Other work on this machine disturbs measurements of this length: docs/benchmarks.md has careful ones."
            );
        }
    }
}

/// 1234567 as "1,234,567".
pub fn thousands(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(0).to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
