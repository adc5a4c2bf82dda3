//! The same program, once with `std::fs` and once with `corun::fs` in its imports, has the same results, errors included.

use std::fmt::Debug;
use std::io;

use crate::common::everywhere;
use crate::scratch::Scratch;

/// A result in words: errors by their number and kind.
fn told<T: Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?} {:?}", error.raw_os_error(), error.kind()),
    }
}

macro_rules! program {
    ($name:ident, $($fs:tt)*) => {
        fn $name(root: &std::path::Path) -> Vec<String> {
            use std::io::{Read, Seek, SeekFrom, Write, IoSlice, IoSliceMut};
            use std::os::unix::fs::{DirBuilderExt, DirEntryExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
            use $($fs)* as fs;

            let mut log = Vec::new();
            macro_rules! note {
                ($result:expr) => { log.push(format!("{}: {}", log.len(), told($result))) };
            }
            let file = root.join("file");
            let missing = root.join("missing/file");

            note!(fs::write(&file, b"hello world"));
            note!(fs::read(&file));
            note!(fs::read_to_string(&file));
            note!(fs::read(&missing));
            note!(fs::read_to_string(root));
            note!(fs::write(&missing, ""));
            note!(fs::write(root, ""));
            note!(fs::exists(&file));
            note!(fs::exists(&missing));
            note!(fs::metadata(&file).map(|m| (m.len(), m.is_file(), m.mode())));
            note!(fs::metadata(&missing).map(|m| m.len()));
            note!(fs::write(root.join("latin"), [0xff, 0xfe]));
            note!(fs::read_to_string(root.join("latin")));
            note!(fs::write(root.join("nul\0name"), ""));

            // Open files.
            note!(fs::File::open(&missing).map(drop));
            note!(fs::File::create_new(&file).map(drop));
            note!(fs::OpenOptions::new().open(&file).map(drop));
            note!(fs::OpenOptions::new().read(true).truncate(true).open(&file).map(drop));
            let mut options = fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true).mode(0o640);
            let mut open = options.clone().open(root.join("open")).unwrap();
            note!(open.metadata().map(|m| m.mode()));
            note!(open.write(b"0123456789"));
            note!(open.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cd")]));
            note!(open.flush());
            note!(open.stream_position());
            note!(open.seek(SeekFrom::Start(2)));
            let mut buffer = [0; 4];
            note!(open.read(&mut buffer).map(|n| (n, buffer)));
            let (mut one, mut two) = ([0; 2], [0; 3]);
            note!(open.read_vectored(&mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)]).map(|n| (n, one, two)));
            note!(open.read(&mut []));
            note!(open.read(&mut [0; 100]));
            note!(open.read(&mut [0; 100]));
            note!(open.seek(SeekFrom::End(-3)));
            note!(open.seek(SeekFrom::Current(-100)));
            note!(open.seek(SeekFrom::Current(1)));
            let mut text = String::from("kept ");
            note!(open.read_to_string(&mut text).map(|n| (n, text.clone())));
            note!(open.read_to_string(&mut text).map(|n| (n, text.clone())));
            note!(open.rewind());
            let mut bytes = vec![1, 2];
            note!(open.read_to_end(&mut bytes).map(|n| (n, bytes.clone())));
            note!(open.read_exact(&mut [0]));
            note!(open.read_at(&mut buffer, 7).map(|n| (n, buffer)));
            note!(open.read_at(&mut buffer, 700));
            note!(open.read_exact_at(&mut buffer, 12));
            note!(open.write_at(b"XY", 20));
            note!(open.write_all_at(b"Z", 0));
            note!(open.set_len(30));
            note!(open.metadata().map(|m| m.len()));
            note!(open.set_len(5));
            note!(open.sync_all());
            note!(open.sync_data());
            note!(open.set_permissions(fs::Permissions::from_mode(0o600)));
            note!(open.metadata().map(|m| m.permissions().mode()));
            let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
            note!(open.set_modified(then));
            note!(open.set_times(fs::FileTimes::new().set_accessed(then)));
            note!(open.metadata().and_then(|m| Ok((m.modified()?, m.accessed()?))));
            let mut clone = open.try_clone().unwrap();
            note!(clone.seek(SeekFrom::Start(3)));
            note!(open.stream_position());
            note!((&open).write(b"!"));
            note!(clone.read(&mut [0; 9]));
            note!(fs::File::open(&file).unwrap().write(b"not open for that"));
            note!(fs::File::create(root.join("write only")).unwrap().read(&mut [0; 3]));
            note!(fs::File::open(root).and_then(|mut directory| directory.read(&mut [0; 3])));
            note!(fs::OpenOptions::new().append(true).open(&file).and_then(|mut file| file.write(b" more")));
            note!(fs::read_to_string(&file));
            note!(fs::File::open("/dev/full").unwrap().set_len(1));
            note!(fs::OpenOptions::new().write(true).open("/dev/full").and_then(|mut full| full.write(b"x")));
            note!(fs::File::open("/dev/zero").and_then(|mut zero| zero.read_exact(&mut [1; 5000])));
            note!(fs::File::open("/dev/null").and_then(|mut null| null.read_to_end(&mut Vec::new())));

            // Names.
            note!(fs::copy(&file, root.join("copy")));
            note!(fs::copy(&missing, root.join("copy")));
            note!(fs::rename(root.join("copy"), root.join("renamed")));
            note!(fs::rename(root.join("copy"), root.join("renamed")));
            note!(fs::hard_link(&file, root.join("link")));
            note!(fs::metadata(&file).map(|m| m.nlink()));
            note!(std::os::unix::fs::symlink("file", root.join("symbolic")));
            note!(fs::read_link(root.join("symbolic")));
            note!(fs::read_link(&file));
            note!(fs::symlink_metadata(root.join("symbolic")).map(|m| m.file_type().is_symlink()));
            note!(fs::canonicalize(root.join("../.").join(root).join("symbolic")).map(|path| path.file_name().unwrap().to_owned()));
            note!(fs::canonicalize(&missing));
            note!(fs::set_permissions(&file, fs::Permissions::from_mode(0o400)));
            note!(fs::metadata(&file).map(|m| m.permissions().readonly()));
            note!(fs::remove_file(root.join("link")));
            note!(fs::remove_file(root.join("link")));
            note!(fs::remove_file(root));

            // Directories.
            note!(fs::create_dir(root.join("a")));
            note!(fs::create_dir(root.join("a")));
            note!(fs::create_dir(root.join("b/c")));
            note!(fs::create_dir_all(root.join("b/c/d")));
            note!(fs::create_dir_all(root.join("b/c/d")));
            note!(fs::create_dir_all(file.join("d")));
            note!(fs::DirBuilder::new().mode(0o700).create(root.join("private")));
            note!(fs::DirBuilder::new().recursive(true).create(root.join("b/c/e")));
            note!(fs::metadata(root.join("private")).map(|m| m.mode()));
            for number in 0..300 {
                fs::write(root.join(format!("b/{number}")), "").unwrap();
            }
            let mut entries: Vec<_> = fs::read_dir(root.join("b"))
                .unwrap()
                .map(|entry| {
                    let entry = entry.unwrap();
                    assert_eq!(entry.ino(), entry.metadata().unwrap().ino());
                    assert_eq!(entry.path(), root.join("b").join(entry.file_name()));
                    (entry.file_name(), entry.file_type().unwrap().is_dir(), entry.metadata().unwrap().len() == 0)
                })
                .collect();
            entries.sort();
            log.push(format!("{} {entries:?}", entries.len()));
            note!(fs::read_dir(&missing).map(drop));
            note!(fs::read_dir(&file).map(drop));
            note!(fs::remove_dir(root.join("a")));
            note!(fs::remove_dir(root.join("a")));
            note!(fs::remove_dir(root.join("b")));
            note!(fs::remove_dir_all(root.join("b")));
            note!(fs::remove_dir_all(root.join("b")));
            log
        }
    };
}

program!(with_std, std::fs);
program!(with_corun, corun::fs);

#[test]
fn every_operation_has_the_result_that_std_has() {
    everywhere(|place| {
        let (ours, theirs) = (Scratch::new(), Scratch::new());
        let expected = with_std(&theirs);
        assert!(expected.len() > 90, "{}", expected.len());
        let found = with_corun(&ours);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{place:?}");
        }
        assert_eq!(found.len(), expected.len());
    });
}

#[test]
fn files_change_hands_between_std_and_corun() {
    use std::io::{Read, Seek, Write};
    use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
    everywhere(|_| {
        let scratch = Scratch::new();
        let path = scratch.join("file");
        let mut std = std::fs::File::create_new(&path).unwrap();
        std.write_all(b"std ").unwrap();
        let mut file = corun::fs::File::from(std);
        file.write_all(b"corun ").unwrap();
        let mut std = std::fs::File::from(file);
        std.write_all(b"std").unwrap();
        let file = corun::fs::File::from(OwnedFd::from(std));
        assert_eq!(file.as_fd().as_raw_fd(), file.as_raw_fd());
        // SAFETY: it was a file's until now.
        let mut file = unsafe { corun::fs::File::from_raw_fd(file.into_raw_fd()) };
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "std corun std");
        assert!(format!("{file:?}").contains("File"));
    });
}

#[test]
fn many_coroutines_read_and_write_parts_of_one_file() {
    use std::os::unix::fs::FileExt;
    const PART: usize = 64 << 10;
    everywhere(|place| {
        let scratch = Scratch::new();
        let file = corun::fs::File::create_new(scratch.join("parts")).unwrap();
        let file = std::sync::Arc::new(file);
        let parts: Vec<_> = (0..64_u64)
            .map(|part| {
                let file = std::sync::Arc::clone(&file);
                place.spawn(move || {
                    let bytes = vec![part as u8; PART];
                    let offset = part * PART as u64;
                    file.write_all_at(&bytes, offset).unwrap();
                    let mut back = vec![255; PART];
                    file.read_exact_at(&mut back, offset).unwrap();
                    assert!(bytes == back);
                })
            })
            .collect();
        parts.into_iter().for_each(|part| part.join());
        let whole = std::fs::read(scratch.join("parts")).unwrap();
        assert!(
            whole
                .chunks(PART)
                .enumerate()
                .all(|(part, bytes)| bytes.iter().all(|byte| *byte == part as u8))
        );
        assert_eq!(whole.len(), 64 * PART);
    });
}
