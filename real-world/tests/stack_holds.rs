//! The default stack is large enough, in a build without optimisation, for what ordinary programs do on it. A TLS handshake does too:
//! tls.rs.

use std::fmt::Debug;
use std::process::{Command, Stdio};

/// Runs `f` in a coroutine with a stack of the default size.
fn on_a_coroutine<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    corun::spawn(f).join().expect("no panic")
}

/// Groups within groups of the regular expression below. Without optimisation, `regex` takes some 30 KiB of stack for each.
const NESTED: usize = 5;

#[test]
fn compiling_and_running_regular_expressions() {
    let found = on_a_coroutine(|| {
        let nested = format!("{}x{}", "(a|b".repeat(NESTED), ")*".repeat(NESTED));
        let address = r"(?i)\b[\w.%+-]{1,64}@(?:[a-z\d-]{1,63}\.){1,4}[a-z]{2,24}\b";
        let nested = regex::Regex::new(&nested).expect("a regular expression");
        assert!(nested.is_match(&format!("{}x", "ab".repeat(100))));
        let address = regex::Regex::new(address).expect("a regular expression");
        address
            .find_iter("write to jo@example.org or Zoë@sub.domain.example, not to @nobody")
            .count()
    });
    assert_eq!(found, 2);
}

#[test]
fn json_nested_128_deep() {
    // serde_json allows 127 levels below the outermost value.
    let deep = |levels: usize| {
        format!(
            "{}1{}",
            "[{\"a\":".repeat(levels / 2),
            "}]".repeat(levels / 2)
        )
    };
    let (there, too_deep) = on_a_coroutine(move || {
        let value: serde_json::Value = serde_json::from_str(&deep(126)).expect("within the limit");
        let again: serde_json::Value =
            serde_json::from_str(&value.to_string()).expect("what it wrote");
        let pretty = format!("{value:#?}").len() > 126;
        (
            value == again && pretty,
            serde_json::from_str::<serde_json::Value>(&deep(128)).is_err(),
        )
    });
    assert!(there && too_deep);
}

/// Nested, with a large array by value at each level.
#[derive(Debug, Clone)]
struct Large<T> {
    before: [u64; 32],
    name: &'static str,
    inside: T,
    after: Option<[f64; 32]>,
}

fn large<T: Debug>(inside: T) -> Large<T> {
    Large {
        before: [u64::MAX; 32],
        name: "a level",
        inside,
        after: Some([1e-300; 32]),
    }
}

#[test]
fn printing_large_structures() {
    on_a_coroutine(|| {
        let value = large(large(large(large(large([large(1), large(2)])))));
        println!("{value:?}");
        println!("{value:#?}");
        assert!(format!("{value:#?}").matches("a level").count() == 7);
        assert!(
            value.before[0] == u64::MAX && value.after.is_some() && value.name == value.inside.name
        );
    });
}

/// In a process of its own: what a panic prints goes to standard error, and depends on the environment.
#[test]
fn a_panic_with_a_full_backtrace() {
    const INSIDE: &str = "CORUN_TEST_PANIC_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        let panic = corun::Builder::new()
            .name("unlucky".to_owned())
            .spawn(|| deep_down(40))
            .expect("spawn")
            .join();
        assert!(panic.is_err());
        return;
    }
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args([
        "--exact",
        "a_panic_with_a_full_backtrace",
        "--nocapture",
        "--test-threads=1",
    ]);
    command
        .env(INSIDE, "1")
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::null());
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}", output.status);
    assert!(
        text.contains("unlucky") && text.contains("all the way down"),
        "{text}"
    );
    assert!(
        text.matches("deep_down").count() > 40,
        "the backtrace shows every frame:\n{text}"
    );
}

#[inline(never)]
fn deep_down(levels: usize) -> usize {
    assert!(
        levels > 0,
        "all the way down: {}",
        format!("{:?}", large(levels)).len()
    );
    deep_down(levels - 1) + 1
}
