//! A file: a regular one, or a named pipe or device.

use std::{fs::File, io, path::PathBuf, time::Duration};

use super::descriptor::{read_now, read_when_ready};
use crate::{
    pipeline::{Read, Source},
    shutdown::Shutdown,
};

/// A file, opened when its turn comes, so that a long list needs one descriptor.
pub struct FileSource {
    path: PathBuf,
    shutdown: Shutdown,
    open: Option<Open>,
}

struct Open {
    file: File,
    /// A regular file never keeps anybody waiting.
    regular: bool,
}

impl FileSource {
    /// The file at `path`; `shutdown` interrupts waits for a pipe or a device.
    pub fn new(path: PathBuf, shutdown: Shutdown) -> Self {
        Self { path, shutdown, open: None }
    }

    /// A regular file that is open already.
    pub fn of(file: File, shutdown: Shutdown) -> Self {
        Self { path: PathBuf::new(), shutdown, open: Some(Open { file, regular: true }) }
    }
}

impl Source for FileSource {
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read> {
        let open = match &mut self.open {
            Some(open) => open,
            closed => {
                let file = File::open(&self.path)?;
                let regular = file.metadata()?.is_file();
                closed.insert(Open { file, regular })
            }
        };
        if open.regular {
            read_now(&open.file, buf)
        } else {
            read_when_ready(&open.file, self.shutdown.wake(), buf, wait)
        }
    }
}
