//! Ten thousand calls at once that need a thread each.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::in_child;

#[test]
fn ten_thousand_writes_to_files() {
    in_child("pool::ten_thousand_writes_to_files", || {
        // SAFETY: nothing here relies on a thread that blocks.
        unsafe { corun_hook::install() };
        let runtime = corun::Runtime::builder()
            .workers(2)
            .max_blocking_threads(32)
            .build()
            .unwrap();
        let path = std::env::temp_dir().join(format!("corun-hook-pool-{}", std::process::id()));
        let file = Arc::new(File::create(&path).unwrap());
        runtime.block_on(move || {
            let tasks: Vec<_> = (0..10_000u64)
                .map(|number| {
                    let file = Arc::clone(&file);
                    corun::spawn(move || file.write_all_at(&[number as u8], number).unwrap())
                })
                .collect();
            for task in tasks {
                task.join().unwrap();
            }
        });
        let content = fs::read(&path).unwrap();
        fs::remove_file(path).unwrap();
        assert!(
            content
                .iter()
                .enumerate()
                .all(|(at, &byte)| byte == at as u8)
        );
        assert_eq!(content.len(), 10_000);
    });
}
