//! The part of corun's C ABI that compiled programs and their runtime use, as `include/echo/*.h` declares it.

use std::ffi::{c_char, c_void};

// Links the library that defines these.
use corun_capi as _;

/// A handle of any kind.
pub type Handle = *mut c_void;
pub type Function = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
pub type Destructor = unsafe extern "C" fn(*mut c_void);

pub const OK: i32 = 0;
pub const CLOSED: i32 = -3;
pub const WOULD_BLOCK: i32 = -4;
pub const TIMEDOUT: i32 = -5;
pub const CANCELLED: i32 = -6;
pub const FAILED: i32 = -14;

pub const FOREVER: i64 = -1;

/// `corun_task_options`
#[repr(C)]
pub struct TaskOptions {
    pub size: u32,
    pub flags: u32,
    pub stack_size: u64,
    pub name: *const c_char,
    pub runtime: Handle,
    pub argument_destructor: Option<Destructor>,
    pub result_destructor: Option<Destructor>,
}

/// `corun_runtime_options`
#[repr(C)]
pub struct RuntimeOptions {
    pub size: u32,
    pub workers: u32,
    pub stack_size: u64,
    pub thread_name: *const c_char,
    pub max_blocking_threads: u32,
    pub flags: u32,
}

/// `corun_statistics`
#[repr(C)]
#[derive(Default)]
pub struct Statistics {
    pub size: u32,
    pub reserved: u32,
    pub tasks_created: u64,
    pub tasks_completed: u64,
    pub tasks_failed: u64,
    pub tasks_cancelled: u64,
    pub handles: u64,
}

/// `corun_select_case`: where its fields are, for compiled code.
pub mod select_case {
    pub const SIZE: u32 = 24;
    pub const CHANNEL: i32 = 0;
    pub const ELEMENT: i32 = 8;
    pub const OPERATION: i32 = 16;
    pub const STATUS: i32 = 20;
    pub const RECEIVE: i64 = 0;
    pub const SEND: i64 = 1;
}

unsafe extern "C" {
    pub fn corun_last_error_message() -> *const c_char;
    pub fn corun_status_name(status: i32) -> *const c_char;
    pub fn corun_check_cancelled() -> i32;
    pub fn corun_get_statistics(statistics: *mut Statistics) -> i32;

    pub fn corun_runtime_create(options: *const RuntimeOptions, runtime: *mut Handle) -> i32;
    pub fn corun_runtime_shutdown(runtime: Handle, timeout: i64) -> i32;

    pub fn corun_spawn(
        function: Function,
        argument: *mut c_void,
        options: *const TaskOptions,
        task: *mut Handle,
    ) -> i32;
    pub fn corun_spawn_async(
        function: Function,
        argument: *mut c_void,
        options: *const TaskOptions,
        future: *mut Handle,
    ) -> i32;
    pub fn corun_task_retain(task: Handle) -> i32;
    pub fn corun_task_release(task: Handle) -> i32;
    pub fn corun_task_join(task: Handle, result: *mut *mut c_void) -> i32;
    pub fn corun_task_error(task: Handle, code: *mut i32, message: *mut *const c_char) -> i32;
    pub fn corun_task_fail(code: i32, message: *const c_char) -> i32;

    pub fn corun_future_await(future: Handle, value: *mut *mut c_void) -> i32;
    pub fn corun_future_error(future: Handle, code: *mut i32, message: *mut *const c_char) -> i32;
    pub fn corun_future_cancel(future: Handle) -> i32;
    pub fn corun_future_retain(future: Handle) -> i32;
    pub fn corun_future_release(future: Handle) -> i32;

    pub fn corun_channel_create(
        element_size: usize,
        capacity: usize,
        destructor: Option<Destructor>,
        channel: *mut Handle,
    ) -> i32;
    pub fn corun_channel_send_u64(channel: Handle, element: u64) -> i32;
    pub fn corun_channel_receive_u64(channel: Handle, element: *mut u64) -> i32;
    pub fn corun_channel_close(channel: Handle) -> i32;
    pub fn corun_channel_length(channel: Handle, length: *mut usize) -> i32;
    pub fn corun_channel_retain(channel: Handle) -> i32;
    pub fn corun_channel_release(channel: Handle) -> i32;
    pub fn corun_select(cases: *mut c_void, count: usize, timeout: i64, chosen: *mut usize) -> i32;

    pub fn corun_sleep(duration: i64) -> i32;
    pub fn corun_yield() -> i32;
    pub fn corun_checkpoint() -> i32;
    pub fn corun_now() -> i64;
}
