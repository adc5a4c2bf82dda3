//! Signals that rain on the workers neither wake a sleeper early, nor fail an operation, nor lose a wake-up.
#![cfg(target_os = "linux")]

mod threads;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::Runtime;
use corun::net::{TcpListener, TcpStream};

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Interrupts every worker over and over while `body` runs in a coroutine.
fn in_the_rain<T: Send>(count: usize, body: impl FnOnce() -> T + Send) -> T {
    // Without SA_RESTART: every system call that can fail with EINTR does.
    // SAFETY: a zeroed action is valid, and the handler only counts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
    }
    let builder = Runtime::builder().workers(count).thread_name("rained-on");
    let runtime = builder.build().unwrap();
    let done = AtomicBool::new(false);
    let before = HANDLED.load(Ordering::Relaxed);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for thread in threads::sleeps("rained-on").into_keys() {
                    // SAFETY: no preconditions. A thread that has ended is not found.
                    unsafe {
                        libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGUSR1)
                    };
                }
                std::thread::yield_now();
            }
        });
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _stop = Stop(&done);
        runtime.block_on(|| {
            while HANDLED.load(Ordering::Relaxed) == before {
                corun::yield_now();
            }
            body()
        })
    });
    runtime.shutdown(Duration::from_secs(60)).unwrap();
    result
}

#[test]
fn sleepers_do_not_wake_early() {
    in_the_rain(2, || {
        let sleepers: Vec<_> = (0..200u64)
            .map(|n| {
                corun::spawn(move || {
                    let time = Duration::from_micros(n * 100);
                    let start = Instant::now();
                    corun::sleep(time);
                    assert!(start.elapsed() >= time);
                })
            })
            .collect();
        sleepers
            .into_iter()
            .for_each(|sleeper| sleeper.join().unwrap());
    });
}

#[test]
fn sockets_read_and_write_everything() {
    in_the_rain(2, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = corun::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::copy(&mut &stream, &mut stream.try_clone().unwrap()).unwrap();
            stream.flush().unwrap();
        });
        let mut stream = TcpStream::connect(address).unwrap();
        let data: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
        let writer = corun::spawn({
            let (mut stream, data) = (stream.try_clone().unwrap(), data.clone());
            move || {
                stream.write_all(&data).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
            }
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        writer.join().unwrap();
        server.join().unwrap();
        assert!(back == data);
    });
}

#[test]
fn wake_ups_between_workers_arrive() {
    in_the_rain(3, || {
        let players: Vec<_> = (0..8)
            .map(|_| corun::spawn(|| (0..200).for_each(|_| corun::park())))
            .collect();
        let handles: Vec<_> = players
            .iter()
            .map(|player| player.coroutine().clone())
            .collect();
        while players.iter().any(|player| !player.is_finished()) {
            handles.iter().for_each(corun::Coroutine::unpark);
            corun::blocking(|| ());
        }
        players
            .into_iter()
            .for_each(|player| player.join().unwrap());
    });
}
