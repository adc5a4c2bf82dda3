//! Stackful coroutines in the shape of std.
