//! Programs in C that say what is wrong and end with 1, or write `ok`. See `programs/`.

use crate::build::{WARNINGS, compile, expect, root};

fn program(name: &str) {
    let source = root().join("tests/c/programs").join(name);
    let mut options = [&["-std=gnu11", "-O1"][..], &WARNINGS].concat();
    if cfg!(feature = "events") {
        options.push("-DWITH_EVENTS=1");
    }
    expect(&compile("cc", &source, &options, true), "ok\n");
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                program(concat!(stringify!($name), ".c"));
            }
        )*
    };
}

programs! {
    cancel
    channels
    coroutines
    crowd
    echo_names
    events
    first
    futures
    handles
    hosted
    locks
    migration
    observe
    registers
    rivals
    runtimes
    selects
    storm
    tasks
    threads
    turns
}
