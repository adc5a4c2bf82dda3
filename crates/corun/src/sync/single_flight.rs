//! [`SingleFlight`].

use std::any::Any;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::{Condvar, Mutex, MutexGuard, PoisonError, place};
use crate::cancel::levels::is_cancellation;

/// Work that several want at the same time is done once, and all get the result. By key: for each there is one flight at a time.
///
/// Nothing is kept: who comes after the flight has landed starts a new one. So it is no cache, but what should stand before
/// one, so that a thousand requests for what is not cached yet make one query.
///
/// # Panics and cancellation
/// As in Go's `x/sync/singleflight`, a panic of the closure reaches all who share the flight, rather than leave them waiting or have
/// them fail one by one: the one who runs the closure panics with its payload, the others with its message. If the one who runs it is cancelled
/// ([`timeout`](crate::timeout)), one of those who wait runs its own closure instead.
///
/// # Examples
/// ```
/// use corun::sync::{Arc, SingleFlight};
///
/// let pages = Arc::new(SingleFlight::new());
/// let readers: Vec<_> = (0..100)
///     .map(|_| {
///         let pages = Arc::clone(&pages);
///         corun::spawn(move || {
///             pages.run("/index", || {
///                 corun::sleep(std::time::Duration::from_millis(5)); // the query
///                 "page".to_owned()
///             })
///         })
///     })
///     .collect();
/// for reader in readers {
///     assert_eq!(reader.join().unwrap().value, "page");
/// }
/// ```
pub struct SingleFlight<K, V> {
    flights: Mutex<HashMap<K, Arc<Flight<V>>>>,
}

/// What [`SingleFlight::run`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flown<V> {
    /// What the closure returned.
    pub value: V,
    /// Was it given to others as well?
    pub shared: bool,
}

struct Flight<V> {
    /// Who runs the closure.
    pilot: usize,
    state: Mutex<State<V>>,
    landed: Condvar,
}

struct State<V> {
    /// Others have joined it.
    shared: bool,
    outcome: Option<Outcome<V>>,
}

enum Outcome<V> {
    Value(V),
    /// With what message.
    Panic(String),
    /// Somebody else is to run its closure.
    Cancelled,
}

impl<K, V> SingleFlight<K, V> {
    /// No flights.
    #[must_use]
    pub fn new() -> SingleFlight<K, V> {
        SingleFlight {
            flights: Mutex::new(HashMap::new()),
        }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> SingleFlight<K, V> {
    /// Runs `f`, or if somebody runs such a closure for the same key already, waits and shares its value.
    ///
    /// # Panics
    /// With the panic of the closure that was run, see above; if `f` itself, on its own coroutine, comes back here with the key; and if it has to wait
    /// inside [`no_suspend`](crate::no_suspend).
    pub fn run(&self, key: K, f: impl FnOnce() -> V) -> Flown<V> {
        loop {
            let mut flights = locked(&self.flights);
            let Some(flight) = flights.get(&key).map(Arc::clone) else {
                let flight = Arc::new(Flight {
                    pilot: place::caller(),
                    state: Mutex::new(State {
                        shared: false,
                        outcome: None,
                    }),
                    landed: Condvar::new(),
                });
                flights.insert(key.clone(), Arc::clone(&flight));
                drop(flights);
                return self.fly(&key, Landing(&flight), f);
            };
            drop(flights);
            assert!(
                flight.pilot != place::caller(),
                "the closure of a flight asked for the same key again"
            );
            if let Some(value) = flight.join() {
                return Flown {
                    value,
                    shared: true,
                };
            }
        }
    }

    /// Lets the next call for the key start a new flight, even if one is under way; who shares that one still gets its value.
    pub fn forget<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        locked(&self.flights).remove(key);
    }

    fn fly(&self, key: &K, landing: Landing<'_, V>, f: impl FnOnce() -> V) -> Flown<V> {
        let flight = landing.0;
        // A panic goes on below; what it leaves broken is seen by those who would have seen it without the catch.
        let result = catch_unwind(AssertUnwindSafe(f));
        let mut flights = locked(&self.flights);
        if flights.get(key).is_some_and(|now| Arc::ptr_eq(now, flight)) {
            flights.remove(key);
        }
        drop(flights);
        let mut state = locked(&flight.state);
        let shared = state.shared;
        state.outcome = Some(match &result {
            // Who has not joined yet will find that it has landed.
            Ok(_) if !shared => Outcome::Cancelled,
            Ok(value) => Outcome::Value(value.clone()),
            Err(payload) if is_cancellation(&**payload) => Outcome::Cancelled,
            Err(payload) => Outcome::Panic(message(&**payload)),
        });
        drop(state);
        drop(landing);
        match result {
            Ok(value) => Flown { value, shared },
            Err(payload) => resume_unwind(payload),
        }
    }
}

/// Sees to it that nobody waits for a flight that has ended, even if a key's or a value's own code panicked.
struct Landing<'a, V>(&'a Arc<Flight<V>>);

impl<V> Drop for Landing<'_, V> {
    fn drop(&mut self) {
        locked(&self.0.state)
            .outcome
            .get_or_insert(Outcome::Cancelled);
        self.0.landed.notify_all();
    }
}

impl<V: Clone> Flight<V> {
    /// `None`: the caller has to try for itself.
    fn join(&self) -> Option<V> {
        let mut state = locked(&self.state);
        if state.outcome.is_none() {
            state.shared = true;
        }
        let state = self
            .landed
            .wait_while(state, |state| state.outcome.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        match state.outcome.as_ref()? {
            Outcome::Value(value) => Some(value.clone()),
            Outcome::Panic(message) => {
                let message = message.clone();
                drop(state);
                panic!("the closure of a shared flight panicked: {message}")
            }
            Outcome::Cancelled => None,
        }
    }
}

/// The values' and keys' own code may panic under the lock; it leaves nothing half-done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
        .to_owned()
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> SingleFlight<K, V> {
        SingleFlight::new()
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}
