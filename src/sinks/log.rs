//! A log for long runs: complete lines are appended, and files are rotated.
//!
//! | file | does |
//! | --- | --- |
//! | `files` | which line goes to which file, and which files are open |
//! | `active` | one file: what is durable, what must be kept in memory, and rotation |
//! | `template`, `fields` | file names from the fields of lines, which cannot leave their folder |
//! | `rotated` | the names of rotated files |
//! | `retention` | compresses rotated files, and removes the oldest |
//! | `opened` | opens and locks a file, and completes or removes an incomplete line |
//! | `mark` | proves which incomplete line is this program's own |
//! | `folder` | a folder that is held open |
//! | `options` | the options of all files |
//! | `faults` | injects file system errors in tests |
//!
//! Nothing is taken back: written lines stay, even if the run fails.

mod active;
mod faults;
mod fields;
mod files;
mod folder;
mod mark;
mod opened;
mod options;
mod retention;
mod rotated;
mod template;
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

pub use options::Fsync;
pub use template::Template;

use super::retry::Retry;
use crate::{
    compression::Format, journal::Say, metrics::Meters, pipeline::Sink, shutdown::Shutdown,
};
use faults::Faults;
use files::Files;
use folder::Folder;
use options::{Clock, FileOptions};
use retention::{Retention, RetentionThread};

/// The settings of a log.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the file.
    pub name: Template,
    /// The size above which a file is rotated.
    pub rotate_size: Option<u64>,
    /// The period after which a file is rotated.
    pub rotate_every: Option<Duration>,
    /// How many rotated files of each file are kept.
    pub rotate_keep: Option<usize>,
    /// The compression of rotated files.
    pub compress: Option<Format>,
    /// When written lines are made durable.
    pub fsync: Fsync,
    /// The maximum length of a line, and so of an incomplete line at the end of a file.
    pub longest_line: u64,
    /// Files that must not be written, by device and inode: the inputs.
    pub avoid: Vec<(u64, u64)>,
    /// The symbolic link that the user named, if the name is that of its target.
    pub link: Option<PathBuf>,
}

impl Settings {
    /// Settings of a log at `name` without rotation.
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

    /// Returns the maximum memory: the bytes that may have to be written again, and the current
    /// lines, sorted and joined. The factors include the spare capacity of growing vectors.
    pub fn memory(&self) -> u64 {
        3 * files::REMEMBERED as u64 + 6 * self.longest_line + (1 << 20)
    }
}

/// A sink that appends to a log.
pub struct LogSink {
    files: Arc<Mutex<Files>>,
    /// The beginning of a line whose rest was not written yet.
    begun: Vec<u8>,
    /// How many bytes of the last write are in the file, or begin a line.
    taken: usize,
    /// For each line that ended in the last write, whether it was accepted.
    lines: Vec<bool>,
    ticker: Option<Ticker>,
}

impl LogSink {
    /// Opens the log. `say` reports events that must be known immediately, such as a full disk or a
    /// failed fsync; `shutdown` ends a wait for space.
    ///
    /// # Errors
    /// The file cannot be opened, is not a log of lines, or is written by another run. Files with a
    /// template name are opened when their first line comes.
    pub fn open(
        settings: Settings,
        shutdown: Shutdown,
        say: Say,
        meters: Arc<Meters>,
    ) -> io::Result<Self> {
        let retry = Retry { shutdown, say };
        Self::with(settings, retry, meters, Arc::new(SystemTime::now), Faults::default())
    }

    fn with(
        settings: Settings,
        retry: Retry,
        meters: Arc<Meters>,
        clock: Clock,
        faults: Faults,
    ) -> io::Result<Self> {
        let path = settings.name.folder();
        if !settings.name.is_plain() {
            fs::create_dir_all(if path.as_os_str().is_empty() { Path::new(".") } else { path })?;
        }
        let folder = Folder::open(path, faults)?;
        let retention = Retention { compress: settings.compress, keep: settings.rotate_keep };
        let options = FileOptions {
            fsync: settings.fsync,
            rotate_size: settings.rotate_size,
            rotate_every: settings.rotate_every,
            longest_line: settings.longest_line,
            avoid: settings.avoid,
            link: settings.link,
            by_field: settings.name.has_fields(),
            meters,
            clock,
            retention: RetentionThread::start(retention, retry.clone())?,
            retry,
        };
        let files = Arc::new(Mutex::new(Files::new(settings.name, folder, options)?));
        let ticker = Some(Ticker::start(files.clone())?);
        Ok(Self { files, begun: Vec::new(), taken: 0, lines: Vec::new(), ticker })
    }

    /// Stops the background threads, and closes all files.
    fn close(&mut self) {
        self.ticker = None;
        lock(&self.files).close();
    }
}

impl Sink for LogSink {
    /// A line may come in pieces, and is written when it is complete.
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

    /// If fields select the file, the accepted lines need not be the first ones.
    fn taken_lines(&self) -> Option<Vec<bool>> {
        lock(&self.files).options.by_field.then(|| self.lines.clone())
    }

    fn sync(&mut self) -> io::Result<()> {
        lock(&self.files).sync()
    }

    fn finish(&mut self) -> io::Result<()> {
        let synced = lock(&self.files).sync();
        self.close();
        synced
    }

    /// Nothing is taken back: complete lines stay, and an incomplete one was never written.
    fn abort(&mut self) {
        let _ = self.finish();
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        self.close();
    }
}

/// Does what is due while no lines come.
struct Ticker {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(files: Arc<Mutex<Files>>) -> io::Result<Self> {
        let (end, ends) = channel();
        let work = move || {
            loop {
                let rests = lock(&files).options.rests();
                match ends.recv_timeout(rests) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return,
                }
                // The next write returns the error.
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
