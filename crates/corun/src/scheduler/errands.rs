//! What a worker is asked to do on its own thread while it runs no coroutine: to look at what it alone may touch.
//!
//! For what happens once in a while. A worker looks for errands when it looks at its inbox; one that is kept by a coroutine does them when that gives way.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::worker::Worker;
use super::{Scheduler, lock_mutex};
use crate::channel;

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
    /// Has each worker answer a question on its own thread. Returns the answers that have come by `deadline`, with the workers' places.
    pub(super) fn ask_workers<R: Send + 'static>(
        &self,
        deadline: Instant,
        question: impl Fn(&Worker) -> R + Clone + Send + 'static,
    ) -> Vec<(usize, R)> {
        let (answer, answers) = channel::unbounded();
        for worker in self.workers() {
            let (question, answer) = (question.clone(), answer.clone());
            let index = worker.index as usize;
            worker.errands.post(Box::new(move |worker| {
                // Nobody may wait for it any more.
                let _ = answer.send((index, question(worker)));
            }));
            self.wake(worker);
        }
        drop(answer);
        let mut all = Vec::new();
        while let Ok(one) = answers.recv_deadline(deadline) {
            all.push(one);
        }
        all
    }
}
