//! Tokens: the right to cancel, and to know of it.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use super::Cancelled;
use super::error::Cause;
use super::levels::Level;
use super::listeners::{Key, Listener, Listeners};
use crate::channel::{self, Receiver};
use crate::scheduler::lock_mutex;

/// A flag that many can share, which once raised ends whatever runs under it: see [`run`](CancelToken::run).
///
/// Clones are the same token. A [`child`](CancelToken::child) is cancelled with its parent, but not the other way round.
///
/// # Examples
/// ```
/// use corun::CancelToken;
///
/// let server = CancelToken::new();
/// let connections: Vec<_> = (0..10)
///     .map(|_| {
///         let token = server.child();
///         corun::spawn(move || token.run(corun::park))
///     })
///     .collect();
/// server.cancel();
/// for connection in connections {
///     assert!(connection.join().unwrap().is_err());
/// }
/// ```
#[derive(Clone)]
pub struct CancelToken {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    cancelled: AtomicBool,
    state: Mutex<State>,
    /// The token that this one is cancelled with, and its place among those that are told.
    parent: OnceLock<(CancelToken, Key)>,
    /// Made when it is first asked for.
    done: OnceLock<Receiver<Infallible>>,
}

#[derive(Default)]
struct State {
    cause: Option<Cause>,
    listeners: Listeners,
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> CancelToken {
        CancelToken {
            inner: Arc::new(Inner {
                cancelled: AtomicBool::new(false),
                state: Mutex::default(),
                parent: OnceLock::new(),
                done: OnceLock::new(),
            }),
        }
    }

    /// A token that is cancelled with this one, for the same cause; it may also be cancelled by itself.
    pub fn child(&self) -> CancelToken {
        let child = CancelToken::new();
        match self.listen(|| Listener::Child(Arc::downgrade(&child.inner))) {
            Some(key) => {
                // It was not set before.
                let _ = child.inner.parent.set((self.clone(), key));
            }
            None => child.cancel_for(self.cause_of_cancel()),
        }
        child
    }

    /// Cancels: whatever runs under this token ends, at the wait that it is in or at the next one. To cancel once more does nothing.
    ///
    /// It returns at once, and may be called from anywhere but a signal handler.
    pub fn cancel(&self) {
        self.cancel_for(None);
    }

    /// As [`cancel`](CancelToken::cancel), and says why: see [`Cancelled::cause`]. The first cause stays.
    ///
    /// # Examples
    /// ```
    /// let token = corun::CancelToken::new();
    /// token.cancel_with("the disk is full");
    /// let error = token.run(corun::park).unwrap_err();
    /// assert_eq!(error.to_string(), "cancelled: the disk is full");
    /// ```
    pub fn cancel_with(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        self.cancel_for(Some(Arc::from(cause.into())));
    }

    pub(crate) fn cancel_for(&self, cause: Option<Cause>) {
        // One after the other, as children may be nested deeply.
        let mut tokens = vec![Arc::clone(&self.inner)];
        while let Some(token) = tokens.pop() {
            let listeners = token.raise(cause.clone());
            tokens.extend(listeners.into_all().filter_map(Listener::tell));
        }
    }

    /// Was it cancelled, or a token that it is a child of?
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.inner.cancelled.load(Ordering::SeqCst)
    }

    /// The error of what was cancelled by this token, if it was.
    ///
    /// For code that asks now and then instead of being left: `token.check()?`.
    ///
    /// # Errors
    /// [`Cancelled`], with the cause.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() {
            return Err(Cancelled::new(self.cause_of_cancel()));
        }
        Ok(())
    }

    /// Runs `f` under this token: once that is cancelled, `f` is left, at the wait that it is in or at the next one.
    /// What else there is to say says [`cancel_scope`](crate::cancel_scope()).
    ///
    /// # Errors
    /// [`Cancelled`], if `f` was left.
    ///
    /// # Panics
    /// With the panic of `f`.
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> Result<T, Cancelled> {
        Level::with(self.clone())
            .run(f)
            .ok_or_else(|| Cancelled::new(self.cause_of_cancel()))
    }

    /// A channel that is closed when the token is cancelled, and through which nothing ever comes: for a `select!`.
    ///
    /// For code that is to decide itself what a cancellation means, instead of being left by unwinding; and for programs that are compiled with
    /// `panic = "abort"`, where nothing unwinds.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{select, unbounded};
    ///
    /// let token = corun::CancelToken::new();
    /// let (_jobs, jobs) = unbounded::<u32>();
    /// let worker = corun::spawn({
    ///     let token = token.clone();
    ///     move || loop {
    ///         select! {
    ///             recv(jobs) -> job => println!("{job:?}"),
    ///             recv(token.done()) -> _ => return "tidied up",
    ///         }
    ///     }
    /// });
    /// token.cancel();
    /// assert_eq!(worker.join().unwrap(), "tidied up");
    /// ```
    pub fn done(&self) -> &Receiver<Infallible> {
        self.inner.done.get_or_init(|| {
            let (sender, receiver) = channel::bounded(0);
            // The token drops the sender when it is cancelled, or goes itself.
            self.listen(|| Listener::Channel(sender));
            receiver
        })
    }

    /// Sleeps, but no longer than until the token is cancelled.
    ///
    /// # Errors
    /// [`Cancelled`], if it was, before or while this slept.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// let token = corun::CancelToken::new();
    /// assert!(token.sleep(Duration::from_millis(1)).is_ok());
    /// token.cancel();
    /// assert!(token.sleep(Duration::MAX).is_err());
    /// ```
    pub fn sleep(&self, duration: Duration) -> Result<(), Cancelled> {
        self.check()?;
        // Nothing comes: the time is up, or the token was cancelled.
        let _ = self.done().recv_timeout(duration);
        self.check()
    }

    /// A future that ends when the token is cancelled.
    ///
    /// # Examples
    /// ```
    /// async fn until_cancelled(token: &corun::CancelToken) {
    ///     token.cancelled().await;
    ///     println!("good bye");
    /// }
    /// # let _ = until_cancelled;
    /// ```
    pub fn cancelled(&self) -> WaitForCancel<'_> {
        WaitForCancel {
            token: self,
            key: None,
        }
    }

    fn cause_of_cancel(&self) -> Option<Cause> {
        lock_mutex(&self.inner.state).cause.clone()
    }

    /// Has a listener told of the cancellation; `None` if that has been already.
    pub(super) fn listen(&self, listener: impl FnOnce() -> Listener) -> Option<Key> {
        if self.is_cancelled() {
            return None;
        }
        // Made without the lock, and dropped so: it may be foreign code.
        let listener = listener();
        let mut state = lock_mutex(&self.inner.state);
        if self.is_cancelled() {
            drop(state);
            return None;
        }
        Some(state.listeners.add(listener))
    }

    pub(super) fn ignore(&self, key: Key) {
        let listener = lock_mutex(&self.inner.state).listeners.remove(key);
        drop(listener);
    }
}

impl Inner {
    /// Returns who is to be told: nobody, if it was cancelled before.
    fn raise(&self, cause: Option<Cause>) -> Listeners {
        let mut state = lock_mutex(&self.state);
        if self.cancelled.load(Ordering::Relaxed) {
            return Listeners::default();
        }
        state.cause = cause;
        // Before anybody is told: whoever is looks here.
        self.cancelled.store(true, Ordering::SeqCst);
        mem::take(&mut state.listeners)
    }
}

/// One after the other, as tokens may be nested deeply.
impl Drop for Inner {
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some((parent, key)) = next {
            parent.ignore(key);
            next = Arc::into_inner(parent.inner).and_then(|mut inner| inner.parent.take());
        }
    }
}

impl Default for CancelToken {
    fn default() -> CancelToken {
        CancelToken::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("is_cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// Waits for a token to be cancelled: see [`CancelToken::cancelled`].
#[must_use = "futures do nothing unless they are polled"]
pub struct WaitForCancel<'a> {
    token: &'a CancelToken,
    key: Option<Key>,
}

impl Future for WaitForCancel<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let listener = || Listener::Task(context.waker().clone());
        if let Some(key) = self.key {
            let listener = listener();
            let left_over = lock_mutex(&self.token.inner.state)
                .listeners
                .replace(key, listener);
            drop(left_over);
        } else {
            self.key = self.token.listen(listener);
        }
        if self.token.is_cancelled() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for WaitForCancel<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.token.ignore(key);
        }
    }
}

impl fmt::Debug for WaitForCancel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitForCancel")
            .field("token", &self.token)
            .finish()
    }
}
