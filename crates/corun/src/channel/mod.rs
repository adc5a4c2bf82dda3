//! Channels in the shape of `crossbeam-channel`, for coroutines, threads and async tasks.

mod error;

pub use error::{
    ReadyTimeoutError, RecvError, RecvTimeoutError, SelectTimeoutError, SendError,
    SendTimeoutError, TryReadyError, TryRecvError, TrySelectError, TrySendError,
};
