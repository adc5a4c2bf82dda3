//! Output of a process of its own.

use std::io::{Read, Write};

use crate::standard::{Talk, on_both_sides, say};

#[test]
fn who_waits_for_a_full_pipe_holds_up_nobody() {
    let child = || {
        let writer = corun::spawn(|| corun::io::stdout().write_all(&vec![b'x'; 1 << 20]));
        // Goes on with the pipe full, and nobody reading it before this was said.
        for _ in 0..1000 {
            corun::spawn(corun::yield_now).join().unwrap();
        }
        assert!(!writer.is_finished());
        writeln!(corun::io::stderr(), "others go on").unwrap();
        writer.join().unwrap().unwrap();
        writeln!(corun::io::stdout()).unwrap();
        say("end");
    };
    on_both_sides(
        "output::who_waits_for_a_full_pipe_holds_up_nobody",
        child,
        |mut child| {
            let mut said = Vec::new();
            let stderr = child.stderr.as_mut().unwrap();
            let mut byte = [0];
            while !said.ends_with(b"others go on\n") {
                stderr.read_exact(&mut byte).unwrap();
                said.push(byte[0]);
            }
            let mut talk = Talk::with(child);
            talk.expect("end");
            talk.end();
        },
    );
}

#[test]
fn an_unfinished_line_is_written_when_the_process_ends() {
    let child = || {
        let mut out = corun::io::stdout();
        write!(out, "\n> a whole line\n> and no end").unwrap();
    };
    let name = "output::an_unfinished_line_is_written_when_the_process_ends";
    on_both_sides(name, child, |child| {
        let mut talk = Talk::with(child);
        talk.expect("a whole line");
        talk.expect("and no end");
        talk.end();
    });
}

#[test]
fn locked_lines_stay_together_and_the_holder_may_lock_again() {
    let child = || {
        corun::scope(|scope| {
            for writer in 0..20 {
                scope.spawn(move || {
                    let mut out = corun::io::stdout().lock();
                    for line in 0..10 {
                        write!(out, "\n> {writer} ").unwrap();
                        corun::yield_now();
                        // As a function would that knows nothing of the lock.
                        writeln!(corun::io::stdout(), "{line}").unwrap();
                    }
                });
            }
        });
        say("end");
    };
    let name = "output::locked_lines_stay_together_and_the_holder_may_lock_again";
    on_both_sides(name, child, |mut child| {
        drop(child.stdin.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let said: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("> "))
            .collect();
        assert_eq!(said.len(), 201);
        for lines in said[..200].chunks(10) {
            let writer = lines[0].split(' ').next().unwrap();
            for (number, line) in lines.iter().enumerate() {
                assert_eq!(*line, format!("{writer} {number}"));
            }
        }
    });
}
