//! With io_uring: that it is used, and that it loses and breaks nothing. And everything without.

use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corun::fs::File;
use corun::runtime::Handle;

use crate::bad::child;
use crate::scratch::Scratch;

/// Has this system a ring for us, and may we use it?
fn is_there() -> bool {
    let mut parameters = [0_u8; 120];
    // SAFETY: the parameters of the system call: a number of entries, and a zeroed `io_uring_params`.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    if ring >= 0 {
        // SAFETY: opened just now.
        unsafe { libc::close(ring as i32) };
    }
    ring >= 0 && std::env::var_os("CORUN_IO_URING").is_none_or(|value| value != "0")
}

fn rings() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().contains("io_uring"))
        .count()
}

/// Has the next reads wait for the disk, if the file system can do without its pages.
fn forget_pages(file: &File) {
    file.sync_all().unwrap();
    // SAFETY: advice about an open descriptor.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
}

fn new_file(scratch: &Scratch) -> File {
    let mut options = corun::fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    options.open(scratch.join("file")).unwrap()
}

#[test]
fn it_is_used_where_it_is_there_and_goes_with_the_runtime() {
    let name = "ring::it_is_used_where_it_is_there_and_goes_with_the_runtime";
    let output = child::run(name, &[]);
    let Some(output) = output else {
        for workers in [1, 2, 8] {
            let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
            runtime.block_on(|| {
                let scratch = Scratch::new();
                let mut file = new_file(&scratch);
                let begun = || Handle::try_current().unwrap().metrics().blocking.begun;
                file.write_all(b"x").unwrap();
                let before = begun();
                file.write_all(b"twice").unwrap();
                file.write_all_at(b"y", 0).unwrap();
                file.sync_all().unwrap();
                file.sync_data().unwrap();
                forget_pages(&file);
                file.read_exact_at(&mut [0; 6], 0).unwrap();
                if is_there() {
                    assert_eq!((begun() - before, rings()), (0, 1));
                } else {
                    assert_eq!(rings(), 0);
                }
            });
            runtime.shutdown(Duration::from_secs(60)).unwrap();
            assert_eq!(rings(), 0);
        }
        std::process::exit(0);
    };
    assert!(output.status.success(), "{}", child::text(&output));
}

#[test]
fn a_builder_can_do_without() {
    let name = "ring::a_builder_can_do_without";
    let Some(output) = child::run(name, &[]) else {
        let runtime = corun::Runtime::builder().io_uring(false).build().unwrap();
        runtime.block_on(|| {
            let scratch = Scratch::new();
            new_file(&scratch).write_all(b"x").unwrap();
            assert_eq!(rings(), 0);
        });
        std::process::exit(0);
    };
    // The variable would win.
    let overridden = std::env::var_os("CORUN_IO_URING").is_some_and(|value| value == "1");
    assert!(
        output.status.success() || overridden,
        "{}",
        child::text(&output)
    );
}

/// All that is tested here, through the pool.
#[test]
fn everything_without_it() {
    if std::env::var_os("CORUN_IO_URING").is_some() {
        return;
    }
    let output = child::program()
        .args(["--skip", "without_it"])
        .env("CORUN_IO_URING", "0")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", child::text(&output));
}

#[test]
fn a_filter_that_refuses_it_is_no_trouble() {
    let Some(output) = child::run("ring::a_filter_that_refuses_it_is_no_trouble", &[]) else {
        if child::is_emulated() {
            println!("skipped: the emulator knows no filters");
            std::process::exit(0);
        }
        refuse_rings();
        assert!(!is_there());
        let runtime = corun::Runtime::builder().workers(2).build().unwrap();
        runtime.block_on(|| {
            let scratch = Scratch::new();
            let mut file = new_file(&scratch);
            file.write_all(b"all the same").unwrap();
            file.sync_all().unwrap();
            file.rewind().unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, "all the same");
        });
        std::process::exit(0);
    };
    assert!(output.status.success(), "{}", child::text(&output));
}

/// Has `io_uring_setup` fail with EPERM, as the default filter of containers does.
fn refuse_rings() {
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let number = libc::SYS_io_uring_setup as u32;
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: a valid program, for this process.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program
            ),
            0
        );
    }
}

#[corun::test(workers = [1, 2, 8])]
fn more_at_once_than_there_is_room_for() {
    let scratch = Scratch::new();
    let file = Arc::new(new_file(&scratch));
    let writers: Vec<_> = (0..5_000_u64)
        .map(|place| {
            let file = Arc::clone(&file);
            corun::spawn(move || {
                let bytes = place.to_le_bytes();
                file.write_all_at(&bytes, place * 8).unwrap();
                if place % 50 == 0 {
                    file.sync_data().unwrap();
                }
            })
        })
        .collect();
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    forget_pages(&file);
    let readers: Vec<_> = (0..5_000_u64)
        .map(|place| {
            let file = Arc::clone(&file);
            corun::spawn(move || {
                let mut bytes = [0; 8];
                file.read_exact_at(&mut bytes, place * 8).unwrap();
                assert_eq!(u64::from_le_bytes(bytes), place);
            })
        })
        .collect();
    readers
        .into_iter()
        .for_each(|reader| reader.join().unwrap());
}

#[corun::test(workers = [1, 2, 8])]
fn cancelled_at_any_moment_no_buffer_is_touched_later() {
    const SIZE: usize = 1 << 20;
    let scratch = Scratch::new();
    let file = Arc::new(new_file(&scratch));
    file.write_all_at(&vec![0x55; SIZE], 0).unwrap();
    let tasks: Vec<_> = (0..8_u64)
        .map(|task| {
            let file = Arc::clone(&file);
            corun::spawn(move || {
                for round in 0..60_u64 {
                    if task == 0 {
                        forget_pages(&file);
                    }
                    let limit = Duration::from_micros((task * 61 + round * 17) % 400);
                    let _ = corun::timeout(limit, || {
                        let mut buffer = [0; 16 << 10];
                        let place = (task * 8 + round) % 60 * (16 << 10);
                        file.read_exact_at(&mut buffer, place).unwrap();
                        assert!(buffer.iter().all(|byte| *byte == 0x55));
                        file.write_all_at(&[0x55; 4096], place).unwrap();
                        file.sync_data().unwrap();
                    });
                    // The same stack, used for something else.
                    let frame = std::hint::black_box([0xAA_u8; 20 << 10]);
                    corun::yield_now();
                    assert!(
                        std::hint::black_box(&frame)
                            .iter()
                            .all(|byte| *byte == 0xAA)
                    );
                }
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert!(corun::fs::read(scratch.join("file")).unwrap() == vec![0x55; SIZE]);
}

#[corun::test(workers = 1)]
fn a_worker_that_is_kept_busy_finds_what_was_completed_meanwhile() {
    let scratch = Scratch::new();
    let file = new_file(&scratch);
    let done = AtomicBool::new(false);
    corun::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                file.write_all_at(&[1; 100_000], 0).unwrap();
                file.sync_all().unwrap();
                done.store(true, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            // The watch thread polls for this worker meanwhile.
            let until = std::time::Instant::now() + Duration::from_millis(60);
            while std::time::Instant::now() < until {
                std::hint::spin_loop();
            }
        });
    });
    assert!(done.into_inner());
}

#[corun::test(workers = [1, 2])]
fn the_child_of_a_fork_reads_and_writes_as_a_plain_thread() {
    let scratch = Scratch::new();
    let mut file = new_file(&scratch);
    file.write_all(b"before ").unwrap();
    // SAFETY: the child uses nothing that another thread of the parent may hold, but the allocator, which glibc keeps usable.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let written = file
            .write_all(b"in the child")
            .and_then(|()| file.sync_all());
        // SAFETY: ends the child here.
        unsafe { libc::_exit(i32::from(written.is_err())) };
    }
    let mut status = -1;
    let ended = corun::blocking(|| {
        // SAFETY: the child that was forked above.
        unsafe { libc::waitpid(pid, &raw mut status, 0) }
    });
    assert_eq!((ended, status), (pid, 0));
    let text = corun::fs::read_to_string(scratch.join("file")).unwrap();
    assert_eq!(text, "before in the child");
    file.write_all(b" and after").unwrap();
}

#[test]
fn a_runtime_that_a_host_drives_has_files_too() {
    let scratch = Scratch::new();
    let path = scratch.join("file");
    let runtime = corun::runtime::LocalRuntime::new().unwrap();
    let text = runtime.block_on(move || {
        let mut file = File::create_new(&path).unwrap();
        for word in ["driven ", "by ", "a host"] {
            file.write_all(word.as_bytes()).unwrap();
            file.sync_all().unwrap();
        }
        corun::fs::read_to_string(path).unwrap()
    });
    assert_eq!(text, "driven by a host");
}
