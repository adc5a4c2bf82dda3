//! Files: their data, and locks on them.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{check, errno, let_others_wait, on_one_worker};

struct Path(PathBuf);

impl Path {
    fn new(name: &str) -> Path {
        Path(std::env::temp_dir().join(format!("corun-hook-{name}-{}", std::process::id())))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn are_read_and_written_as_by_a_thread() {
    on_one_worker(|| {
        let path = Path::new("files");
        let content: Vec<u8> = (0..1_000_000u32).map(|n| (n % 233) as u8).collect();
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&path.0)
            .unwrap();
        file.write_all(&content).unwrap();
        // Cold, so that not all of it lies in memory.
        file.sync_all().unwrap();
        // SAFETY: no pointers.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        let mut start = vec![0; 300_000];
        file.seek(SeekFrom::Start(0)).unwrap();
        // SAFETY: the buffer is as long as it says.
        let count =
            check(unsafe { libc::read(file.as_raw_fd(), start.as_mut_ptr().cast(), start.len()) });
        assert_eq!(
            count.unwrap(),
            start.len(),
            "a file is read as far as asked"
        );
        assert!(start == content[..300_000]);
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).unwrap();
        assert!(rest == content[300_000..]);
        let mut part = [0; 100];
        file.read_exact_at(&mut part, 500_000).unwrap();
        assert!(part == content[500_000..500_100]);
        file.write_all_at(b"patched", 10).unwrap();
        let mut part = [0; 7];
        file.read_exact_at(&mut part, 10).unwrap();
        assert_eq!(&part, b"patched");
        assert_eq!(file.read_at(&mut part, 2_000_000).unwrap(), 0);
        // SAFETY: the buffer is as long as it says.
        let result =
            check(unsafe { libc::pread(file.as_raw_fd(), part.as_mut_ptr().cast(), 7, -1) });
        assert!(result.is_err());
        assert_eq!(errno(), libc::EINVAL);
        assert_eq!(fs::read(&path.0).unwrap().len(), 1_000_000);
    });
}

#[test]
fn a_lock_on_a_file_is_waited_for() {
    on_one_worker(|| {
        let path = Path::new("flock");
        fs::write(&path.0, "").unwrap();
        let [one, two] = [(); 2].map(|()| File::open(&path.0).unwrap());
        one.lock().unwrap();
        assert!(two.try_lock().is_err());
        let taken = Arc::new(AtomicBool::new(false));
        let other = corun::spawn({
            let taken = Arc::clone(&taken);
            move || {
                two.lock().unwrap();
                taken.store(true, Ordering::SeqCst);
            }
        });
        let_others_wait();
        assert!(!taken.load(Ordering::SeqCst));
        one.unlock().unwrap();
        other.join().unwrap();
        assert!(taken.load(Ordering::SeqCst));
    });
}

#[test]
fn a_lock_on_a_part_of_a_file_is_waited_for() {
    on_one_worker(|| {
        let path = Path::new("fcntl");
        fs::write(&path.0, "0123456789").unwrap();
        let [one, two] = [(); 2].map(|()| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path.0)
                .unwrap()
        });
        let lock = |file: &File, kind: i32, command: i32| {
            // SAFETY: a plain structure of numbers.
            let mut part: libc::flock = unsafe { std::mem::zeroed() };
            part.l_type = kind as i16;
            part.l_len = 5;
            // SAFETY: a lock, which is what the commands want.
            unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut part) }
        };
        assert_eq!(lock(&one, libc::F_WRLCK, libc::F_OFD_SETLKW), 0);
        assert_eq!(lock(&two, libc::F_WRLCK, libc::F_OFD_SETLK), -1);
        let other = corun::spawn(move || lock(&two, libc::F_WRLCK, libc::F_OFD_SETLKW));
        let_others_wait();
        assert!(!other.is_finished());
        assert_eq!(lock(&one, libc::F_UNLCK, libc::F_OFD_SETLK), 0);
        assert_eq!(other.join().unwrap(), 0);
    });
}
