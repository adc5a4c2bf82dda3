//! `select!` and `select_biased!`: they add the path of this crate, and leave the rest to `corun-macros`.

use std::alloc::Layout;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::time::Duration;

use super::commit::Commitment;
use super::select::{fulfil, patience, wait_for_chosen};
use super::selection::{Arm, Patience};
use super::{
    Receiver, RecvError, RecvTimeoutError, SelectedOperation, SendError, Sender, TryRecvError,
};
use crate::scheduler::safepoint;

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

/// What an arm has got, if it was chosen. Nothing that borrows from the channel, as bodies may take that away.
pub trait Direction {
    type Got;

    /// Pass 1, with all types known.
    fn attempt(&self) -> Option<Self::Got>;

    /// What the arm has got after all.
    fn take(&self, operation: SelectedOperation<'_>) -> Self::Got;
}

impl<T> Direction for Receiver<T> {
    type Got = Result<T, RecvError>;

    #[inline(always)]
    fn attempt(&self) -> Option<Result<T, RecvError>> {
        match self.attempt() {
            Ok(message) => Some(Ok(message)),
            Err(TryRecvError::Disconnected) => Some(Err(RecvError)),
            Err(TryRecvError::Empty) => None,
        }
    }

    #[inline(always)]
    fn take(&self, operation: SelectedOperation<'_>) -> Result<T, RecvError> {
        operation.recv(self)
    }
}

/// What a send that was chosen may rely on.
pub struct Committed(Commitment);

impl<T> Direction for Sender<T> {
    type Got = Committed;

    #[inline(always)]
    fn attempt(&self) -> Option<Committed> {
        self.chan().commit().map(Committed)
    }

    #[inline(always)]
    fn take(&self, operation: SelectedOperation<'_>) -> Committed {
        Committed(operation.commitment())
    }
}

/// At the beginning of each: nothing has been taken yet that could be lost if the coroutine is ended here.
#[inline(always)]
pub fn begin() {
    safepoint();
}

/// Room for what an arm will have got.
#[inline(always)]
pub fn nothing<D: Direction>(_: &D) -> Option<D::Got> {
    None
}

/// Tries an arm.
#[inline(always)]
pub fn attempt<D: Direction>(arm: &D, got: &mut Option<D::Got>) -> bool {
    *got = arm.attempt();
    got.is_some()
}

/// Takes for an arm what it got by waiting.
#[inline(always)]
pub fn take<D: Direction>(arm: &D, operation: SelectedOperation<'_>, got: &mut Option<D::Got>) {
    *got = Some(arm.take(operation));
}

/// What the chosen arm has got.
#[inline(always)]
pub fn got<G>(got: Option<G>) -> G {
    match got {
        Some(got) => got,
        None => unreachable!("an arm that was chosen has got something"),
    }
}

/// A chosen send, which is renounced if the expression for its message does not give one, but returns, breaks or panics.
pub struct Promise<'a, T> {
    sender: &'a Sender<T>,
    commitment: Commitment,
}

/// The chosen send, before its message is known.
#[inline(always)]
pub fn promise<T>(committed: Option<Committed>, sender: &Sender<T>) -> Promise<'_, T> {
    let Committed(commitment) = got(committed);
    Promise { sender, commitment }
}

impl<T> Promise<'_, T> {
    #[inline(always)]
    pub fn send(self, message: T) -> Result<(), SendError<T>> {
        let kept = ManuallyDrop::new(self);
        fulfil(kept.sender, kept.commitment, message)
    }
}

impl<T> Drop for Promise<'_, T> {
    #[cold]
    fn drop(&mut self) {
        self.sender.chan().renounce(self.commitment);
    }
}

/// Room for a message of one type or another.
pub union Either<A, B> {
    _one: ManuallyDrop<MaybeUninit<A>>,
    _other: ManuallyDrop<MaybeUninit<B>>,
}

/// Room for no message.
#[inline(always)]
pub fn no_room() -> MaybeUninit<()> {
    MaybeUninit::uninit()
}

/// Room for a message of this receiver.
#[inline(always)]
pub fn room<T>(_: &Receiver<T>) -> MaybeUninit<T> {
    MaybeUninit::uninit()
}

/// Room for what there is room for in one or the other.
#[inline(always)]
pub fn either<A, B>(_: MaybeUninit<A>, _: MaybeUninit<B>) -> MaybeUninit<Either<A, B>> {
    MaybeUninit::uninit()
}

/// Waits until an arm is ready.
#[inline(never)]
pub fn wait<'a, R>(
    arms: &mut [Arm<'a>],
    room: &'a mut MaybeUninit<R>,
    biased: bool,
) -> Option<SelectedOperation<'a>> {
    // SAFETY: the operation borrows the room.
    unsafe {
        wait_for_chosen(
            arms,
            (room.as_mut_ptr().cast(), Layout::new::<R>()),
            Patience::Endless,
            biased,
        )
    }
}

/// Waits until an arm is ready, or the time is up.
#[inline(never)]
pub fn wait_timeout<'a, R>(
    arms: &mut [Arm<'a>],
    room: &'a mut MaybeUninit<R>,
    biased: bool,
    timeout: Duration,
) -> Option<SelectedOperation<'a>> {
    // SAFETY: the operation borrows the room.
    unsafe {
        wait_for_chosen(
            arms,
            (room.as_mut_ptr().cast(), Layout::new::<R>()),
            patience(timeout),
            biased,
        )
    }
}

/// Makes sure that there was a moment at which no arm was ready; or chooses one.
#[inline(never)]
pub fn give_up<'a, R>(
    arms: &mut [Arm<'a>],
    room: &'a mut MaybeUninit<R>,
    biased: bool,
) -> Option<SelectedOperation<'a>> {
    // SAFETY: the operation borrows the room.
    unsafe {
        wait_for_chosen(
            arms,
            (room.as_mut_ptr().cast(), Layout::new::<R>()),
            Patience::None,
            biased,
        )
    }
}
