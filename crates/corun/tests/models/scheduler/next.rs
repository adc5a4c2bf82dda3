//! `next_place.rs`: a task in the next place is taken by its worker or by a thief, as its worker has left it.

use std::sync::Arc;

use crate::checker::thread;

use super::next_place::NextPlace;
use crate::check;
use crate::coroutine::body::for_thread;
use crate::coroutine::task::{MetaInit, TaskRef};
use crate::primitive::{Mistake, with_mistake};
use crate::sync::Data;

fn task(id: u64) -> TaskRef {
    for_thread(id, MetaInit::Site(std::panic::Location::caller()))
}

/// The worker puts two tasks there, one after the other, and takes what is left, while thieves come. Each task is had by one, who touches what
/// belongs to it.
fn each_is_had_once(thieves: usize) {
    check(4 - thieves, move || {
        let place = Arc::new(NextPlace::new());
        let data: Arc<[Data; 2]> = Arc::default();
        let thieves: Vec<_> = (0..thieves)
            .map(|_| {
                let (place, data) = (Arc::clone(&place), Arc::clone(&data));
                thread::spawn(move || {
                    let had = place.steal();
                    had.map_or(0, |task| {
                        data[task.id().get() as usize - 1].add();
                        task.release();
                        1
                    })
                })
            })
            .collect();
        let mut had = 0;
        let mut have = |task: Option<TaskRef>| {
            if let Some(task) = task {
                data[task.id().get() as usize - 1].add();
                task.release();
                had += 1;
            }
        };
        have(place.put(task(1)));
        have(place.put(task(2)));
        have(place.take());
        for thief in thieves {
            had += thief.join().unwrap();
        }
        assert_eq!(had, 2);
        assert!(place.is_empty());
    });
}

#[test]
fn the_worker_or_a_thief_has_the_next_task() {
    each_is_had_once(1);
}

#[test]
fn the_worker_or_one_of_two_thieves_has_it() {
    each_is_had_once(2);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic]
fn without_fences_both_have_it() {
    with_mistake(Mistake::NoFences, || each_is_had_once(1));
}
