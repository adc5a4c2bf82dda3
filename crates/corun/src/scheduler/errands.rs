//! What a worker is asked to do on its own thread while it runs no coroutine: to look at what it alone may touch.
//!
//! For what happens once in a while. A worker looks for errands when it looks at its inbox; one that is kept by a coroutine does them when that gives way.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::worker::Worker;
use super::{Scheduler, lock_mutex};
use crate::channel::{self, RecvTimeoutError};

const FROM_TIME_TO_TIME: Duration = Duration::from_millis(10);

type Errand = Box<dyn FnOnce(&Worker) + Send>;

pub(super) struct Errands {
    posted: AtomicBool,
    list: Mutex<List>,
}

struct List {
    /// False once the worker's thread has ended.
    open: bool,
    errands: Vec<Errand>,
}

impl Errands {
    pub(super) fn new() -> Errands {
        Errands {
            posted: AtomicBool::new(false),
            list: Mutex::new(List {
                open: true,
                errands: Vec::new(),
            }),
        }
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        // SeqCst: as with the inbox, a worker that goes to sleep looks here after it has said so.
        !self.posted.load(Ordering::SeqCst)
    }

    fn post(&self, errand: Errand) {
        let mut list = lock_mutex(&self.list);
        if list.open {
            list.errands.push(errand);
            self.posted.store(true, Ordering::SeqCst);
        }
    }

    #[cold]
    pub(super) fn run(&self, worker: &Worker) {
        let errands = {
            let mut list = lock_mutex(&self.list);
            self.posted.store(false, Ordering::SeqCst);
            std::mem::take(&mut list.errands)
        };
        errands.into_iter().for_each(|errand| errand(worker));
    }

    /// A thread takes the worker's place.
    pub(super) fn open(&self) {
        lock_mutex(&self.list).open = true;
    }

    /// The worker's thread has ended: nobody does what was not done.
    pub(super) fn close(&self) {
        let mut list = lock_mutex(&self.list);
        list.open = false;
        self.posted.store(false, Ordering::SeqCst);
        let errands = std::mem::take(&mut list.errands);
        drop(list);
        drop(errands);
    }
}

impl Scheduler {
    /// Has each worker do something on its own thread, some time.
    pub(super) fn tell_workers(&self, errand: impl FnOnce(&Worker) + Clone + Send + 'static) {
        for worker in self.workers() {
            worker.errands.post(Box::new(errand.clone()));
            self.wake(worker);
        }
    }

    /// Has each worker answer a question on its own thread. Returns the answers that have come until all have, or, from time to time, those workers that
    /// have not are given up, or it has taken longer than `patience`.
    pub(super) fn ask_workers<R: Send + 'static>(
        &self,
        patience: Duration,
        question: impl FnOnce(&Worker) -> R + Clone + Send + 'static,
        give_up: impl Fn(&[(usize, R)]) -> bool,
    ) -> Vec<(usize, R)> {
        let (answer, answers) = channel::unbounded();
        self.tell_workers(move |worker| {
            // Nobody may wait for it any more.
            let _ = answer.send((worker.shared().index as usize, question(worker)));
        });
        let mut all = Vec::new();
        let deadline = Instant::now() + patience;
        loop {
            match answers.recv_timeout(FROM_TIME_TO_TIME) {
                Ok(one) => all.push(one),
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline && !give_up(&all) => {}
                Err(_) => return all,
            }
        }
    }
}
