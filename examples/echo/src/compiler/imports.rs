//! What compiled code calls: corun's C ABI, and the runtime of the language.

use cranelift_codegen::ir::Type;
use cranelift_codegen::ir::types::{I32, I64};

use crate::abi;
use crate::runtime::{failing, references, spawning, text};

/// A function outside of the program.
pub struct Import {
    pub name: &'static str,
    pub address: *const u8,
    pub parameters: &'static [Type],
    pub result: Option<Type>,
}

macro_rules! imports {
    ($($name:literal = $function:path, ($($parameter:ident),*) $(-> $result:ident)?;)*) => {
        &[$(Import {
            name: $name,
            address: $function as *const u8,
            parameters: &[$($parameter),*],
            result: imports!(@ $($result)?),
        }),*]
    };
    (@) => { None };
    (@ $result:ident) => { Some($result) };
}

/// Pointers and handles are words like others.
pub fn all() -> &'static [Import] {
    const ALL: &[Import] = imports! {
        "spawn_async" = abi::corun_spawn_async, (I64, I64, I64, I64) -> I32;
        "await" = abi::corun_future_await, (I64, I64) -> I32;
        "cancel" = abi::corun_future_cancel, (I64) -> I32;
        "send" = abi::corun_channel_send_u64, (I64, I64) -> I32;
        "receive" = abi::corun_channel_receive_u64, (I64, I64) -> I32;
        "close" = abi::corun_channel_close, (I64) -> I32;
        "channel_length" = abi::corun_channel_length, (I64, I64) -> I32;
        "select" = abi::corun_select, (I64, I64, I64, I64) -> I32;
        "sleep" = abi::corun_sleep, (I64) -> I32;
        "yield" = abi::corun_yield, () -> I32;
        "checkpoint" = abi::corun_checkpoint, () -> I32;
        "now" = abi::corun_now, () -> I64;
        "make_channel" = spawning::make_channel, (I64, I64) -> I64;
        "make_arguments" = spawning::make_arguments, (I64) -> I64;
        "free_arguments" = spawning::free_arguments, (I64);
        "retain_text" = references::retain_text, (I64);
        "release_text" = references::release_text, (I64);
        "retain_channel" = references::retain_channel, (I64);
        "release_channel" = references::release_channel, (I64);
        "retain_future" = references::retain_future, (I64);
        "release_future" = references::release_future, (I64);
        "join_text" = text::join, (I64, I64) -> I64;
        "compare_text" = text::compare, (I64, I64) -> I64;
        "text_length" = text::length, (I64) -> I64;
        "text_of_int" = text::of_int, (I64) -> I64;
        "text_of_bool" = text::of_bool, (I64) -> I64;
        "print" = text::print, (I64);
        "fail" = failing::fail, (I64);
        "fail_by_mistake" = failing::fail_by_mistake, (I64);
        "fail_by_status" = failing::fail_by_status, (I64);
        "fail_by_await" = failing::fail_by_await, (I64, I64);
    };
    ALL
}
