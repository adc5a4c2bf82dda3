//! Async tasks that poll a direction of a descriptor without a future that could give up a place: see `entry.rs`.

use std::task::Waker;

/// So many that a task which polls through ever new wakers, and is never called, does not fill the memory.
const MOST: usize = 32;

/// The tasks that are all called when there is something to try. Mostly there is one; each is in it once.
#[derive(Default)]
pub(super) struct Herd {
    first: Option<Waker>,
    others: Vec<Waker>,
}

impl Herd {
    pub(super) const fn new() -> Herd {
        Herd {
            first: None,
            others: Vec::new(),
        }
    }

    pub(super) fn knows(&self, waker: &Waker) -> bool {
        self.first
            .iter()
            .chain(&self.others)
            .any(|known| known.will_wake(waker))
    }

    /// Before another one joins, all have to leave: whoever is still interested comes back.
    pub(super) fn is_full(&self) -> bool {
        self.others.len() >= MOST - 1
    }

    pub(super) fn add(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.others.push(waker),
        }
    }

    /// Takes all of them out, to be called.
    pub(super) fn leave(&mut self) -> Herd {
        std::mem::take(self)
    }

    pub(super) fn wake(self) {
        self.first
            .into_iter()
            .chain(self.others)
            .for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_task_is_in_it_once_and_called_once() {
        let counts: Vec<_> = (0..MOST)
            .map(|_| Arc::new(Count(AtomicUsize::new(0))))
            .collect();
        let mut herd = Herd::new();
        for _ in 0..3 {
            for count in &counts {
                let waker = Waker::from(Arc::clone(count));
                if !herd.knows(&waker) {
                    assert!(!herd.is_full());
                    herd.add(waker);
                }
            }
        }
        assert!(herd.is_full());
        herd.leave().wake();
        assert!(!herd.is_full());
        herd.wake();
        assert!(
            counts
                .iter()
                .all(|count| count.0.load(Ordering::Relaxed) == 1)
        );
    }
}
