//! A pipeline: stages that know nothing of each other, joined by channels. The slowest sets the pace, since a channel that is full
//! makes its sender wait; and when the first stage is done, the end travels through by itself.
//!
//! ```text
//! cargo run --release --example pipeline
//! ```
//!
//! Rows of the Mandelbrot set are numbered, drawn by several coroutines at once, put back in order, and printed.

use std::collections::BTreeMap;

use corun::channel::{Receiver, bounded};

const WIDTH: usize = 78;
const HEIGHT: usize = 30;
const PAINTERS: usize = 4;

/// First stage: the numbers of the rows.
fn rows() -> Receiver<usize> {
    let (sender, receiver) = bounded(2);
    corun::spawn(move || {
        for row in 0..HEIGHT {
            if sender.send(row).is_err() {
                // Nobody wants any more.
                return;
            }
        }
        // The sender is dropped here: the next stage sees the end after the last row.
    });
    receiver
}

/// Second stage: several painters take from one channel and send to one. Rows come out as they get ready.
fn painted(rows: Receiver<usize>) -> Receiver<(usize, String)> {
    let (sender, receiver) = bounded(2);
    for _ in 0..PAINTERS {
        let (rows, sender) = (rows.clone(), sender.clone());
        corun::spawn(move || {
            for row in rows {
                if sender.send((row, paint(row))).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// Third stage: keeps what comes too early until its turn has come.
fn ordered(painted: Receiver<(usize, String)>) -> Receiver<String> {
    let (sender, receiver) = bounded(2);
    corun::spawn(move || {
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (row, line) in painted {
            early.insert(row, line);
            while let Some(line) = early.remove(&next) {
                if sender.send(line).is_err() {
                    return;
                }
                next += 1;
            }
        }
    });
    receiver
}

/// One row of the set.
fn paint(row: usize) -> String {
    let im = (row as f64 / HEIGHT as f64 - 0.5) * 2.4;
    let point = |column: usize| {
        let re = column as f64 / WIDTH as f64 * 3.1 - 2.2;
        let (mut x, mut y, mut steps) = (0.0, 0.0, 0);
        while x * x + y * y < 4.0 && steps < 20_000 {
            (x, y) = (x * x - y * y + re, 2.0 * x * y + im);
            steps += 1;
        }
        // A long computation lets others have their turn.
        corun::checkpoint();
        match steps {
            20_000 => '#',
            16.. => '*',
            9.. => '+',
            6.. => '-',
            4.. => '.',
            _ => ' ',
        }
    };
    (0..WIDTH).map(point).collect()
}

#[corun::main]
fn main() {
    let lines = ordered(painted(rows()));
    // An iterator like any other: it ends when all stages have.
    for line in lines {
        println!("{line}");
    }
}
