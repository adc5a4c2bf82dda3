//! Who is to be told when a token is cancelled.

use std::convert::Infallible;
use std::mem;
use std::sync::{Arc, Weak};
use std::task::Waker;

use super::nudge;
use super::thread_wait::ThreadWait;
use super::token::Inner;
use crate::channel::Sender;
use crate::coroutine::Coroutine;
use crate::coroutine::task::TaskRef;

pub(super) enum Listener {
    Coroutine(Coroutine),
    Thread(Arc<ThreadWait>),
    Task(Waker),
    /// It is told by dropping this.
    Channel(Sender<Infallible>),
    /// A token that is cancelled with this one.
    Child(Weak<Inner>),
}

impl Listener {
    /// For a coroutine that has started.
    pub(super) fn coroutine(task: TaskRef) -> Listener {
        Listener::Coroutine(Coroutine::from_running(task))
    }

    /// Tells it, unless it is a token: then that is returned.
    pub(super) fn tell(self) -> Option<Arc<Inner>> {
        match self {
            Listener::Coroutine(coroutine) => nudge::send(coroutine),
            Listener::Thread(thread) => thread.interrupt(),
            Listener::Task(waker) => waker.wake(),
            Listener::Channel(sender) => drop(sender),
            Listener::Child(child) => return child.upgrade(),
        }
        None
    }
}

/// Names a listener to whoever put it there.
#[derive(Clone, Copy)]
pub(super) struct Key(usize);

/// The listeners of one token; places that were left are used again.
#[derive(Default)]
pub(super) struct Listeners {
    places: Vec<Place>,
    /// The first free place; the length if there is none.
    free: usize,
}

enum Place {
    Taken(Listener),
    /// The next free place.
    Free(usize),
}

impl Listeners {
    pub(super) fn add(&mut self, listener: Listener) -> Key {
        let key = self.free;
        match self.places.get_mut(key) {
            None => {
                self.places.push(Place::Taken(listener));
                self.free = self.places.len();
            }
            Some(place) => {
                if let Place::Free(next) = mem::replace(place, Place::Taken(listener)) {
                    self.free = next;
                }
            }
        }
        Key(key)
    }

    /// Takes a listener out, if it is still there: it is not if it was told.
    pub(super) fn remove(&mut self, key: Key) -> Option<Listener> {
        let place = self.places.get_mut(key.0)?;
        match mem::replace(place, Place::Free(self.free)) {
            Place::Taken(listener) => {
                self.free = key.0;
                Some(listener)
            }
            Place::Free(next) => {
                *place = Place::Free(next);
                None
            }
        }
    }

    /// Puts another listener in the place of one, if that is still there; returns what is left over.
    pub(super) fn replace(&mut self, key: Key, listener: Listener) -> Listener {
        match self.places.get_mut(key.0) {
            Some(Place::Taken(known)) => mem::replace(known, listener),
            _ => listener,
        }
    }

    pub(super) fn into_all(self) -> impl Iterator<Item = Listener> {
        self.places.into_iter().filter_map(|place| match place {
            Place::Taken(listener) => Some(listener),
            Place::Free(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child() -> Listener {
        Listener::Child(Weak::new())
    }

    #[test]
    fn places_are_used_again() {
        let mut listeners = Listeners::default();
        let keys: Vec<Key> = (0..3).map(|_| listeners.add(child())).collect();
        assert!(listeners.remove(keys[1]).is_some());
        assert!(listeners.remove(keys[0]).is_some());
        let again = [listeners.add(child()).0, listeners.add(child()).0];
        assert_eq!(again, [0, 1]);
        assert_eq!(listeners.add(child()).0, 3);
        assert_eq!(listeners.into_all().count(), 4);
    }

    #[test]
    fn what_was_removed_is_gone() {
        let mut listeners = Listeners::default();
        let key = listeners.add(child());
        assert!(listeners.remove(key).is_some());
        assert!(listeners.remove(key).is_none());
        assert!(listeners.remove(Key(7)).is_none());
        assert_eq!(listeners.add(child()).0, 0);
    }
}
