//! Cancellation at each wait, and what becomes of the child.

use std::time::Duration;

use corun::process::{Command, Stdio};

/// Is there a process of that number, dead or alive?
fn exists(pid: u32) -> bool {
    // SAFETY: signal 0 only asks.
    unsafe { libc::kill(pid.cast_signed(), 0) == 0 }
}

#[corun::test(workers = [1, 2, 8])]
fn a_wait_that_is_cancelled_leaves_the_child_as_it_is() {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    for _ in 0..20 {
        assert!(corun::timeout(Duration::from_micros(300), || child.wait()).is_err());
        assert!(child.try_wait().unwrap().is_none());
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
}

/// A script that tells its number through a file and does not end by itself.
fn endless(told: &std::path::Path) -> Command {
    let mut command = Command::new("sh");
    let script = format!(
        "echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000",
        told.display()
    );
    command.arg("-c").arg(script);
    command
}

fn number_in(told: &std::path::Path) -> u32 {
    loop {
        if let Ok(text) = std::fs::read_to_string(told) {
            std::fs::remove_file(told).unwrap();
            return text.trim().parse().unwrap();
        }
        corun::yield_now();
    }
}

fn is_killed_and_waited_for(run: impl Fn(&mut Command) + Send + Sync + Copy + 'static, name: &str) {
    for workers in [1, 2, 8] {
        let told =
            std::env::temp_dir().join(format!("corun-{name}-{workers}-{}", std::process::id()));
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(|| {
            let path = told.clone();
            let task = corun::spawn(move || run(&mut endless(&path)));
            let pid = number_in(&told);
            assert!(exists(pid));
            task.cancel();
            assert!(task.join().is_err());
            assert!(!exists(pid));
        });
    }
}

#[test]
fn a_status_that_is_cancelled_kills_the_child_and_waits_for_it() {
    is_killed_and_waited_for(|command| drop(command.status()), "status");
}

#[test]
fn an_output_that_is_cancelled_kills_the_child_and_waits_for_it() {
    is_killed_and_waited_for(|command| drop(command.output()), "output");
}

#[test]
fn an_output_that_is_cancelled_with_one_pipe_does_so_too() {
    is_killed_and_waited_for(
        |command| drop(command.stderr(Stdio::null()).output()),
        "one-pipe",
    );
}

#[corun::test(workers = [1, 2, 8])]
fn nothing_is_started_by_who_is_cancelled_already() {
    let path = std::env::temp_dir().join(format!("corun-never-{}", std::process::id()));
    let told = path.clone();
    let task = corun::spawn(move || {
        corun::park();
        let _ = Command::new("touch").arg(told).status();
    });
    task.cancel();
    assert!(task.join().is_err());
    assert!(!path.exists());
}

#[test]
fn a_time_limit_on_a_plain_thread_ends_its_waits() {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    assert!(corun::timeout(Duration::from_millis(5), || child.wait()).is_err());
    child.kill().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    assert!(!exists(pid));
    let ended = corun::timeout(Duration::from_millis(20), || {
        Command::new("sleep").arg("1000").output()
    });
    assert!(ended.is_err());
}
