//! Signals reach coroutines, threads and futures; what they did before comes back.
#![cfg(unix)]

mod child;
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{block_on, everywhere};
use corun::signal::{SignalKind, Signals, ctrl_c, ctrl_c_async};

/// To the whole process, as `kill` does. Each test has signals of its own, since the tests share the process.
fn send(kind: SignalKind) {
    // SAFETY: no preconditions.
    assert_eq!(unsafe { libc::kill(libc::getpid(), kind.as_raw()) }, 0);
}

#[test]
fn one_that_waits_is_told() {
    everywhere(|place| {
        let signals = Arc::new(Signals::new([SignalKind::USER1]).unwrap());
        let waiter = {
            let signals = Arc::clone(&signals);
            place.spawn(move || signals.recv())
        };
        assert_eq!(signals.try_recv(), None);
        send(SignalKind::USER1);
        assert_eq!(waiter.join(), SignalKind::USER1);
    });
}

#[test]
fn ctrl_c_in_each_form() {
    everywhere(|place| {
        let before = Signals::new([SignalKind::INTERRUPT]).unwrap();
        let waiters = [
            place.spawn(|| ctrl_c().unwrap()),
            place.spawn(|| block_on(ctrl_c_async()).unwrap()),
        ];
        // How soon they wait nobody can see; until then each is lost to them.
        while !waiters.iter().all(|waiter| waiter.is_finished()) {
            send(SignalKind::INTERRUPT);
            assert_eq!(before.recv(), SignalKind::INTERRUPT);
            std::thread::yield_now();
            corun::yield_now();
        }
        waiters.into_iter().for_each(|waiter| waiter.join());
    });
}

#[test]
fn each_listener_is_told_once_whatever_waits_for_it() {
    everywhere(|place| {
        let listeners: Vec<_> = (0..5)
            .map(|_| Signals::new([SignalKind::USER2, SignalKind::ALARM]).unwrap())
            .collect();
        let seen = Arc::new(AtomicUsize::new(0));
        let waiters: Vec<_> = listeners
            .into_iter()
            .enumerate()
            .map(|(number, signals)| {
                let seen = Arc::clone(&seen);
                place.spawn(move || {
                    for _ in 0..2 {
                        let kind = if number % 2 == 0 {
                            signals.recv()
                        } else {
                            block_on(signals.recv_async())
                        };
                        seen.fetch_add(kind.as_raw() as usize, Ordering::Relaxed);
                    }
                    signals.try_recv()
                })
            })
            .collect();
        send(SignalKind::USER2);
        send(SignalKind::ALARM);
        for waiter in waiters {
            assert_eq!(waiter.join(), None);
        }
        let both = SignalKind::USER2.as_raw() + SignalKind::ALARM.as_raw();
        assert_eq!(seen.load(Ordering::Relaxed), 5 * both as usize);
    });
}

#[test]
fn several_receivers_share_what_comes() {
    everywhere(|place| {
        let other = SignalKind::from_raw(libc::SIGVTALRM);
        let kinds = [SignalKind::HANGUP, SignalKind::QUIT, other];
        let signals = Arc::new(Signals::new(kinds).unwrap());
        let receivers = kinds.map(|_| {
            let signals = Arc::clone(&signals);
            place.spawn(move || signals.iter().next().unwrap())
        });
        kinds.into_iter().for_each(send);
        let mut received = receivers.map(|receiver| receiver.join());
        received.sort();
        assert_eq!(received, kinds);
    });
}

#[test]
fn a_wait_that_is_given_up_has_received_nothing() {
    everywhere(|place| {
        let signals = Arc::new(Signals::new([SignalKind::WINDOW_CHANGE]).unwrap());
        let given_up = {
            let signals = Arc::clone(&signals);
            place.spawn(move || corun::timeout(Duration::from_millis(1), || signals.recv()))
        };
        assert!(given_up.join().is_err());
        send(SignalKind::WINDOW_CHANGE);
        assert_eq!(signals.recv(), SignalKind::WINDOW_CHANGE);
    });
}

#[test]
fn what_nobody_may_wait_for_is_refused() {
    for number in [libc::SIGKILL, libc::SIGSEGV, libc::SIGURG, 0, -3, 65, 4711] {
        let error = Signals::new([SignalKind::PIPE, SignalKind::from_raw(number)]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
    }
    assert_eq!(format!("{:?}", Signals::new([]).unwrap()), "{}");
}

#[test]
fn futures_may_be_sent() {
    fn is_send<T: Send>(_: &T) {}
    let signals = Signals::new([]).unwrap();
    is_send(&signals.recv_async());
    is_send(&ctrl_c_async());
}

/// What the process did at a signal before somebody listened, it does when nobody listens any more.
#[test]
fn the_default_action_comes_back() {
    let name = "the_default_action_comes_back";
    let Some(output) = child::run(name, &[]) else {
        for _ in 0..3 {
            let signals = Signals::new([SignalKind::TERMINATE]).unwrap();
            let others = Signals::new([SignalKind::TERMINATE]).unwrap();
            drop(signals);
            send(SignalKind::TERMINATE);
            assert_eq!(others.recv(), SignalKind::TERMINATE);
        }
        println!("and now");
        send(SignalKind::TERMINATE);
        unreachable!("SIGTERM ends the process");
    };
    let text = child::text(&output);
    assert!(text.contains("and now"), "{text}");
    if !child::is_emulated() {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(output.status.signal(), Some(libc::SIGTERM), "{text}");
    }
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// A handler of the program's own is called as well, and again when nobody listens any more.
#[test]
fn a_handler_that_was_there_goes_on() {
    if child::run("a_handler_that_was_there_goes_on", &[]).is_some_and(|output| {
        assert!(output.status.success(), "{}", child::text(&output));
        true
    }) {
        return;
    }
    // SAFETY: a zeroed action is valid, and the handler only counts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        libc::sigaction(libc::SIGTERM, &raw const action, std::ptr::null_mut());
    }
    let signals = Signals::new([SignalKind::TERMINATE]).unwrap();
    // SAFETY: no preconditions. To this thread, so that it is handled before the call returns.
    let raise = || unsafe { libc::raise(libc::SIGTERM) };
    raise();
    assert_eq!(signals.recv(), SignalKind::TERMINATE);
    assert_eq!(HANDLED.load(Ordering::SeqCst), 1);
    drop(signals);
    raise();
    assert_eq!(HANDLED.load(Ordering::SeqCst), 2);
}

/// Stalls are reported by SIGURG, which neither disturbs nor is disturbed.
#[test]
#[cfg(target_os = "linux")]
fn stalls_are_reported_all_the_same() {
    let (tell, told) = std::sync::mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let runtime = corun::Runtime::builder()
        .workers(1)
        .on_stall(move |stall| {
            let _ = tell.lock().unwrap().send(stall.frames().len());
        })
        .build()
        .unwrap();
    let signals = Signals::new([SignalKind::from_raw(libc::SIGPROF)]).unwrap();
    let told = runtime.block_on(move || told.recv().unwrap());
    assert!(told > 0 || !cfg!(target_env = "gnu"));
    assert_eq!(signals.try_recv(), None);
}
