//! `Select`: operations that are known at run time only. See `selection.rs` for how it works.

use std::alloc::Layout;
use std::fmt;
use std::mem;
use std::time::{Duration, Instant};

use super::commit::Commitment;
use super::error::{
    ReadyTimeoutError, RecvError, SelectTimeoutError, SendError, TryReadyError, TrySelectError,
};
use super::few::Few;
use super::receiver::{Receiver, Source};
use super::selection::{self, Arm, Outcome, Patience, SelectHandle, Token};
use super::sender::Sender;
use crate::scheduler::safepoint;
use crate::time::now;

/// Selects among operations of which the number is known at run time only; else [`select!`](crate::select) is easier.
///
/// An operation is *ready* if it can be done without waiting, even if it would only fail because the channel is disconnected. If several
/// are, one of them is chosen at random, each with the same probability.
///
/// `select` and its like choose an operation, which has to be done with [`SelectedOperation::send`] or
/// [`SelectedOperation::recv`]. `ready` and its like only say which one is ready, or was: somebody else may be faster.
///
/// # Examples
/// Receives one message from each of several channels, as they come:
/// ```
/// use corun::channel::{bounded, Receiver, Select};
///
/// let receivers: Vec<Receiver<usize>> = (0..5)
///     .map(|n| {
///         let (sender, receiver) = bounded(0);
///         corun::spawn(move || sender.send(n).unwrap());
///         receiver
///     })
///     .collect();
///
/// let mut select = Select::new();
/// for receiver in &receivers {
///     select.recv(receiver);
/// }
/// for _ in 0..5 {
///     let operation = select.select();
///     let index = operation.index();
///     assert_eq!(operation.recv(&receivers[index]), Ok(index));
///     select.remove(index);
/// }
/// ```
pub struct Select<'a> {
    arms: Few<Arm<'a>, 4>,
    next_index: usize,
    biased: bool,
}

// SAFETY: it holds references to senders and receivers, all use of which goes through the locks of their channels. They are
// added in a generic way, so that their messages may be such as cannot be sent: but then the other side is on this thread as well, and
// such a message is only ever touched through `SelectedOperation`, which takes the sender or receiver by itself.
unsafe impl Send for Select<'_> {}
// SAFETY: as above.
unsafe impl Sync for Select<'_> {}

impl<'a> Select<'a> {
    /// With no operations yet.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::Select;
    ///
    /// // With no operation, none ever gets ready.
    /// assert!(Select::new().try_select().is_err());
    /// ```
    pub fn new() -> Select<'a> {
        Select {
            arms: Few::new(),
            next_index: 0,
            biased: false,
        }
    }

    /// With no operations yet; if several are ready, the first of them will be chosen, in the order in which they were added.
    pub fn new_biased() -> Select<'a> {
        Select {
            biased: true,
            ..Select::new()
        }
    }

    /// Adds a send, and returns its index.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, Select};
    ///
    /// let (sender, receiver) = unbounded();
    /// let mut select = Select::new();
    /// let send = select.send(&sender);
    /// let operation = select.select();
    /// assert_eq!(operation.index(), send);
    /// operation.send(&sender, 7).unwrap();
    /// assert_eq!(receiver.recv(), Ok(7));
    /// ```
    pub fn send<T>(&mut self, s: &'a Sender<T>) -> usize {
        self.add(s)
    }

    /// Adds a receive, and returns its index.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, Select};
    ///
    /// let (_sender, receiver) = unbounded::<i32>();
    /// let mut select = Select::new();
    /// assert_eq!(select.recv(&receiver), 0);
    /// ```
    pub fn recv<T>(&mut self, r: &'a Receiver<T>) -> usize {
        self.add(r)
    }

    fn add(&mut self, handle: &'a dyn SelectHandle) -> usize {
        let index = self.next_index;
        self.arms.push((handle, index));
        self.next_index += 1;
        index
    }

    /// Removes an operation, for example because its channel is disconnected. The indices of the others stay.
    ///
    /// # Panics
    /// If there is no operation with this index.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, Select};
    ///
    /// let (_, left) = unbounded::<i32>();
    /// let (_sender, right) = unbounded::<i32>();
    /// let mut select = Select::new();
    /// let first = select.recv(&left);
    /// select.recv(&right);
    /// assert!(select.select().recv(&left).is_err());
    /// select.remove(first);
    /// assert!(select.try_select().is_err());
    /// ```
    pub fn remove(&mut self, index: usize) {
        assert!(
            index < self.next_index,
            "index out of bounds; {index} >= {}",
            self.next_index
        );
        let Some(place) = self.arms.iter().position(|arm| arm.1 == index) else {
            panic!("no operation with this index");
        };
        // Biased selection goes by the order.
        self.arms.remove(place);
    }

    /// Chooses an operation that is ready, if there is one.
    ///
    /// # Errors
    /// If none is ready.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, Select};
    ///
    /// let (sender, receiver) = unbounded();
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// assert!(select.try_select().is_err());
    /// sender.send(1).unwrap();
    /// assert_eq!(select.try_select().unwrap().recv(&receiver), Ok(1));
    /// ```
    pub fn try_select(&mut self) -> Result<SelectedOperation<'a>, TrySelectError> {
        chosen(&mut self.arms, Patience::None, self.biased).ok_or(TrySelectError)
    }

    /// Waits until an operation is ready, and chooses it.
    ///
    /// # Panics
    /// If no operation was added; inside [`no_suspend`](crate::no_suspend), if it would have to wait.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{bounded, Select};
    ///
    /// let (sender, receiver) = bounded(0);
    /// corun::spawn(move || sender.send("hello").unwrap());
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// assert_eq!(select.select().recv(&receiver), Ok("hello"));
    /// ```
    pub fn select(&mut self) -> SelectedOperation<'a> {
        if self.arms.is_empty() {
            panic!("no operations have been added to `Select`");
        }
        match chosen(&mut self.arms, Patience::Endless, self.biased) {
            Some(operation) => operation,
            None => unreachable!("an endless wait ends with an operation"),
        }
    }

    /// As [`select`](Select::select), but waits for `timeout` at most. Without operations, it just waits.
    ///
    /// # Errors
    /// If the time is up.
    ///
    /// # Panics
    /// As `select`, but not if there are no operations.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{bounded, Select};
    /// use std::time::Duration;
    ///
    /// let (sender, _receiver) = bounded::<i32>(0);
    /// let mut select = Select::new();
    /// select.send(&sender);
    /// assert!(select.select_timeout(Duration::from_millis(5)).is_err());
    /// ```
    pub fn select_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<SelectedOperation<'a>, SelectTimeoutError> {
        chosen(&mut self.arms, patience(timeout), self.biased).ok_or(SelectTimeoutError)
    }

    /// As [`select`](Select::select), but waits until `deadline` at most. Without operations, it just waits.
    ///
    /// # Errors
    /// If the time is up.
    ///
    /// # Panics
    /// As `select`, but not if there are no operations.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{bounded, Select};
    /// use std::time::Instant;
    ///
    /// let (_sender, receiver) = bounded::<i32>(0);
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// assert!(select.select_deadline(Instant::now()).is_err());
    /// ```
    pub fn select_deadline(
        &mut self,
        deadline: Instant,
    ) -> Result<SelectedOperation<'a>, SelectTimeoutError> {
        chosen(&mut self.arms, Patience::Until(deadline), self.biased).ok_or(SelectTimeoutError)
    }

    /// The index of an operation that is ready, if there is one.
    ///
    /// # Errors
    /// If none is ready.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, Select};
    ///
    /// let (sender, receiver) = unbounded();
    /// sender.send(1).unwrap();
    /// let mut select = Select::new();
    /// let index = select.recv(&receiver);
    /// assert_eq!(select.try_ready(), Ok(index));
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    pub fn try_ready(&mut self) -> Result<usize, TryReadyError> {
        self.index_ready(Patience::None).ok_or(TryReadyError)
    }

    /// Waits until an operation is ready, and returns its index. When the caller does it, somebody else may have been faster.
    ///
    /// # Panics
    /// As [`select`](Select::select).
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, Select};
    ///
    /// let (sender, receiver) = unbounded();
    /// corun::spawn(move || sender.send(1).unwrap());
    /// let mut select = Select::new();
    /// let index = select.recv(&receiver);
    /// assert_eq!(select.ready(), index);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    pub fn ready(&mut self) -> usize {
        if self.arms.is_empty() {
            panic!("no operations have been added to `Select`");
        }
        match self.index_ready(Patience::Endless) {
            Some(index) => index,
            None => unreachable!("an endless wait ends with an operation"),
        }
    }

    /// As [`ready`](Select::ready), but waits for `timeout` at most. Without operations, it just waits.
    ///
    /// # Errors
    /// If the time is up.
    ///
    /// # Panics
    /// Inside [`no_suspend`](crate::no_suspend), if it would have to wait.
    pub fn ready_timeout(&mut self, timeout: Duration) -> Result<usize, ReadyTimeoutError> {
        self.index_ready(patience(timeout)).ok_or(ReadyTimeoutError)
    }

    /// As [`ready`](Select::ready), but waits until `deadline` at most. Without operations, it just waits.
    ///
    /// # Errors
    /// If the time is up.
    ///
    /// # Panics
    /// Inside [`no_suspend`](crate::no_suspend), if it would have to wait.
    pub fn ready_deadline(&mut self, deadline: Instant) -> Result<usize, ReadyTimeoutError> {
        self.index_ready(Patience::Until(deadline))
            .ok_or(ReadyTimeoutError)
    }

    fn index_ready(&mut self, patience: Patience) -> Option<usize> {
        let ready = selection::ready(&mut self.arms, patience, self.biased);
        safepoint();
        ready.map(|place| self.arms[place].1)
    }
}

impl<'a> Clone for Select<'a> {
    fn clone(&self) -> Select<'a> {
        Select {
            arms: self.arms.clone(),
            next_index: self.next_index,
            biased: self.biased,
        }
    }
}

impl Default for Select<'_> {
    fn default() -> Self {
        Select::new()
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Select { .. }")
    }
}

/// An operation that was chosen, and has to be done now.
///
/// # Panics
/// When it is dropped instead. (But not while unwinding: then what was chosen is taken back, and a message that was received goes
/// back to the front of its channel.)
#[must_use = "an operation that was selected has to be done"]
pub struct SelectedOperation<'a> {
    token: Token,
    index: usize,
    handle: &'a dyn SelectHandle,
}

impl SelectedOperation<'_> {
    /// The index of the operation, as it was returned when the operation was added.
    #[inline]
    pub fn index(&self) -> usize {
        self.index
    }

    #[inline(always)]
    fn is_of<H>(&self, handle: &H) -> bool {
        std::ptr::addr_eq(self.handle, handle)
    }

    /// Sends the message, if this is a send by `s`.
    ///
    /// # Errors
    /// The message, if the channel is disconnected.
    ///
    /// # Panics
    /// If another operation was chosen.
    #[inline]
    pub fn send<T>(self, s: &Sender<T>, msg: T) -> Result<(), SendError<T>> {
        assert!(self.is_of(s), "passed a sender that wasn't selected");
        fulfil(s, self.commitment(), msg)
    }

    /// Receives the message, if this is a receive by `r`.
    ///
    /// # Errors
    /// If the channel is empty and disconnected.
    ///
    /// # Panics
    /// If another operation was chosen.
    #[inline]
    pub fn recv<T>(mut self, r: &Receiver<T>) -> Result<T, RecvError> {
        assert!(self.is_of(r), "passed a receiver that wasn't selected");
        let result = match self.token.outcome {
            // SAFETY: the receiver is one of a `T`.
            Outcome::Received => Ok(unsafe { self.token.take_message::<T>() }),
            _ => Err(RecvError),
        };
        if let Source::Chan(chan) = r.source() {
            chan.note_received(result.is_ok());
        }
        self.done();
        result
    }

    /// What a send that was chosen has committed itself to.
    pub(super) fn commitment(mut self) -> Commitment {
        let Outcome::Send(commitment) = mem::replace(&mut self.token.outcome, Outcome::Nothing)
        else {
            unreachable!("a send that was selected is a commitment");
        };
        self.done();
        commitment
    }

    /// Nothing is left to be done by `drop`.
    #[inline(always)]
    fn done(self) {
        let operation = mem::ManuallyDrop::new(self);
        // SAFETY: the token is not used again.
        drop(unsafe { (&raw const operation.token).read() });
    }
}

impl Drop for SelectedOperation<'_> {
    #[cold]
    fn drop(&mut self) {
        self.handle.abandon(&mut self.token);
        if !std::thread::panicking() {
            panic!("dropped `SelectedOperation` without completing the operation");
        }
    }
}

impl fmt::Debug for SelectedOperation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SelectedOperation { .. }")
    }
}

#[inline(always)]
fn chosen<'a>(
    arms: &mut [Arm<'a>],
    patience: Patience,
    biased: bool,
) -> Option<SelectedOperation<'a>> {
    let mut token = Token::new();
    let chosen = selection::select(arms, patience, biased, false, &mut token);
    safepoint();
    let (handle, index) = arms[chosen?];
    Some(SelectedOperation {
        token,
        index,
        handle,
    })
}

/// For `select!`, which has tried all arms: chooses an operation as soon as one is ready.
///
/// # Safety
/// What fits into the layout can be written to `room`, as long as the operation lives.
#[inline(always)]
pub(super) unsafe fn wait_for_chosen<'a>(
    arms: &mut [Arm<'a>],
    room: (*mut u8, Layout),
    patience: Patience,
    biased: bool,
) -> Option<SelectedOperation<'a>> {
    // SAFETY: as promised.
    let mut token = unsafe { Token::with_room(room.0, room.1) };
    let chosen = selection::select(arms, patience, biased, true, &mut token);
    let (handle, index) = arms[chosen?];
    Some(SelectedOperation {
        token,
        index,
        handle,
    })
}

/// Sends the message for which the channel has a commitment.
#[inline(always)]
pub(super) fn fulfil<T>(
    sender: &Sender<T>,
    commitment: Commitment,
    message: T,
) -> Result<(), SendError<T>> {
    let message = mem::ManuallyDrop::new(message);
    // SAFETY: the message is forgotten if it was sent.
    if unsafe { sender.chan().fulfil(commitment, &raw const *message) } {
        sender.chan().note_sent(true);
        Ok(())
    } else {
        Err(SendError(mem::ManuallyDrop::into_inner(message)))
    }
}

/// Until when to wait for so long. A time too far away to be told is for ever.
pub(super) fn patience(timeout: Duration) -> Patience {
    now()
        .checked_add(timeout)
        .map_or(Patience::Endless, Patience::Until)
}
