//! What programs that were compiled before rely on. `abi/abi.txt` lists it: every function with its types, every structure with its layout, every
//! constant. A change shows in review; set `CORUN_UPDATE_ABI=1` to write the list anew.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;
use std::fs;
use std::process::Command;

use corun_capi::{
    channel, coroutine, event, event_loop, future, launch, observe, registers, runtime, scheduler,
    select, status, task,
};

use crate::build::{prefix, root, succeed};
use crate::signatures::{callbacks, functions};

type Layout = (&'static str, usize, Vec<(&'static str, usize)>);

macro_rules! layout {
    ($($module:ident :: $name:ident { $($field:ident),* })*) => {
        vec![$((
            stringify!($name),
            size_of::<$module::$name>(),
            vec![$((stringify!($field), std::mem::offset_of!($module::$name, $field))),*],
        )),*]
    };
}

/// The structures that users fill in.
pub fn layouts() -> Vec<Layout> {
    layout! {
        runtime::corun_runtime_options { size, workers, stack_size, thread_name, max_blocking_threads, flags }
        launch::corun_task_options { size, flags, stack_size, name, runtime, argument_destructor, result_destructor }
        select::corun_select_case { channel, element, operation, status }
        scheduler::corun_statistics { size, reserved, tasks_created, tasks_completed, tasks_failed, tasks_cancelled, handles }
        observe::corun_step { size, kind, subject, detail }
        event::corun_event_request { size, events, descriptor, signal, delay, period, runtime }
    }
}

/// The constants of the headers, as the library has them.
pub fn constants() -> Vec<(String, i64)> {
    let mut all: Vec<(String, i64)> = Vec::new();
    for (name, value) in status::ALL {
        all.push((name.to_str().expect("text").into(), i64::from(*value)));
    }
    for (prefix, names) in [
        ("TASK", &task::STATES[..]),
        ("FUTURE", &future::STATES),
        ("COROUTINE", &coroutine::STATES),
        ("STEP", &observe::KINDS),
    ] {
        for (value, name) in (0..).zip(names) {
            all.push((format!("CORUN_{prefix}_{name}"), value));
        }
    }
    let flags = [
        ("TASK_PINNED", launch::PINNED),
        ("TASK_SAVE_FP", registers::SAVE_FP),
        ("TASK_SAVE_CXX", registers::SAVE_CXX),
        ("EVENT_READ", event::READ),
        ("EVENT_WRITE", event::WRITE),
        ("EVENT_ERROR", event::ERROR),
        ("EVENT_TIMER", event::TIMER),
        ("EVENT_SIGNAL", event::SIGNAL),
        ("EVENT_ONCE", event::ONCE),
    ];
    all.extend(flags.map(|(name, value)| (format!("CORUN_{name}"), i64::from(value))));
    all.push(("CORUN_SELECT_RECEIVE".into(), i64::from(select::RECEIVE)));
    all.push(("CORUN_SELECT_SEND".into(), i64::from(select::SEND)));
    let [major, minor, patch] =
        [16, 8, 0].map(|shift| i64::from(status::corun_version() >> shift & 0xff));
    all.push(("CORUN_VERSION_MAJOR".into(), major));
    all.push(("CORUN_VERSION_MINOR".into(), minor));
    all.push(("CORUN_VERSION_PATCH".into(), patch));
    all
}

fn list() -> String {
    let mut text = String::new();
    for (name, (result, parameters)) in functions() {
        writeln!(text, "function {result} {name}({})", parameters.join(", ")).expect("memory");
    }
    for (name, ty) in callbacks() {
        writeln!(text, "callback {name} = {ty}").expect("memory");
    }
    for (name, size, fields) in layouts() {
        let fields: Vec<String> = fields
            .iter()
            .map(|(field, offset)| format!("{field} at {offset}"))
            .collect();
        writeln!(
            text,
            "structure {name} of {size} bytes: {}",
            fields.join(", ")
        )
        .expect("memory");
    }
    for (name, value) in constants() {
        writeln!(text, "constant {name} = {value}").expect("memory");
    }
    text
}

#[test]
fn the_abi_is_the_one_that_was_agreed_on() {
    let file = root().join("abi/abi.txt");
    let now = list();
    if env::var_os("CORUN_UPDATE_ABI").is_some() {
        fs::write(&file, &now).expect("the list can be written");
    }
    let agreed = fs::read_to_string(&file).expect("abi/abi.txt");
    for (line, (was, is)) in (1..).zip(agreed.lines().zip(now.lines())) {
        assert_eq!(
            was, is,
            "abi/abi.txt, line {line}; if this is meant, set CORUN_UPDATE_ABI=1"
        );
    }
    assert_eq!(agreed, now, "if this is meant, set CORUN_UPDATE_ABI=1");
}

#[test]
fn the_shared_library_exports_exactly_these_symbols_with_their_version() {
    let library = prefix().join("lib/libcorun.so");
    let output = succeed(
        Command::new("nm")
            .args(["-D", "--defined-only", "--with-symbol-versions"])
            .arg(library),
    );
    let output = String::from_utf8(output.stdout).expect("text");
    let symbols: BTreeSet<String> = output
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .map(|symbol| symbol.replace("@@", "@"))
        // The version itself is a symbol as well.
        .filter(|symbol| !symbol.starts_with("CORUN_0.1"))
        .collect();
    let expected: BTreeSet<String> = functions()
        .into_keys()
        .map(|name| format!("{name}@CORUN_0.1"))
        .collect();
    assert_eq!(symbols, expected);
}

/// Handles, and nothing else, are what the types of the headers stand for.
#[test]
fn handles_have_the_size_of_a_pointer() {
    assert_eq!(size_of::<*mut channel::corun_channel>(), 8);
    assert_eq!(size_of::<*mut event_loop::corun_event_loop>(), 8);
}
