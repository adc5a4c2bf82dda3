//! A panic in a coroutine is announced with the coroutine's name, number and spawn site, before the message of whatever hook there is.

mod child;

use std::panic;

#[test]
fn named_and_unnamed() {
    if let Some(output) = child::run("named_and_unnamed", &[]) {
        assert!(output.status.success(), "{}", child::text(&output));
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let at = |text: &str| {
            lines
                .iter()
                .position(|line| line.contains(text))
                .unwrap_or_else(|| panic!("{text}: {lines:#?}"))
        };
        let named = at("coroutine 'the worst one' (id ");
        assert!(
            lines[named].contains("panic_names_coroutine.rs:")
                && lines[named].ends_with(") panicked:"),
            "{}",
            lines[named]
        );
        assert_eq!(
            at("on purpose"),
            named + 2,
            "right before std's two lines: {lines:#?}"
        );
        assert!(lines[named + 1].contains("panicked at"));
        assert!(lines[at("also on purpose") - 2].starts_with("coroutine '<unnamed>' (id "));
        assert!(!lines[at("on a plain thread") - 2].starts_with("coroutine"));
        return;
    }
    let named = corun::Builder::new().name("the worst one".into());
    assert!(
        named
            .spawn(|| panic!("on purpose"))
            .unwrap()
            .join()
            .is_err()
    );
    assert!(corun::spawn(|| panic!("also on purpose")).join().is_err());
    assert!(
        std::thread::spawn(|| panic!("on a plain thread"))
            .join()
            .is_err()
    );
}

#[test]
fn the_hook_of_the_program_still_runs_and_may_block() {
    if let Some(output) = child::run(
        "the_hook_of_the_program_still_runs_and_may_block",
        &[("CORUN_WORKERS", "1")],
    ) {
        assert!(output.status.success(), "{}", child::text(&output));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            text.contains("coroutine 'first'") && text.contains("the program's hook: left"),
            "{text}"
        );
        // With their worker blocked by the hook, the other coroutine's panic comes entirely after it.
        let end = text.find("the program's hook: left").unwrap();
        assert!(text.find("coroutine 'second'").unwrap() > end, "{text}");
        return;
    }
    panic::set_hook(Box::new(|_| {
        let thread = std::thread::current().id();
        corun::sleep(std::time::Duration::from_millis(20));
        corun::yield_now();
        assert_eq!(std::thread::current().id(), thread);
        eprintln!("the program's hook: left");
    }));
    let spawn = |name: &str| {
        corun::Builder::new()
            .name(name.into())
            .spawn_local(|| panic!())
            .unwrap()
    };
    // Local ones, as of others those that have not begun may go to another worker, when this one is blocked for long.
    let both = corun::spawn(move || {
        let coroutines = [spawn("first"), spawn("second")];
        for coroutine in coroutines {
            assert!(coroutine.join().is_err());
        }
    });
    both.join().unwrap();
}

#[test]
fn it_is_captured_with_the_output_of_a_test() {
    if let Some(output) = child::run("it_is_captured_with_the_output_of_a_test", &[]) {
        assert!(output.status.success(), "{}", child::text(&output));
        return;
    }
    // Without `--nocapture`, a test that passes shows nothing of its panics.
    let output = child::program()
        .args(["panics_and_passes", "--exact", "--test-threads=1"])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(
        !child::text(&output).contains("coroutine '"),
        "{}",
        child::text(&output)
    );
}

#[corun::test(workers = 1)]
fn panics_and_passes() {
    assert!(corun::spawn(|| panic!("captured")).join().is_err());
}

#[cfg(unix)]
#[test]
fn a_standard_error_that_nobody_reads_is_no_reason_to_abort() {
    use std::os::fd::AsRawFd;

    const NAME: &str = "a_standard_error_that_nobody_reads_is_no_reason_to_abort";
    if let Some(output) = child::run(NAME, &[]) {
        assert!(output.status.success(), "{}", child::text(&output));
        return;
    }
    let (reader, writer) = std::io::pipe().unwrap();
    // SAFETY: both descriptors are open.
    assert!(unsafe { libc::dup2(writer.as_raw_fd(), libc::STDERR_FILENO) } >= 0);
    drop((reader, writer));
    assert!(corun::spawn(|| panic!("unheard")).join().is_err());
}
