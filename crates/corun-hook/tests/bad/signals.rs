//! Signals during calls.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::{connection, in_child, on_one_worker};

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handle(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn interrupt_no_call_that_is_parked() {
    in_child("signals::interrupt_no_call_that_is_parked", || {
        // SAFETY: a handler that adds, without SA_RESTART.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
        }
        on_one_worker(|| {
            let done = Arc::new(AtomicBool::new(false));
            // SAFETY: always valid; the worker outlives its coroutines.
            let worker = unsafe { libc::pthread_self() };
            let sender = thread::spawn({
                let done = Arc::clone(&done);
                move || {
                    while !done.load(Ordering::Relaxed) {
                        // SAFETY: the thread lives until `done`, and longer.
                        unsafe { libc::pthread_kill(worker, libc::SIGUSR1) };
                        thread::sleep(Duration::from_micros(200));
                    }
                }
            });
            let (mut client, mut server) = connection();
            let echo = corun::spawn(move || {
                let mut byte = [0];
                while server.read(&mut byte).unwrap() != 0 {
                    server.write_all(&byte).unwrap();
                }
            });
            // So many signals, and not so long: a busy machine sends few in any time.
            while HANDLED.load(Ordering::Relaxed) < 200 {
                // `read` and `write`, not the ones that try again.
                assert_eq!(client.write(b"x").unwrap(), 1);
                assert_eq!(client.read(&mut [0]).unwrap(), 1);
                // SAFETY: no pointers.
                assert_eq!(unsafe { libc::usleep(1000) }, 0);
            }
            drop(client);
            echo.join().unwrap();
            done.store(true, Ordering::Relaxed);
            sender.join().unwrap();
        });
    });
}
