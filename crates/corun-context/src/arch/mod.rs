//! One file per architecture and ABI, each offering the same three functions: `switch`, `switch_final` and `prepare`.

#[cfg_attr(all(target_arch = "x86_64", not(windows)), path = "x86_64.rs")]
#[cfg_attr(all(target_arch = "x86_64", windows), path = "x86_64_windows.rs")]
#[cfg_attr(all(target_arch = "aarch64", not(windows)), path = "aarch64.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", not(windows)),
    target_arch = "riscv64"
))]
mod imp;

#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", not(windows)),
    target_arch = "riscv64"
))]
pub(crate) use imp::*;

#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", not(windows)),
    target_arch = "riscv64"
)))]
compile_error!(
    "corun-context has no context switch for this target. There is one for x86-64 (System V and Windows), for AArch64 except on Windows, \
     and for 64-bit RISC-V; another takes one file with three functions in corun-context/src/arch"
);
