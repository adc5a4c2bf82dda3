//! Where the figures come from: the machine, and the versions of everything that took part.

use std::fmt::Write;
use std::fs;
use std::process::Command;

/// The section that says so.
pub fn section(rounds: usize, seconds: f64, disturbance: f64, boost: bool) -> String {
    let mut text = String::from("## Machine and versions\n\n");
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map_or("unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let cores = cpu
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    let virtual_machine = if cpu.contains(" hypervisor ") {
        ", a virtual machine"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "- CPU: {} (family {}, model {}), {cores} cores, {} GiB of memory{virtual_machine}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        kib.div_ceil(1 << 20)
    );
    let _ = writeln!(
        text,
        "- Kernel: Linux {}",
        fs::read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim()
    );
    let _ = writeln!(
        text,
        "- corun: commit {}",
        output("git", &["describe", "--always", "--dirty", "--exclude=*"])
    );
    let _ = writeln!(text, "- Compiler: {}", output("rustc", &["--version"]));
    let peers = [
        "corosensei",
        "generator",
        "may",
        "tokio",
        "smol",
        "async-executor",
        "kanal",
        "flume",
        "async-channel",
        "crossbeam-channel",
        "parking_lot",
    ];
    let versions: Vec<_> = peers
        .iter()
        .map(|peer| format!("{peer} {}", version(peer)))
        .collect();
    let _ = writeln!(text, "- Peers: {}", versions.join(", "));
    for (name, variable) in [
        ("Go", "BENCH_GO_VERSION"),
        ("boost.context", "BENCH_BOOST_VERSION"),
    ] {
        if let Ok(version) = std::env::var(variable) {
            let _ = writeln!(text, "- {name}: {version}");
        }
    }
    let _ = writeln!(
        text,
        "- Rounds: {rounds}; each socket row {seconds} s a round"
    );
    let _ = writeln!(
        text,
        "- CPU time that other programs took meanwhile: {:.0} % of a core{}",
        disturbance * 100.0,
        if boost {
            "; what was measured ran at nice -20"
        } else {
            ""
        }
    );
    text
}

/// The version of a package in this crate's lock file.
fn version(package: &str) -> &'static str {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let entry = LOCK
        .split("[[package]]\n")
        .find(|entry| entry.starts_with(&format!("name = \"{package}\"\n")));
    entry
        .and_then(|entry| entry.split('"').nth(3))
        .unwrap_or("unknown")
}

fn output(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}
