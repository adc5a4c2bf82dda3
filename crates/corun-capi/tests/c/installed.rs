//! Programs find the installed library as users would have them find it.

use std::fs;
use std::process::Command;

use crate::build::{expect, installed, prefix, root, scratch, succeed};
use crate::examples::SELECT;

#[test]
fn by_pkg_config() {
    if !installed(&["pkg-config"]) {
        return;
    }
    let lib = prefix().join("lib");
    let ask = |arguments: &[&str]| {
        let mut command = Command::new("pkg-config");
        command
            .env("PKG_CONFIG_PATH", lib.join("pkgconfig"))
            .args(arguments)
            .arg("corun");
        String::from_utf8(succeed(&mut command).stdout).expect("text")
    };
    assert_eq!(ask(&["--modversion"]).trim(), env!("CARGO_PKG_VERSION"));
    let program = scratch(&format!("pkg-config-{}", std::process::id()));
    let mut command = Command::new("cc");
    command
        .arg(root().join("examples/c/select.c"))
        .arg("-o")
        .arg(&program);
    command.args(ask(&["--cflags", "--libs"]).split_whitespace());
    command.arg(format!("-Wl,-rpath,{}", lib.display()));
    succeed(&mut command);
    expect(&program, SELECT);
}

#[test]
fn by_cmake() {
    if !installed(&["cmake", "make"]) {
        return;
    }
    let folder = scratch(&format!("cmake-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let source = root().join("examples/c/select.c");
    let list = format!(
        "cmake_minimum_required(VERSION 3.13)\nproject(example C)\nfind_package(corun 0.1 REQUIRED CONFIG)\n\
         add_executable(shared {0})\ntarget_link_libraries(shared corun::corun)\n\
         add_executable(static {0})\ntarget_link_libraries(static corun::corun-static)\n",
        source.display()
    );
    fs::write(folder.join("CMakeLists.txt"), list).expect("a file");
    let build = folder.join("build");
    let mut command = Command::new("cmake");
    command.arg("-S").arg(&folder).arg("-B").arg(&build);
    command.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix().display()));
    succeed(&mut command);
    succeed(Command::new("cmake").arg("--build").arg(&build));
    expect(&build.join("shared"), SELECT);
    expect(&build.join("static"), SELECT);
    fs::remove_dir_all(folder).expect("it was just made");
}

#[test]
fn a_prefix_that_does_not_exist_and_an_archive_that_does_not_exist_are_told_apart() {
    let tool = root().join("../../tools/install-capi");
    let output = Command::new(&tool)
        .arg(scratch("nowhere"))
        .arg("no-such.a")
        .output()
        .expect("bash");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no no-such.a"));
    let usage = Command::new(&tool).output().expect("bash");
    assert_eq!(usage.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&usage.stderr).contains("install-capi PREFIX"));
}
