//! What a `spawn` and a channel need to know of the values that they carry.

use std::ffi::c_void;
use std::ptr;

use super::failing::{fail_by_status, fail_with};
use super::references::Kind;
use crate::abi::{Handle, OK, TaskOptions, corun_channel_create};

/// A function has no more parameters than the first word of an argument block can describe.
pub const MOST_PARAMETERS: usize = 24;

/// The first word of an argument block: the number of arguments, and two bits for the kind of each.
pub fn describe(kinds: impl ExactSizeIterator<Item = Kind>) -> i64 {
    let count = kinds.len() as i64;
    kinds.enumerate().fold(count, |word, (index, kind)| {
        word | (kind as i64) << (8 + 2 * index)
    })
}

fn count(description: i64) -> usize {
    (description & 0xff) as usize
}

/// Makes the block in which the arguments of a spawned function travel: the description, and a word for each.
pub extern "C" fn make_arguments(description: i64) -> *mut i64 {
    let mut block = vec![0; 1 + count(description)].into_boxed_slice();
    block[0] = description;
    Box::into_raw(block).cast()
}

/// Frees a block whose arguments were taken.
///
/// # Safety
/// It came from [`make_arguments`], and is used up.
pub unsafe extern "C" fn free_arguments(block: *mut i64) {
    // SAFETY: as the caller promises; the first word says how long the block is.
    unsafe {
        let length = 1 + count(*block);
        drop(Box::from_raw(ptr::slice_from_raw_parts_mut(block, length)));
    }
}

/// Frees a block with its arguments: the function will never run.
unsafe extern "C" fn destroy_arguments(block: *mut c_void) {
    let block = block.cast::<i64>();
    // SAFETY: the ABI passes what it was given: a block with all of its arguments.
    unsafe {
        for index in 0..count(*block) {
            let kind = match *block >> (8 + 2 * index) & 3 {
                1 => Kind::Text,
                2 => Kind::Channel,
                3 => Kind::Future,
                _ => Kind::Plain,
            };
            kind.release(ptr::with_exposed_provenance_mut(
                *block.add(1 + index) as usize
            ));
        }
        free_arguments(block);
    }
}

/// The options of tasks whose results are of this kind; they live as long as the program.
pub fn task_options(result: Kind) -> *const TaskOptions {
    Box::leak(Box::new(TaskOptions {
        size: size_of::<TaskOptions>() as u32,
        flags: 0,
        stack_size: 0,
        name: ptr::null(),
        runtime: ptr::null_mut(),
        argument_destructor: Some(destroy_arguments),
        result_destructor: result.destructor(),
    }))
}

/// Makes a channel for elements of this kind; null if that has failed.
pub extern "C" fn make_channel(kind: i64, capacity: i64) -> Handle {
    let destructor = match kind {
        1 => Kind::Text,
        2 => Kind::Channel,
        3 => Kind::Future,
        _ => Kind::Plain,
    }
    .element_destructor();
    let mut channel = ptr::null_mut();
    if capacity < 0 {
        fail_with("the capacity of a channel is below zero");
        return channel;
    }
    // SAFETY: the place is to be written.
    let status =
        unsafe { corun_channel_create(8, capacity as usize, destructor, &raw mut channel) };
    if status != OK {
        fail_by_status(i64::from(status));
    }
    channel
}
