//! Checkpoints on disk: one file in a directory that one process owns.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::fingerprint::{Fingerprint, Node};
use crate::pipeline::Position;

/// The format's version.
const VERSION: u64 = 1;
const NAME: &str = "checkpoints.json";
/// How the names begin of what is being written.
const UNFINISHED: &str = ".checkpoints.";

/// How far a file was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Where it was seen first, for people and for its copies; bytes that are no UTF-8 are replaced.
    pub(super) path: String,
    #[serde(flatten)]
    pub(super) node: Node,
    pub(super) start: Fingerprint,
    pub(super) offset: u64,
    pub(super) lines: u64,
    /// The offset is inside a line that is settled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) inside_line: bool,
    /// What is known of a container runtime's lines there.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub(super) frame: u16,
    /// It is not there any more, or was read once and for all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) ended: bool,
}

impl Entry {
    pub(super) fn position(&self) -> Position {
        let Self { offset, lines, inside_line, frame, .. } = *self;
        Position { offset, lines, inside_line, frame }
    }

    pub(super) fn move_to(&mut self, position: Position) {
        let Position { offset, lines, inside_line, frame } = position;
        (self.offset, self.lines) = (offset, lines);
        (self.inside_line, self.frame) = (inside_line, frame);
    }
}

fn is_nothing(frame: &u16) -> bool {
    *frame == 0
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u64,
    files: Vec<Entry>,
}

/// The version alone: of a newer format nothing else can be known.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system.
    #[error("--data-dir {path}: {cause}")]
    Io {
        /// The directory or file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// Somebody else has it.
    #[error("--data-dir {0}: another tamis is using it; give each its own")]
    Locked(String),
    /// A newer tamis wrote it.
    #[error(
        "{path}: version {version} is a newer tamis's, and this one reads version {VERSION}: \
         start that one, or another --data-dir to read all files from their beginning"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        version: u64,
    },
    /// It is damaged.
    #[error(
        "{path}:{line}:{column}: no checkpoints can be read here: restore the file, or remove it \
         to read all files from their beginning"
    )]
    Damaged {
        /// The file.
        path: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

/// A directory of checkpoints, locked as long as it lives.
pub(super) struct Store {
    directory: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl Store {
    /// Opens `directory`, made where it is missing, and reads what it has.
    pub(super) fn open(directory: &Path) -> Result<(Self, Vec<Entry>), StoreError> {
        let io = |path: &Path, cause| StoreError::Io { path: path.display().to_string(), cause };
        fs::create_dir_all(directory).map_err(|error| io(directory, error))?;
        let lock_path = directory.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(|error| io(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked(directory.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(io(&lock_path, error)),
        }
        remove_unfinished(directory);
        let path = directory.join(NAME);
        let entries = match fs::read(&path) {
            Ok(text) => parse(&path, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io(&path, error)),
        };
        Ok((Self { directory: directory.to_path_buf(), _lock: lock }, entries))
    }

    /// Replaces what is there, whole or not at all.
    pub(super) fn save(&self, entries: Vec<Entry>) -> io::Result<()> {
        let text = serde_json::to_vec(&Document { version: VERSION, files: entries })?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.directory)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(self.directory.join(NAME)).map_err(|failed| failed.error)?;
        // Not every file system can sync a directory.
        let _ = File::open(&self.directory).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

/// Removes what a killed process was writing; the lock is held.
fn remove_unfinished(directory: &Path) {
    for file in fs::read_dir(directory).into_iter().flatten().flatten() {
        if file.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            // It takes room, and does no other harm.
            let _ = fs::remove_file(file.path());
        }
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<Vec<Entry>, StoreError> {
    let path = || path.display().to_string();
    let damaged = |error: serde_json::Error| StoreError::Damaged {
        path: path(),
        line: error.line(),
        column: error.column(),
    };
    let Version { version } = serde_json::from_slice(text).map_err(damaged)?;
    match version {
        VERSION => {}
        _ => return Err(StoreError::Newer { path: path(), version }),
    }
    let document: Document = serde_json::from_slice(text).map_err(damaged)?;
    Ok(document.files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            path: "/var/log/app.log".into(),
            node: Node { device: 1, inode: 2 },
            start: Fingerprint::of(b"{\"mail\":\"ada@example.com\"}\n"),
            offset: 27,
            lines: 1,
            inside_line: false,
            frame: 2,
            ended: false,
        }
    }

    #[test]
    fn what_was_saved_is_read_and_says_nothing_of_the_text() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("a/b");
        let (store, entries) = Store::open(&directory).unwrap();
        assert!(entries.is_empty());
        store.save(vec![entry()]).unwrap();
        assert!(matches!(Store::open(&directory), Err(StoreError::Locked(_))));
        drop(store);
        // As a killed process leaves it.
        fs::write(directory.join(".checkpoints.x1"), "{\"vers").unwrap();
        let (_store, entries) = Store::open(&directory).unwrap();
        assert_eq!(entries, [entry()]);
        let text = fs::read_to_string(directory.join(NAME)).unwrap();
        assert!(text.starts_with(r#"{"version":1,"#) && !text.contains("ada"), "{text}");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2, "nothing temporary is left");
    }

    #[test]
    fn what_is_newer_or_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, r#"{"version":2,"files":{"x":1}}"#).unwrap();
        let error = Store::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("version 2 is a newer tamis's"), "{error}");
        fs::write(&path, "{\"version\":1,\n\"files\":[{}]}").unwrap();
        let error = Store::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("checkpoints.json:2:11: no checkpoints"), "{error}");
    }
}
