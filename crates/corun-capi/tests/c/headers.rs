//! The headers say what the library does. The C compiler compares them: it is shown the headers, and then every function once more as the Rust sources
//! have it, where any difference is an error.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::abi::{constants, layouts};
use crate::build::{WARNINGS, compile, expect, installed, root, scratch, succeed};
use crate::signatures::{callbacks, functions};

fn headers() -> Vec<String> {
    let folder = fs::read_dir(root().join("include/echo")).expect("headers");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> = folder
        .map(|entry| name(entry).into_string().expect("text"))
        .collect();
    names.sort();
    names
}

#[test]
fn each_header_stands_alone_in_c_and_in_cpp() {
    let headers = headers();
    for name in [
        "runtime.h",
        "task.h",
        "future.h",
        "scheduler.h",
        "coroutine.h",
        "channel.h",
        "event_loop.h",
        "corun.h",
    ] {
        assert!(
            headers.iter().any(|header| header == name),
            "there is no {name}"
        );
    }
    let has_cpp = installed(&["c++"]);
    for header in headers {
        for (compiler, standard, suffix) in [("cc", "-std=c11", "c"), ("c++", "-std=c++17", "cpp")]
        {
            if compiler == "c++" && !has_cpp {
                continue;
            }
            let source = scratch(&format!("alone-{header}-{}.{suffix}", std::process::id()));
            // Twice: the second time must change nothing.
            fs::write(
                &source,
                format!("#include <echo/{header}>\n#include <echo/{header}>\n"),
            )
            .expect("a file");
            check(compiler, &[standard], &source);
            fs::remove_file(source).expect("it was just written");
        }
    }
}

fn check(compiler: &str, options: &[&str], source: &Path) {
    let mut command = Command::new(compiler);
    command
        .args(options)
        .args(WARNINGS)
        .args(["-fsyntax-only", "-I"])
        .arg(root().join("include"))
        .arg(source);
    succeed(&mut command);
}

#[test]
fn headers_and_library_agree_on_every_function_type_structure_and_constant() {
    let mut text = String::from("#include <echo/corun.h>\n#include <stdio.h>\n");
    let functions = functions();
    assert!(functions.len() > 100);
    for (name, (result, parameters)) in &functions {
        let parameters = if parameters.is_empty() {
            "void".to_string()
        } else {
            parameters.join(", ")
        };
        // Conflicting declarations are an error in C.
        writeln!(text, "{result} {name}({parameters});").expect("memory");
    }
    for (name, ty) in callbacks() {
        writeln!(
            text,
            "_Static_assert(__builtin_types_compatible_p({name}, {ty}), \"{name}\");"
        )
        .expect("memory");
    }
    for (structure, size, fields) in layouts() {
        writeln!(
            text,
            "_Static_assert(sizeof({structure}) == {size}, \"{structure}\");"
        )
        .expect("memory");
        for (field, offset) in fields {
            writeln!(
                text,
                "_Static_assert(offsetof({structure}, {field}) == {offset}, \"{field}\");"
            )
            .expect("memory");
        }
    }
    for (name, value) in constants() {
        writeln!(text, "_Static_assert({name} == {value}, \"{name}\");").expect("memory");
    }
    // And that each can be linked.
    text.push_str("typedef void (*any)(void);\nstatic any all[] = {\n");
    for name in functions.keys() {
        writeln!(text, "    (any){name},").expect("memory");
    }
    text.push_str("};\nint main(void) {\n    size_t n, there = 0;\n    for (n = 0; n < sizeof all / sizeof *all; n++) there += all[n] != 0;\n    printf(\"%lu\\n\", (unsigned long)there);\n    return 0;\n}\n");
    let source = scratch(&format!("agree-{}.c", std::process::id()));
    fs::write(&source, text).expect("a file");
    let options = [&["-std=c11"][..], &WARNINGS].concat();
    for shared in [false, true] {
        let program = compile("cc", &source, &options, shared);
        expect(&program, &format!("{}\n", functions.len()));
    }
    fs::remove_file(source).expect("it was just written");
}

#[test]
fn headers_declare_what_is_exported_and_nothing_else() {
    let mut declared = BTreeSet::new();
    for header in headers() {
        let text = fs::read_to_string(root().join("include/echo").join(header)).expect("a header");
        for line in text
            .lines()
            .filter(|line| line.ends_with(");") && !line.starts_with([' ', '/', 't', '#']))
        {
            let before = line.split('(').next().expect("a beginning");
            let name = before.rsplit([' ', '*']).next().expect("a name");
            declared.insert(name.to_string());
        }
    }
    let exported: BTreeSet<String> = functions().into_keys().collect();
    assert_eq!(declared, exported);
}
