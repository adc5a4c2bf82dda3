//! Whoever waits for a file holds up nobody, and can be cancelled where nothing would be lost.

use std::cell::Cell;
use std::fs::OpenOptions as StdOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corun::fs::{File, OpenOptions};

use crate::common::everywhere;
use crate::scratch::Scratch;

/// Both ends of a named pipe, opened so that neither waits for the other. The reading end is in blocking mode.
fn pipe(scratch: &Scratch) -> (File, std::fs::File) {
    let path = scratch.pipe();
    // Linux opens both ends at once without a wait.
    let keeper = StdOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let reader = File::open(&path).unwrap();
    let writer = StdOptions::new().write(true).open(&path).unwrap();
    drop(keeper);
    (reader, writer)
}

#[test]
fn a_read_waits_while_others_go_on() {
    everywhere(|place| {
        let scratch = Scratch::new();
        let (mut reader, mut writer) = pipe(&scratch);
        let task = place.spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        for word in ["one ", "two ", "three"] {
            place.spawn(corun::yield_now).join();
            assert!(!task.is_finished());
            writer.write_all(word.as_bytes()).unwrap();
        }
        drop(writer);
        assert_eq!(task.join(), "one two three");
    });
}

#[corun::test(workers = [1, 2, 8])]
fn a_thousand_reads_wait_without_a_thread_each() {
    let scratch = Scratch::new();
    let (reader, mut writer) = pipe(&scratch);
    let begun = AtomicUsize::new(0);
    corun::scope(|scope| {
        let readers: Vec<_> = (0..1000)
            .map(|_| {
                scope.spawn(|| {
                    let mut byte = [0];
                    begun.fetch_add(1, Ordering::SeqCst);
                    (&reader).read_exact(&mut byte).unwrap();
                    byte[0]
                })
            })
            .collect();
        while begun.load(Ordering::SeqCst) != 1000 {
            corun::yield_now();
        }
        let metrics = corun::runtime::Handle::try_current()
            .unwrap()
            .metrics()
            .blocking;
        assert!(metrics.threads < 4, "{metrics:?}");
        writer.write_all(&[7; 1000]).unwrap();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 7);
        }
    });
}

#[corun::test(workers = [1, 2, 8])]
fn a_cancelled_read_takes_nothing_and_does_not_touch_the_buffer_later() {
    let scratch = Scratch::new();
    let (mut reader, mut writer) = pipe(&scratch);
    for round in 0..100_u8 {
        let mut buffer = [0xAA_u8; 64];
        let result = corun::timeout(Duration::from_micros(300), || reader.read(&mut buffer));
        assert!(result.is_err(), "there is nothing to read");
        writer.write_all(&[round; 8]).unwrap();
        corun::yield_now();
        assert_eq!(buffer, [0xAA; 64]);
        let mut found = [0; 8];
        reader.read_exact(&mut found).unwrap();
        assert_eq!(found, [round; 8]);
    }
}

#[corun::test(workers = [1, 2, 8])]
fn a_write_to_a_full_pipe_waits_and_can_be_cancelled() {
    let scratch = Scratch::new();
    let path = scratch.pipe();
    let both = StdOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&path)
        .unwrap();
    let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
    let written = Cell::new(0);
    let full = corun::timeout(Duration::from_millis(50), || {
        loop {
            written.set(written.get() + writer.write(&[1; 10_000]).unwrap());
        }
    });
    assert!(full.is_err());
    let written = written.get();
    assert!(written >= 4096);
    // And when there is room again it goes on.
    let task = corun::spawn(move || writer.write_all(&[2; 100_000]).map(|()| drop(writer)));
    let mut found = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while found.len() < written + 100_000 {
        match (&both).read(&mut buffer) {
            Ok(count) => found.extend_from_slice(&buffer[..count]),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                corun::yield_now();
            }
        }
    }
    task.join().unwrap().unwrap();
    assert!(found[..written].iter().all(|byte| *byte == 1));
    assert!(found[written..].iter().all(|byte| *byte == 2));
}

#[corun::test(workers = [1, 2, 8])]
fn an_operation_is_left_before_it_begins_and_not_when_it_is_done() {
    let scratch = Scratch::new();
    let path = scratch.join("file");
    let file = path.clone();
    let task = corun::spawn(move || {
        corun::park();
        let _ = corun::fs::write(&file, "never");
    });
    task.cancel();
    assert!(task.join().is_err());
    assert!(!path.exists());
}

#[corun::test(workers = [1, 2, 8])]
fn what_a_thread_is_at_is_waited_for_and_its_result_is_not_lost() {
    let scratch = Scratch::new();
    let path = scratch.pipe();
    let name = path.clone();
    let (sender, receiver) = corun::channel::unbounded();
    let task = corun::spawn(move || {
        // Waits, on a thread, until the other side opens the pipe too.
        sender.send(File::open(&name)).unwrap();
        corun::park();
        unreachable!("the first wait after that is left");
    });
    let metrics = || {
        corun::runtime::Handle::try_current()
            .unwrap()
            .metrics()
            .blocking
    };
    while (metrics().threads - metrics().idle, metrics().queued) != (1, 0) {
        corun::yield_now();
    }
    task.cancel();
    corun::yield_now();
    assert!(!task.is_finished());
    let mut writer = StdOptions::new().write(true).open(&path).unwrap();
    assert!(task.join().is_err());
    writer.write_all(b"heard").unwrap();
    let mut found = [0; 5];
    receiver
        .recv()
        .unwrap()
        .unwrap()
        .read_exact(&mut found)
        .unwrap();
    assert_eq!(&found, b"heard");
}

#[corun::test(workers = 1)]
fn in_no_suspend_it_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.join("file");
    let refused = std::panic::catch_unwind(|| corun::no_suspend(|| corun::fs::write(&path, "x")));
    assert!(refused.is_err());
    assert!(!path.exists());
}

#[corun::test(workers = [1, 2])]
fn a_paused_clock_waits_for_the_disk() {
    let scratch = Scratch::new();
    let path = scratch.join("file");
    corun::time::pause();
    let result = corun::timeout(Duration::from_secs(3600), || {
        for round in 0..20 {
            corun::fs::write(&path, vec![round; 100_000]).unwrap();
            File::open(&path).unwrap().sync_all().unwrap();
        }
    });
    assert!(result.is_ok());
    corun::time::resume();
}
