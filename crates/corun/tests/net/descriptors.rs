//! Descriptors that corun has no type for.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use corun::io::Descriptor;

use crate::common::{block_on, everywhere, takes_at_least};

#[test]
fn a_pipe_is_waited_for_in_both_directions() {
    everywhere(|place| {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let receiver = place.spawn(move || {
            let pipe = Descriptor::new(&reader);
            pipe.readable().unwrap();
            drop(pipe);
            let mut buffer = [0; 4];
            reader.read_exact(&mut buffer).unwrap();
            (reader, buffer)
        });
        let (reader, buffer) = {
            let pipe = Descriptor::new(&writer);
            pipe.writable().unwrap();
            drop(pipe);
            writer.write_all(b"ping").unwrap();
            receiver.join()
        };
        assert_eq!(&buffer, b"ping");
        // Broken pipes are ready: the next write says what is wrong.
        drop(reader);
        Descriptor::new(&writer).writable().unwrap();
        assert_eq!(
            writer.write(b"x").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    });
}

#[test]
fn deadlines_are_kept_and_what_is_left_unread_is_seen_again() {
    everywhere(|_| {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let pipe = Descriptor::new(reader.as_fd().try_clone_to_owned().unwrap());
        let wait = Duration::from_millis(5);
        let in_time = takes_at_least(wait, || {
            pipe.readable_until(Some(Instant::now() + wait)).unwrap()
        });
        assert!(!in_time);
        assert!(!pipe.readable_until(Some(Instant::now())).unwrap());
        writer.write_all(b"abc").unwrap();
        for left in [3, 2, 1] {
            // Nothing new arrives: the second and third answers are not the edge of an event.
            assert!(pipe.readable_until(None).unwrap(), "{left} bytes are left");
            reader.read_exact(&mut [0]).unwrap();
        }
        assert!(!pipe.readable_until(Some(Instant::now())).unwrap());
        writer.write_all(b"d").unwrap();
        pipe.readable().unwrap();
        drop(writer);
        reader.read_exact(&mut [0]).unwrap();
        // The end is ready for ever.
        pipe.readable().unwrap();
    });
}

#[test]
fn operations_of_others_are_tried_again() {
    everywhere(|place| {
        let (reader, mut writer) = io::pipe().unwrap();
        set_nonblocking(&reader);
        let receiver = place.spawn(move || {
            let pipe = Descriptor::new(reader);
            let mut buffer = [0; 8];
            let count = pipe
                .read_with(|mut pipe: &PipeReader| pipe.read(&mut buffer))
                .unwrap();
            buffer[..count].to_vec()
        });
        let sender = place.spawn(move || writer.write_all(b"late"));
        sender.join().unwrap();
        assert_eq!(receiver.join(), b"late");
    });
}

#[test]
fn regular_files_are_always_ready() {
    everywhere(|_| {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let file = Descriptor::new(file);
        file.readable().unwrap();
        file.writable().unwrap();
        file.into_inner().metadata().unwrap();
    });
}

#[test]
fn tasks_wait_too() {
    everywhere(|place| {
        let (reader, mut writer) = io::pipe().unwrap();
        let receiver = place.spawn(move || {
            let pipe = Descriptor::new(reader);
            block_on(pipe.readable_async()).unwrap();
            pipe.into_inner()
        });
        block_on(Descriptor::new(&writer).writable_async()).unwrap();
        writer.write_all(b"x").unwrap();
        receiver.join();
    });
}

fn set_nonblocking(pipe: &PipeReader) {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open; the call changes its mode.
    let result = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(result, 0);
}
