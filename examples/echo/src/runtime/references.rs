//! Counting references.

use std::ffi::c_void;
use std::sync::Arc;

use crate::abi::{
    Destructor, Handle, corun_channel_release, corun_channel_retain, corun_future_release,
    corun_future_retain,
};
use crate::syntax::Type;

/// A string of a program; null is the empty one.
pub type Text = *const String;

/// What kind of reference a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None: it is the value.
    Plain = 0,
    Text = 1,
    Channel = 2,
    Future = 3,
}

impl Kind {
    pub fn of(type_: &Type) -> Kind {
        match type_ {
            Type::Int | Type::Bool | Type::Nothing => Kind::Plain,
            Type::String => Kind::Text,
            Type::Chan(_) => Kind::Channel,
            Type::Future(_) => Kind::Future,
        }
    }

    /// Releases a value of this kind.
    ///
    /// # Safety
    /// The value is null or a reference of this kind that the caller owns; it is used up.
    pub unsafe fn release(self, value: *mut c_void) {
        // SAFETY: as the caller promises.
        unsafe {
            match self {
                Kind::Plain => {}
                Kind::Text => release_text(value.cast_const().cast()),
                Kind::Channel => release_channel(value),
                Kind::Future => release_future(value),
            }
        }
    }

    /// What releases a value, where the ABI wants to be told.
    pub fn destructor(self) -> Option<Destructor> {
        match self {
            Kind::Plain => None,
            Kind::Text => Some(destroy_text),
            Kind::Channel => Some(release_channel),
            Kind::Future => Some(release_future),
        }
    }

    /// What releases a value that a pointer leads to: an element of a channel.
    pub fn element_destructor(self) -> Option<Destructor> {
        match self {
            Kind::Plain => None,
            Kind::Text => Some(destroy_text_at),
            Kind::Channel => Some(destroy_channel_at),
            Kind::Future => Some(destroy_future_at),
        }
    }
}

/// # Safety
/// `text` is null, or a reference that the caller owns or borrows.
pub unsafe extern "C" fn retain_text(text: Text) {
    if !text.is_null() {
        // SAFETY: as the caller promises; strings come from `Arc::into_raw`.
        unsafe { Arc::increment_strong_count(text) };
    }
}

/// # Safety
/// `text` is null, or a reference that the caller owns; it is used up.
pub unsafe extern "C" fn release_text(text: Text) {
    if !text.is_null() {
        // SAFETY: as the caller promises; strings come from `Arc::into_raw`.
        unsafe { Arc::decrement_strong_count(text) };
    }
}

/// # Safety
/// As for any handle of the ABI: whatever it is, it is told from a good one.
pub unsafe extern "C" fn retain_channel(channel: Handle) {
    if !channel.is_null() {
        // SAFETY: any number may be passed.
        unsafe { corun_channel_retain(channel) };
    }
}

/// # Safety
/// As `retain_channel`.
pub unsafe extern "C" fn release_channel(channel: Handle) {
    if !channel.is_null() {
        // SAFETY: any number may be passed.
        unsafe { corun_channel_release(channel) };
    }
}

/// # Safety
/// As `retain_channel`.
pub unsafe extern "C" fn retain_future(future: Handle) {
    if !future.is_null() {
        // SAFETY: any number may be passed.
        unsafe { corun_future_retain(future) };
    }
}

/// # Safety
/// As `retain_channel`.
pub unsafe extern "C" fn release_future(future: Handle) {
    if !future.is_null() {
        // SAFETY: any number may be passed.
        unsafe { corun_future_release(future) };
    }
}

unsafe extern "C" fn destroy_text(text: *mut c_void) {
    // SAFETY: the ABI passes what it was given, a string that nobody else owns.
    unsafe { release_text(text.cast_const().cast()) };
}

unsafe extern "C" fn destroy_text_at(place: *mut c_void) {
    // SAFETY: the ABI passes a pointer to an element, which is a string.
    unsafe { release_text(place.cast::<Text>().read_unaligned()) };
}

unsafe extern "C" fn destroy_channel_at(place: *mut c_void) {
    // SAFETY: the ABI passes a pointer to an element, which is a channel.
    unsafe { release_channel(place.cast::<Handle>().read_unaligned()) };
}

unsafe extern "C" fn destroy_future_at(place: *mut c_void) {
    // SAFETY: the ABI passes a pointer to an element, which is a future.
    unsafe { release_future(place.cast::<Handle>().read_unaligned()) };
}
