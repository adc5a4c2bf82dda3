//! A [`Timer`] as an arm of a select.

use std::time::Instant;

use super::Timer;
use crate::channel::{self, Receiver};

impl Timer {
    /// A receiver for a `select!`, which has a message when the time comes that is set now. If the timer may be stopped or reset meanwhile, by
    /// somebody else, [`try_wait`](Timer::try_wait) tells whether it is due still; in any case that is what has it.
    ///
    /// # Examples
    /// Messages, and a complaint when none has come for a second:
    /// ```
    /// use std::time::Duration;
    /// use corun::channel::{select, unbounded};
    /// use corun::time::Timer;
    ///
    /// # corun::Runtime::builder().start_paused(true).build().unwrap().block_on(|| {
    /// let (sender, messages) = unbounded();
    /// corun::spawn(move || {
    ///     for pause in [300, 900, 1400] {
    ///         corun::sleep(Duration::from_millis(pause));
    ///         sender.send(pause).unwrap();
    ///     }
    /// });
    /// let silence = Timer::new(Duration::from_secs(1));
    /// let (mut received, mut complaints) = (0, 0);
    /// loop {
    ///     select! {
    ///         recv(messages) -> message => match message {
    ///             Ok(_) => {
    ///                 received += 1;
    ///                 silence.reset(Duration::from_secs(1));
    ///             }
    ///             Err(_) => break,
    ///         },
    ///         recv(silence.receiver()) -> _ => if silence.try_wait().is_some() {
    ///             complaints += 1;
    ///         },
    ///     }
    /// }
    /// assert_eq!((received, complaints), (3, 1));
    /// # });
    /// ```
    pub fn receiver(&self) -> Receiver<Instant> {
        self.deadline().map_or_else(channel::never, channel::at)
    }
}
