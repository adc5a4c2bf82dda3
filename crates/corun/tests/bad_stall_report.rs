//! A coroutine that stalls its worker is reported: who it is, and where it is.
#![cfg(target_os = "linux")]

mod bad;

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use corun::runtime::Stall;
use corun::{Builder, Runtime};

#[inline(never)]
fn spin_until(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

/// A runtime with one worker that hands each stall over, and the receiving end.
fn told() -> (Runtime, mpsc::Receiver<Stall>) {
    let (tell, told) = mpsc::channel();
    let builder = Runtime::builder().workers(1).on_stall(move |stall| {
        let _ = tell.send(stall.clone());
    });
    (builder.build().unwrap(), told)
}

/// Stalls the worker with a coroutine of this name until that is reported.
fn stall(runtime: &Runtime, told: &mpsc::Receiver<Stall>, builder: Builder) -> Stall {
    let stop = Arc::new(AtomicBool::new(false));
    let busy = builder.spawn_on(runtime.handle(), {
        let stop = Arc::clone(&stop);
        move || spin_until(&stop)
    });
    let stall = told.recv().unwrap();
    stop.store(true, Ordering::Relaxed);
    busy.unwrap().join().unwrap();
    stall
}

#[test]
fn with_name_number_spawn_site_and_backtrace() {
    let (runtime, told) = told();
    let report = stall(
        &runtime,
        &told,
        Builder::new().name("dog in the manger".into()),
    );
    assert_eq!(report.coroutine().name(), Some("dog in the manger"));
    assert!(
        report
            .coroutine()
            .spawn_site()
            .file()
            .ends_with("bad_stall_report.rs")
    );
    assert_eq!(report.worker(), 0);
    assert!(report.duration() >= Duration::from_millis(10));
    let text = report.to_string();
    let id = report.coroutine().id();
    for part in [
        &format!("coroutine 'dog in the manger' ({id}), spawned at "),
        "bad_stall_report.rs:",
        "spin_until",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    // The handler of the signal is not part of the story.
    assert!(report.backtrace().to_string().contains("   0: "));
    assert!(!text.contains("answer_now"), "{text}");
}

#[test]
fn without_a_name() {
    let (runtime, told) = told();
    let report = stall(&runtime, &told, Builder::new());
    assert_eq!(report.coroutine().name(), None);
}

#[test]
fn once_for_each_coroutine() {
    let count = Arc::new(AtomicUsize::new(0));
    let runtime = Runtime::builder()
        .workers(1)
        .on_stall({
            let count = Arc::clone(&count);
            move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    for expected in 1..4 {
        let count = Arc::clone(&count);
        let coroutine = runtime.spawn(move || {
            while count.load(Ordering::Relaxed) != expected {}
            for _ in 0..5 {
                corun::yield_now();
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(50) {}
            }
            assert_eq!(count.load(Ordering::Relaxed), expected);
        });
        coroutine.join().unwrap();
    }
}

#[test]
fn inside_a_generator() {
    let (runtime, told) = told();
    let stop = Arc::new(AtomicBool::new(false));
    let busy = Builder::new()
        .name("outer".into())
        .spawn_on(runtime.handle(), {
            let stop = Arc::clone(&stop);
            move || {
                corun_context::Generator::new(move |to| {
                    spin_until(&stop);
                    to.suspend(());
                })
                .count()
            }
        });
    let report = told.recv().unwrap();
    stop.store(true, Ordering::Relaxed);
    assert_eq!(busy.unwrap().join().unwrap(), 1);
    assert_eq!(report.coroutine().name(), Some("outer"));
    assert!(report.to_string().contains("spin_until"), "{report}");
}

#[test]
fn in_a_system_call_which_goes_on() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let (tell, told) = mpsc::channel();
    let write = Mutex::new(move || writer.write_all(b"x").unwrap());
    let runtime = Runtime::builder()
        .workers(1)
        .on_stall(move |stall| {
            tell.send(stall.coroutine().id()).unwrap();
            (write.lock().unwrap())();
        })
        .build()
        .unwrap();
    let blocked = runtime.spawn(move || {
        let mut byte = [0];
        // One system call, which must not fail because the thread was interrupted.
        let count = std::io::Read::read(&mut reader, &mut byte).unwrap();
        (count, byte)
    });
    let id = blocked.coroutine().id();
    assert_eq!(blocked.join().unwrap(), (1, *b"x"));
    assert_eq!(told.recv().unwrap(), id);
}

#[test]
fn at_a_lock_of_std_that_a_suspended_coroutine_holds() {
    static LOCK: Mutex<()> = Mutex::new(());
    let name = "at_a_lock_of_std_that_a_suspended_coroutine_holds";
    bad::passes_in_child(name, &[], || {
        let builder = Runtime::builder().workers(1).on_stall(|stall| {
            let text = stall.to_string();
            let right = stall.coroutine().name() == Some("second") && text.contains("lock");
            eprintln!("{text}");
            // The deadlock is for ever, so this is the end.
            std::process::exit(i32::from(!right));
        });
        builder.build().unwrap().block_on(|| {
            let _first = corun::spawn_local(|| {
                let _guard = LOCK.lock();
                corun::park();
            });
            corun::yield_now();
            let second = Builder::new().name("second".into());
            let second = second.spawn_local(|| drop(LOCK.lock()));
            second.unwrap().join().unwrap();
        });
    });
}

#[test]
fn a_handler_that_panics_is_called_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let runtime = Runtime::builder()
        .workers(1)
        .on_stall({
            let count = Arc::clone(&count);
            move |_| {
                count.fetch_add(1, Ordering::Relaxed);
                panic!("on purpose");
            }
        })
        .build()
        .unwrap();
    for expected in 1..4 {
        let count = Arc::clone(&count);
        let busy = runtime.spawn(move || while count.load(Ordering::Relaxed) < expected {});
        busy.join().unwrap();
    }
}

#[test]
fn to_standard_error_by_default() {
    let name = "to_standard_error_by_default";
    bad::passes_in_child(name, &[], || {
        let report = stderr_of_a_stall(|pipe| {
            let mut text = String::new();
            while !text.contains("CORUN_STALL_REPORT=0") {
                text += &pipe();
            }
            text
        });
        for part in [
            "corun: coroutine 'busy' (",
            "spin_until",
            "help: call corun::checkpoint()",
        ] {
            assert!(report.contains(part), "{part:?} is missing in:\n{report}");
        }
    });
}

#[test]
fn not_if_the_variable_is_0() {
    let name = "not_if_the_variable_is_0";
    bad::passes_in_child(name, &[("CORUN_STALL_REPORT", "0")], || {
        let report = stderr_of_a_stall(|_| {
            // Longer than it takes to be printed.
            std::thread::sleep(Duration::from_millis(1500));
            String::new()
        });
        assert_eq!(report, "");
    });
}

#[test]
fn a_wrong_value_of_the_variable_is_an_error() {
    let name = "a_wrong_value_of_the_variable_is_an_error";
    bad::passes_in_child(name, &[("CORUN_STALL_REPORT", "perhaps")], || {
        let error = Runtime::new().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("CORUN_STALL_REPORT"), "{error}");
    });
}

static TOLD: AtomicBool = AtomicBool::new(false);

/// Stalls the default runtime while `watch` reads what goes to standard error.
fn stderr_of_a_stall(watch: impl FnOnce(&mut dyn FnMut() -> String) -> String) -> String {
    use std::io::Read;
    use std::os::fd::AsRawFd;

    let (mut reader, writer) = std::io::pipe().unwrap();
    // SAFETY: the descriptors are open. The old one is kept to be set again.
    let old = unsafe {
        let old = libc::dup(2);
        assert_eq!(libc::dup2(writer.as_raw_fd(), 2), 2);
        old
    };
    let busy = Builder::new()
        .name("busy".into())
        .spawn(|| spin_until(&TOLD))
        .unwrap();
    let text = watch(&mut || {
        let mut buffer = [0; 4096];
        let count = reader.read(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    });
    TOLD.store(true, Ordering::Relaxed);
    busy.join().unwrap();
    // SAFETY: as above.
    unsafe { assert_eq!(libc::dup2(old, 2), 2) };
    drop(writer);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    text + &rest
}

#[test]
fn a_handler_of_the_signal_that_was_there_before_is_still_called() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handler(_: libc::c_int) {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
    let name = "a_handler_of_the_signal_that_was_there_before_is_still_called";
    bad::passes_in_child(name, &[], || {
        // SAFETY: a zeroed action is valid, and the handler calls what a handler may.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            libc::sigaction(libc::SIGURG, &raw const action, std::ptr::null_mut());
        }
        let (runtime, told) = told();
        stall(&runtime, &told, Builder::new());
        let before = CALLS.load(Ordering::Relaxed);
        // SAFETY: no preconditions.
        unsafe { libc::raise(libc::SIGURG) };
        assert_eq!(CALLS.load(Ordering::Relaxed), before + 1);
    });
}
