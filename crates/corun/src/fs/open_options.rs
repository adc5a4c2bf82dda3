//! How a file is opened.

use std::path::Path;
use std::{fs, io};

use super::File;
use crate::blocking::offload;

/// How to open a file: the counterpart of [`std::fs::OpenOptions`]. On Unix it has [`OpenOptionsExt`](std::os::unix::fs::OpenOptionsExt) of std.
///
/// ```
/// use std::io::Write;
///
/// let path = std::env::temp_dir().join(format!("corun-doc-options-{}", std::process::id()));
/// corun::fs::write(&path, "one ")?;
/// corun::fs::OpenOptions::new().append(true).open(&path)?.write_all(b"two")?;
/// assert_eq!(corun::fs::read_to_string(&path)?, "one two");
/// corun::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(fs::OpenOptions);

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, $name: bool) -> &mut OpenOptions {
            self.0.$name($name);
            self
        }
    )*};
}

impl OpenOptions {
    /// With everything off.
    #[allow(clippy::new_without_default, reason = "as std's")]
    pub fn new() -> OpenOptions {
        OpenOptions(fs::OpenOptions::new())
    }

    switches! {
        /// For reading.
        read
        /// For writing, from the beginning over what is there.
        write
        /// For writing at the end, wherever that is by then.
        append
        /// What is there is removed.
        truncate
        /// The file is made if there is none.
        create
        /// The file is made, and must not be there.
        create_new
    }

    /// Opens the file.
    ///
    /// # Errors
    /// Those of [`std::fs::OpenOptions::open`].
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        let path = path.as_ref();
        Ok(offload(|| self.0.open(path))?.into())
    }
}

#[cfg(unix)]
impl std::os::unix::fs::OpenOptionsExt for OpenOptions {
    fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.0.mode(mode);
        self
    }

    fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.0.custom_flags(flags);
        self
    }
}

impl From<fs::OpenOptions> for OpenOptions {
    fn from(options: fs::OpenOptions) -> OpenOptions {
        OpenOptions(options)
    }
}
