//! Operations as futures.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::entry::{Direction, Refusal};
use super::selector;
use super::source::{Source, would_block};
use super::task_turn::TaskTurn;
use crate::scheduler;
use crate::scheduler::reactor_for_task;

/// Runs a non-blocking operation, waiting for its turn and for the descriptor as long as it would block: `Source::run` as a future, for any
/// executor.
///
/// It is cancelled by dropping it: then the operation was not done, or its result was returned before.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Operation<'a, S, F, C> {
    source: &'a Source,
    socket: &'a S,
    direction: Direction,
    operation: F,
    /// Tells whether a result proves that the direction has nothing more to give.
    short: C,
    turn: Option<TaskTurn<'a>>,
}

impl<'a, S, F, C> Operation<'a, S, F, C> {
    pub(crate) fn new<T>(
        source: &'a Source,
        socket: &'a S,
        direction: Direction,
        short: C,
        operation: F,
    ) -> Self
    where
        F: FnMut() -> io::Result<T>,
        C: Fn(&T) -> bool,
    {
        Operation {
            source,
            socket,
            direction,
            operation,
            short,
            turn: None,
        }
    }
}

impl<S, F, C, T> Operation<'_, S, F, C>
where
    S: selector::Socket,
    F: FnMut() -> io::Result<T>,
    C: Fn(&T) -> bool,
{
    /// # Safety
    /// The value must stay where it is until it is dropped.
    unsafe fn poll_pinned(&mut self, waker: &Waker) -> Poll<io::Result<T>> {
        // In the child of a fork nobody knows of its place.
        drop(self.turn.take_if(|turn| turn.entry().is_stale()));
        let mut seen = match &mut self.turn {
            Some(turn) if turn.is_linked() => match turn.poll(waker) {
                None => return Poll::Pending,
                seen => seen,
            },
            _ => match self
                .source
                .attempt(self.direction, &self.short, &mut self.operation)
            {
                Some(result) => return Poll::Ready(result),
                None => None,
            },
        };
        let turn = match &mut self.turn {
            Some(turn) => turn,
            none => {
                let descriptor = selector::raw(self.socket);
                let entry = self.source.entry_for_task(descriptor, self.direction)?;
                none.insert(TaskTurn::new(entry, self.direction))
            }
        };
        loop {
            if let Some(seen) = seen {
                let result = (self.operation)();
                if !would_block(&result) {
                    let drained = result.as_ref().is_ok_and(&self.short).then_some(seen);
                    turn.finish(drained);
                    return Poll::Ready(result);
                }
                turn.entry().clear(self.direction, seen);
            }
            // SAFETY: it is in this value, and stays there.
            seen = match unsafe { turn.wait(waker) } {
                Ok(None) => return Poll::Pending,
                Ok(seen) => seen,
                Err(Refusal::Homeless) => {
                    turn.entry().settle_at(&reactor_for_task()?)?;
                    None
                }
                Err(Refusal::System(error)) => {
                    turn.finish(None);
                    return Poll::Ready(Err(error));
                }
            };
        }
    }
}

impl<S, F, C, T> Future for Operation<'_, S, F, C>
where
    S: selector::Socket,
    F: FnMut() -> io::Result<T>,
    C: Fn(&T) -> bool,
{
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if !scheduler::may_go_on(cx.waker()) {
            return Poll::Pending;
        }
        // SAFETY: nothing is moved out of the pin, and what is pinned stays where it is: a turn is only replaced when nobody knows of it.
        unsafe { self.get_unchecked_mut().poll_pinned(cx.waker()) }
    }
}
