//! A log for runs that never end: it is added to, whole lines only, and rotated.
//!
//! | file | does |
//! | --- | --- |
//! | `files` | which line goes to which file, and which are open |
//! | `active` | one file: durable up to a boundary, remembered behind it; rotation |
//! | `template`, `fields` | names from what a line says, and nothing that leads elsewhere |
//! | `rotated` | the names of rotated files |
//! | `keeper` | rotated files: compressed, and the oldest removed |
//! | `opened` | a file before its first line: locked, no input, mended where an earlier run left half a line |
//! | `mark` | what this program is about to write to a file |
//! | `folder` | a folder that is held open |
//! | `terms` | what holds for every file |
//! | `faults` | where a test makes the file system fail |
//!
//! Nothing is taken back: what is in a file stays there, also when the run fails.

mod active;
mod faults;
mod fields;
mod files;
mod folder;
mod keeper;
mod mark;
mod opened;
mod rotated;
mod template;
mod terms;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use memchr::{memchr, memrchr};

pub use template::Template;
pub use terms::Fsync;

use super::patience::Patience;
use crate::{
    compression::Format, journal::Say, metrics::Meters, pipeline::Sink, shutdown::Shutdown,
};
use faults::Faults;
use files::Files;
use folder::Folder;
use keeper::{Keeper, Keeping};
use terms::{Clock, Terms};

/// How a log is written.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file's name.
    pub name: Template,
    /// A file is rotated before it grows beyond so many bytes.
    pub rotate_size: Option<u64>,
    /// A file is rotated when such a period ends.
    pub rotate_every: Option<Duration>,
    /// So many rotated files of each file stay.
    pub rotate_keep: Option<usize>,
    /// Rotated files are compressed.
    pub compress: Option<Format>,
    /// When what was written is made durable.
    pub fsync: Fsync,
    /// The longest line that is ever written: half of one may stand at a file's end.
    pub longest_line: u64,
    /// Files that are never written to, by device and inode: the inputs.
    pub avoid: Vec<(u64, u64)>,
    /// The symbolic link that the user named, where the name is that of the file it leads to.
    pub link: Option<PathBuf>,
}

impl Settings {
    /// A log at `name` that is never rotated.
    pub fn new(name: Template, longest_line: u64) -> Self {
        Self {
            name,
            rotate_size: None,
            rotate_every: None,
            rotate_keep: None,
            compress: None,
            fsync: Fsync::default(),
            longest_line,
            avoid: Vec::new(),
            link: None,
        }
    }

    /// What the sink holds in memory at most: the bytes that may have to be written again, and the
    /// lines at hand, sorted and joined; a growing vector's slack is in the factors.
    pub fn memory(&self) -> u64 {
        3 * files::REMEMBERED as u64 + 6 * self.longest_line + (1 << 20)
    }
}

/// A log for runs that never end.
pub struct LogSink {
    files: Arc<Mutex<Files>>,
    /// The beginning of a line whose rest is yet to be written.
    begun: Vec<u8>,
    /// How many bytes of the last write are in the file, or begin a line.
    taken: usize,
    /// Of the lines that ended in the last write, those that were taken.
    lines: Vec<bool>,
    ticker: Option<Ticker>,
}

impl LogSink {
    /// Opens the log. `say` hears what somebody must know at once: that the disk is full, that an
    /// fsync failed; `shutdown` ends a wait for room.
    ///
    /// # Errors
    /// The file cannot be opened, is no log of lines, or is written to by another run. Files by
    /// template are opened when their first line comes.
    pub fn open(
        settings: Settings,
        shutdown: Shutdown,
        say: Say,
        meters: Arc<Meters>,
    ) -> io::Result<Self> {
        let patience = Patience { shutdown, say };
        Self::with(settings, patience, meters, Arc::new(SystemTime::now), Faults::default())
    }

    fn with(
        settings: Settings,
        patience: Patience,
        meters: Arc<Meters>,
        clock: Clock,
        faults: Faults,
    ) -> io::Result<Self> {
        let path = settings.name.folder();
        if !settings.name.is_plain() {
            fs::create_dir_all(if path.as_os_str().is_empty() { Path::new(".") } else { path })?;
        }
        let folder = Folder::open(path, faults)?;
        let keeping = Keeping { compress: settings.compress, keep: settings.rotate_keep };
        let terms = Terms {
            fsync: settings.fsync,
            rotate_size: settings.rotate_size,
            rotate_every: settings.rotate_every,
            longest_line: settings.longest_line,
            avoid: settings.avoid,
            link: settings.link,
            by_field: settings.name.has_fields(),
            meters,
            clock,
            keeper: Keeper::start(keeping, patience.clone())?,
            patience,
        };
        let files = Arc::new(Mutex::new(Files::new(settings.name, folder, terms)?));
        let ticker = Some(Ticker::start(files.clone())?);
        Ok(Self { files, begun: Vec::new(), taken: 0, lines: Vec::new(), ticker })
    }

    /// Ends what runs beside it, and closes everything.
    fn close(&mut self) {
        self.ticker = None;
        lock(&self.files).close();
    }
}

impl Sink for LogSink {
    /// A line may come in pieces; it is written when it is whole.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.taken = 0;
        self.lines.clear();
        if !self.begun.is_empty() {
            let end = memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            self.begun.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            if self.begun.last() != Some(&b'\n') {
                return Ok(());
            }
            let written = lock(&self.files).write(&self.begun);
            self.lines.push(written.is_ok());
            written?;
            self.begun = Vec::new();
            self.taken = end;
        }
        let (lines, rest) = bytes.split_at(memrchr(b'\n', bytes).map_or(0, |at| at + 1));
        self.begun.extend_from_slice(rest);
        if lines.is_empty() {
            return Ok(());
        }
        let mut files = lock(&self.files);
        files.write(lines).inspect_err(|_| {
            self.taken += files.taken;
            self.lines.extend(files.taken_lines(lines));
        })
    }

    fn taken(&self) -> usize {
        self.taken
    }

    /// Where fields part the lines, what is written is no beginning of them.
    fn taken_lines(&self) -> Option<Vec<bool>> {
        lock(&self.files).terms.by_field.then(|| self.lines.clone())
    }

    fn sync(&mut self) -> io::Result<()> {
        lock(&self.files).sync()
    }

    fn finish(&mut self) -> io::Result<()> {
        let synced = lock(&self.files).sync();
        self.close();
        synced
    }

    /// Nothing is taken back: whole lines stay, and half of one was never written.
    fn abort(&mut self) {
        let _ = self.finish();
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        self.close();
    }
}

/// Does what is due when no line comes.
struct Ticker {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(files: Arc<Mutex<Files>>) -> io::Result<Self> {
        let (end, ends) = channel();
        let work = move || {
            loop {
                let rests = lock(&files).terms.rests();
                match ends.recv_timeout(rests) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return,
                }
                // The next write tells what failed.
                if lock(&files).tick().is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("log".into()).spawn(work)?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(files: &Mutex<Files>) -> MutexGuard<'_, Files> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}
