//! corun with hickory is corun without tokio.

use std::env;
use std::process::Command;

#[test]
fn the_feature_brings_no_tokio() {
    let cargo = env::var_os("CARGO").expect("cargo runs the tests");
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--frozen",
            "--package",
            "corun",
            "--features",
            "hickory",
        ])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    let said = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{said}");
    let tree = String::from_utf8_lossy(&tree.stdout);
    let has = |name: &str| tree.lines().any(|line| line.starts_with(name));
    assert!(has("corun v") && has("hickory-resolver v"), "{tree}");
    assert!(!has("tokio"), "{tree}");
}
