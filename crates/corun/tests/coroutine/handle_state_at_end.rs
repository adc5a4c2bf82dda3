//! A handle tells that its coroutine has ended, whoever else has a handle.

use std::sync::mpsc;

use corun::{Coroutine, State};

fn wait_for_end(coroutine: &Coroutine) -> State {
    loop {
        match coroutine.state() {
            ended @ (State::Completed | State::Failed) => return ended,
            _ => std::thread::yield_now(),
        }
    }
}

#[test]
fn of_a_coroutine_that_was_detached_before_its_end() {
    for (panics, expected) in [(false, State::Completed), (true, State::Failed)] {
        let handle = corun::spawn(move || {
            corun::park();
            if panics {
                std::panic::resume_unwind(Box::new("without a message"));
            }
        });
        let coroutine = handle.coroutine().clone();
        drop(handle);
        coroutine.unpark();
        assert_eq!(wait_for_end(&coroutine), expected);
    }
}

#[test]
fn of_a_coroutine_whose_unread_result_makes_the_handle() {
    struct Tells(mpsc::Sender<Coroutine>);
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.send(corun::current()).unwrap();
        }
    }
    let (sender, receiver) = mpsc::channel();
    let (go_on, may_go_on) = corun::channel::bounded(1);
    drop(corun::spawn(move || {
        // Else the handle might drop the result, and say what it runs on.
        may_go_on.recv().unwrap();
        Tells(sender)
    }));
    go_on.send(()).unwrap();
    assert_eq!(wait_for_end(&receiver.recv().unwrap()), State::Completed);
}
