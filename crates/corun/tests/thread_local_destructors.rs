//! Destructors of thread locals may use corun, as late as they run.

use std::cell::RefCell;
use std::sync::mpsc;

use corun::CoroutineId;

struct AtExit(mpsc::Sender<(CoroutineId, CoroutineId, u32)>);

impl Drop for AtExit {
    fn drop(&mut self) {
        let (me, again) = (corun::current(), corun::current().id());
        let child = corun::spawn(move || me.unpark());
        corun::park();
        child.join().unwrap();
        let sum = corun::scope(|scope| scope.spawn(|| 5).join().unwrap());
        self.0.send((corun::current().id(), again, sum)).unwrap();
    }
}

thread_local!(static EARLY: RefCell<Option<AtExit>> = const { RefCell::new(None) });
thread_local!(static LATE: RefCell<Option<AtExit>> = const { RefCell::new(None) });

#[test]
fn before_and_after_coruns_own() {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // They are destroyed in one order or the other; what corun has for the thread lies between.
        EARLY.set(Some(AtExit(sender.clone())));
        corun::current();
        LATE.set(Some(AtExit(sender)));
    })
    .join()
    .unwrap();
    for (first, second, sum) in receiver {
        assert_eq!((first, sum), (second, 5));
    }
}

#[test]
fn in_a_thread_that_never_used_corun() {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || EARLY.set(Some(AtExit(sender))))
        .join()
        .unwrap();
    assert_eq!(receiver.iter().count(), 1);
}
