//! Links with the linker script of the architecture.

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    println!("cargo::rerun-if-changed=link");
    println!("cargo::rustc-link-arg-bins=-T{here}/link/{arch}.ld");
    // The kernel stays where it is linked.
    println!("cargo::rustc-link-arg-bins=--no-pie");
}
