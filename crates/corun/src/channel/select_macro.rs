//! `select!` and `select_biased!`: they add the path of this crate, and leave the rest to `corun-macros`.

use std::mem::ManuallyDrop;
use std::time::Duration;

use super::{
    Receiver, RecvError, RecvTimeoutError, SelectedOperation, SendError, Sender, TryRecvError,
};

/// Waits until one of several channel operations can go on, and does that one.
///
/// An arm is one of
/// - `recv(receiver) -> pattern => body`: the pattern is bound to a `Result<T, RecvError>`;
/// - `send(sender, message) -> pattern => body`: the pattern is bound to a `Result<(), SendError<T>>`. The message is evaluated only after
///   the arm was chosen;
/// - `default => body`: chosen when no other arm can go on at once;
/// - `default(duration) => body`: chosen when no other arm could go on for so long.
///
/// If several arms can go on, one of them is chosen at random, each with the same probability; [`select_biased!`](crate::select_biased) takes the
/// first of them instead. An operation that fails because its channel is disconnected can go on: it does not have to wait. A channel may stand in
/// several arms; a `select!` that sends and receives on the same channel never meets itself.
///
/// The whole is an expression, whose value is that of the body. Bodies may be blocks, with or without a comma, or expressions, and may use `return`,
/// `break` and `?`. The channels are evaluated first, each once, in the order of the arms, and may be given by value, by reference or by anything
/// that dereferences to them. [`never`](crate::channel::never) gives a receiver for an arm that is switched off.
///
/// Works in coroutines, which are suspended while they wait, and in threads. Nothing is allocated.
///
/// # Examples
/// ```
/// use corun::channel::{after, select, unbounded};
/// use std::time::Duration;
///
/// let (jobs, worker) = unbounded();
/// let (results, collected) = unbounded();
/// corun::spawn(move || {
///     for job in worker {
///         results.send(job * job).unwrap();
///     }
/// });
///
/// let mut next = 1;
/// let mut sum = 0;
/// let deadline = after(Duration::from_secs(10));
/// while sum < 1_000 {
///     select! {
///         send(jobs, next) -> sent => {
///             sent.unwrap();
///             next += 1;
///         }
///         recv(collected) -> square => sum += square.unwrap(),
///         recv(deadline) -> _ => panic!("too slow"),
///     }
/// }
/// ```
///
/// ```
/// use corun::channel::{bounded, select};
/// use std::time::Duration;
///
/// let (_sender, receiver) = bounded::<u32>(0);
/// let text = select! {
///     recv(receiver) -> number => number.unwrap().to_string(),
///     default(Duration::from_millis(1)) => "nobody sent".to_string(),
/// };
/// assert_eq!(text, "nobody sent");
/// ```
#[macro_export]
macro_rules! select {
    ($($arms:tt)*) => {
        $crate::__private::select!($crate unbiased $($arms)*)
    };
}

/// [`select!`](crate::select), but if several arms can go on, the first of them is chosen.
///
/// # Examples
/// ```
/// use corun::channel::{select_biased, unbounded};
///
/// let (urgent, first) = unbounded();
/// let (other, second) = unbounded();
/// other.send("later").unwrap();
/// urgent.send("now").unwrap();
/// let message = select_biased! {
///     recv(first) -> message => message.unwrap(),
///     recv(second) -> message => message.unwrap(),
/// };
/// assert_eq!(message, "now");
/// ```
#[macro_export]
macro_rules! select_biased {
    ($($arms:tt)*) => {
        $crate::__private::select!($crate biased $($arms)*)
    };
}

/// Makes a plain reference out of anything that dereferences to a receiver.
#[inline(always)]
pub fn receiver<T>(receiver: &Receiver<T>) -> &Receiver<T> {
    receiver
}

/// Makes a plain reference out of anything that dereferences to a sender.
#[inline(always)]
pub fn sender<T>(sender: &Sender<T>) -> &Sender<T> {
    sender
}

/// A lone `recv` with `default`.
#[inline]
pub fn try_recv<T>(receiver: &Receiver<T>) -> Option<Result<T, RecvError>> {
    match receiver.try_recv() {
        Ok(message) => Some(Ok(message)),
        Err(TryRecvError::Disconnected) => Some(Err(RecvError)),
        Err(TryRecvError::Empty) => None,
    }
}

/// A lone `recv` with `default(timeout)`.
#[inline]
pub fn recv_timeout<T>(receiver: &Receiver<T>, timeout: Duration) -> Option<Result<T, RecvError>> {
    match receiver.recv_timeout(timeout) {
        Ok(message) => Some(Ok(message)),
        Err(RecvTimeoutError::Disconnected) => Some(Err(RecvError)),
        Err(RecvTimeoutError::Timeout) => None,
    }
}

/// What a choice was: the number of the arm, or the largest number if none was ready.
pub trait Choice<'a> {
    fn index(&self) -> usize;
    /// To be called if there is one.
    fn operation(self) -> SelectedOperation<'a>;
}

impl<'a> Choice<'a> for SelectedOperation<'a> {
    #[inline(always)]
    fn index(&self) -> usize {
        SelectedOperation::index(self)
    }

    #[inline(always)]
    fn operation(self) -> SelectedOperation<'a> {
        self
    }
}

impl<'a, E> Choice<'a> for Result<SelectedOperation<'a>, E> {
    #[inline(always)]
    fn index(&self) -> usize {
        self.as_ref().map_or(usize::MAX, SelectedOperation::index)
    }

    #[inline(always)]
    fn operation(self) -> SelectedOperation<'a> {
        match self {
            Ok(operation) => operation,
            Err(_) => unreachable!("the number of an arm says that one was chosen"),
        }
    }
}

/// The number of the chosen arm. A function, so that no trait has to be in scope.
#[inline(always)]
pub fn index<'a>(choice: &impl Choice<'a>) -> usize {
    choice.index()
}

/// The chosen operation, taken away as a whole: nothing that borrows from channels is left behind in the expansion.
#[inline(always)]
pub fn chosen<'a>(choice: impl Choice<'a>) -> SelectedOperation<'a> {
    choice.operation()
}

/// A chosen send, which is renounced if the expression for its message does not give one, but returns, breaks or panics.
pub struct Promise<'a>(ManuallyDrop<SelectedOperation<'a>>);

/// The chosen send, before its message is known.
#[inline(always)]
pub fn promise<'a>(choice: impl Choice<'a>) -> Promise<'a> {
    Promise(ManuallyDrop::new(choice.operation()))
}

impl Promise<'_> {
    #[inline(always)]
    pub fn send<T>(self, sender: &Sender<T>, message: T) -> Result<(), SendError<T>> {
        let mut kept = ManuallyDrop::new(self);
        // SAFETY: the operation is taken once, as the promise is not dropped.
        unsafe { ManuallyDrop::take(&mut kept.0) }.send(sender, message)
    }
}

impl Drop for Promise<'_> {
    #[cold]
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        unsafe { ManuallyDrop::take(&mut self.0) }.renounce();
    }
}
