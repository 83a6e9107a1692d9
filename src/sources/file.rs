//! A file: a regular file, a named pipe or a device.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt as _,
    },
    path::PathBuf,
    time::Duration,
};

use super::descriptor::{read_now, read_when_ready};
use crate::{
    pipeline::{Read, Source},
    shutdown::Shutdown,
};

/// A file, which is opened in its turn, so that many files need only one descriptor.
pub struct FileSource {
    path: PathBuf,
    shutdown: Shutdown,
    open: Option<Open>,
}

struct Open {
    file: File,
    /// For a regular file, which never blocks: what is needed to check at its end that it did not
    /// change.
    regular: Option<Extent>,
}

impl FileSource {
    /// The file at `path`; `shutdown` interrupts waits for a pipe or a device.
    pub fn new(path: PathBuf, shutdown: Shutdown) -> Self {
        Self { path, shutdown, open: None }
    }

    /// An open regular file that may change while it is read.
    pub fn of(file: File, shutdown: Shutdown) -> Self {
        let regular = Some(Extent::unknown());
        Self { path: PathBuf::new(), shutdown, open: Some(Open { file, regular }) }
    }
}

impl Source for FileSource {
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read> {
        let open = match &mut self.open {
            Some(open) => open,
            closed => {
                let file = File::open(&self.path)?;
                let regular = Extent::of(&file)?;
                closed.insert(Open { file, regular })
            }
        };
        match &mut open.regular {
            Some(extent) => extent.read(&open.file, buf),
            None => read_when_ready(&open.file, self.shutdown.wake(), buf, wait),
        }
    }
}

/// How many bytes at the beginning of a file, and before its end, are compared at the end.
const EDGE: usize = 64;

/// The size of a regular file, and how much was read.
pub(super) struct Extent {
    /// Its size when it was opened. It is 0 if sizes have no meaning (`/proc`).
    size: u64,
    read: u64,
    /// The first and the last bytes that were read.
    first: Vec<u8>,
    last: Vec<u8>,
    /// The offset of the first bytes, because standard input may begin anywhere in its file.
    from: u64,
    known: bool,
}

impl Extent {
    /// Returns the extent of an open file, or `None` if it is not a regular file.
    pub(super) fn of(file: impl AsFd) -> io::Result<Option<Self>> {
        let stat = rustix::fs::fstat(&file)?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            return Ok(None);
        }
        let from = rustix::fs::tell(&file)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        Ok(Some(Self { size, from, known: true, ..Self::unknown() }))
    }

    fn unknown() -> Self {
        Self { size: 0, read: 0, first: Vec::new(), last: Vec::new(), from: 0, known: false }
    }

    /// Reads more. At the end, what was read must be unchanged.
    pub(super) fn read(&mut self, file: impl AsFd, buf: &mut [u8]) -> io::Result<Read> {
        let read = read_now(&file, buf)?;
        match read {
            Read::Bytes(n) => self.note(&buf[..n]),
            Read::End if self.known => self.check(file.as_fd())?,
            _ => {}
        }
        Ok(read)
    }

    fn note(&mut self, data: &[u8]) {
        if self.first.len() < EDGE {
            let missing = EDGE - self.first.len();
            self.first.extend_from_slice(&data[..data.len().min(missing)]);
        }
        self.read += data.len() as u64;
        if data.len() < EDGE {
            self.last.extend_from_slice(data);
            let extra = self.last.len().saturating_sub(EDGE);
            self.last.drain(..extra);
        } else {
            self.last.clear();
            self.last.extend_from_slice(&data[data.len() - EDGE..]);
        }
    }

    /// # Errors
    /// The file was truncated or rewritten while it was read.
    fn check(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        // Files in /proc have size 0, whatever they contain.
        if self.size == 0 {
            return Ok(());
        }
        let end = self.from + self.read;
        let size = u64::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or_default();
        let whole = size >= self.size && size >= end;
        let file = File::from(file.try_clone_to_owned()?);
        let same = |wanted: &[u8], at: u64| {
            let mut there = vec![0; wanted.len()];
            file.read_exact_at(&mut there, at).is_ok_and(|()| there == wanted)
        };
        let before = self.last.len() as u64;
        if whole && same(&self.first, self.from) && same(&self.last, end.saturating_sub(before)) {
            return Ok(());
        }
        let what = match whole {
            true => "it was rewritten while it was read".into(),
            false => format!(
                "it was truncated while it was read, from {} to {size} bytes",
                self.size.max(end)
            ),
        };
        Err(io::Error::other(format!("{what}; {} bytes were read", self.read)))
    }
}
