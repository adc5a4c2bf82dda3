//! No descriptors left, no runtime, a runtime that ends.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use crate::bad;
use crate::scratch::Scratch;

#[test]
fn without_descriptors_there_is_an_error_and_open_files_go_on() {
    let name = "bad_days::without_descriptors_there_is_an_error_and_open_files_go_on";
    bad::passes_in_child(name, &[], || {
        for workers in [1, 2, 8] {
            let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
            runtime.block_on(|| {
                let scratch = Scratch::new();
                let path = scratch.join("file");
                let mut file = corun::fs::File::create_new(&path).unwrap();
                bad::set_limit(libc::RLIMIT_NOFILE, 64);
                let mut held = Vec::new();
                let error = loop {
                    match corun::fs::File::open(&path) {
                        Ok(file) => held.push(file),
                        Err(error) => break error,
                    }
                };
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                for error in [
                    corun::fs::read(&path).map(drop).unwrap_err(),
                    corun::fs::read_dir(&*scratch).map(drop).unwrap_err(),
                    file.try_clone().map(drop).unwrap_err(),
                ] {
                    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                }
                file.write_all(b"still written").unwrap();
                let mut text = String::new();
                held[0].read_to_string(&mut text).unwrap();
                assert_eq!(text, "still written");
                drop(held);
                assert_eq!(corun::fs::read(&path).unwrap(), b"still written");
                bad::set_limit(libc::RLIMIT_NOFILE, 1024);
            });
        }
    });
}

#[test]
fn where_no_thread_can_be_started_files_say_so() {
    let name = "bad_days::where_no_thread_can_be_started_files_say_so";
    bad::passes_in_child(name, &[], || {
        let runtime = corun::Runtime::builder().workers(1).build().unwrap();
        runtime.block_on(|| {
            bad::leave_room(1 << 20);
            let error = corun::fs::metadata("/").map(drop).unwrap_err();
            bad::set_limit(libc::RLIMIT_AS, libc::RLIM_INFINITY);
            assert!(error.to_string().contains("ulimit -u"), "{error}");
            assert!(corun::fs::metadata("/").unwrap().is_dir());
        });
    });
}

#[test]
fn a_shutdown_cancels_who_waits_for_a_pipe() {
    for workers in [1, 2, 8] {
        let scratch = Scratch::new();
        let path = scratch.pipe();
        let keeper = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let name = path.clone();
        let task = runtime.spawn(move || {
            let mut file = corun::fs::File::open(name).unwrap();
            sender.send(()).unwrap();
            file.read(&mut [0; 8])
        });
        receiver.recv().unwrap();
        let _ = runtime.shutdown(Duration::from_millis(10));
        assert!(task.join().is_err(), "it was cancelled");
        drop(keeper);
    }
}

#[test]
fn a_file_may_be_used_by_one_runtime_after_another() {
    let scratch = Scratch::new();
    let path = scratch.pipe();
    let mut writer = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let mut reader = corun::fs::File::open(&path).unwrap();
    for round in 0..3 {
        let runtime = corun::Runtime::builder().workers(1).build().unwrap();
        reader = runtime.block_on(|| {
            let mut buffer = [9];
            let early = corun::timeout(Duration::from_millis(1), || reader.read(&mut buffer));
            assert!(early.is_err());
            writer.write_all(&[round]).unwrap();
            reader.read_exact(&mut buffer).unwrap();
            assert_eq!(buffer, [round]);
            reader
        });
    }
}

#[test]
fn bad_arguments_are_errors() {
    crate::common::everywhere(|_| {
        for result in [
            corun::fs::read("").map(drop),
            corun::fs::File::open("").map(drop),
            corun::fs::create_dir_all("/proc/nothing/here"),
            corun::fs::rename("", ""),
        ] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
        }
        let long = "x".repeat(5000);
        assert_eq!(
            corun::fs::metadata(&long).map(drop).unwrap_err().kind(),
            std::fs::metadata(&long).map(drop).unwrap_err().kind()
        );
    });
}
