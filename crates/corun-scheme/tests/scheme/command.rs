//! The command itself: files, the REPL, exit statuses.

use crate::support::{command, run, script};

#[test]
fn what_cannot_be_started_is_status_2() {
    for (arguments, complaint) in [
        (&["no-such-file.scm"][..], "no-such-file.scm: No such file"),
        (
            &["--ca", "no-such.pem", "x.scm"],
            "no-such.pem: No such file",
        ),
        (&["--workers", "none"], "--workers needs a number"),
        (&["--frobnicate"], "unknown option --frobnicate"),
        (&["a.scm", "b.scm"], "more than one file"),
    ] {
        let run = run(&mut command(arguments), "");
        assert_eq!(run.code, Some(2), "{arguments:?}: {run:#?}");
        assert!(run.stderr.contains(complaint), "{arguments:?}: {run:#?}");
    }
    let run = run(&mut command(&["--help"]), "");
    assert_eq!(
        (run.code, run.stdout.starts_with("usage: ")),
        (Some(0), true),
        "{run:#?}"
    );
}

#[test]
fn errors_of_scripts_have_a_place_and_status_1() {
    for (text, place) in [
        (
            "(displayln 1)\n  (displayln (+ 1 2)",
            ":2:20: error: Unexpected EOF",
        ),
        (
            "(define x 1)\n(displayln y)",
            ":2:12: error: Cannot reference an identifier before its definition: y",
        ),
        (
            "(define (f) (g_coroutine-run 5))\n(displayln 0)\n(f)",
            ":1:14: error: g_coroutine-run: argument 1 (THUNK)",
        ),
        ("(define (f x) (* 2 (car x)))\n(f '())", ":1:21: error: "),
        ("\n\n(error \"said so:\" 1 2)", ":3:2: error: said so: 1 2"),
    ] {
        let run = script(text);
        assert_eq!(run.code, Some(1), "{text}: {run:#?}");
        assert!(run.stderr.contains(place), "{text}: {run:#?}");
    }
}

#[test]
fn exit_ends_it_at_once() {
    let run = script(
        "(go (lambda () (sleep 60)))\n(go (lambda () (displayln \"bye\") (exit 7)))\n(g_coroutine-wait)",
    );
    assert_eq!(
        (run.stdout.trim_end(), run.code),
        ("bye", Some(7)),
        "{run:#?}"
    );
}

#[test]
fn the_repl_reads_from_a_pipe() {
    let input = "(define (square x)\n  (* x x))\n(square 7)\n\"text\"\n(car '())\n(square 8)\n(go (lambda () (displayln \"task\")))\n(displayln \"before\")";
    let run = run(&mut command(&[]), input);
    let lines: Vec<&str> = run.stdout.lines().map(str::trim_end).collect();
    assert_eq!(lines.first(), Some(&"=> 49"), "{run:#?}");
    assert!(lines.contains(&"=> 64"), "{run:#?}");
    assert_eq!(
        lines.last(),
        Some(&"task"),
        "at its end it waits for the tasks: {run:#?}"
    );
    assert!(run.stderr.contains("input:1:2: error: "), "{run:#?}");
    assert_eq!(run.code, Some(1), "one form had an error: {run:#?}");
}

#[test]
fn a_pipe_shows_no_progress() {
    script("(sleep 1.6)\n(displayln \"awake\")").prints("awake");
}
