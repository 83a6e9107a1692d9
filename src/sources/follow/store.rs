//! Checkpoints on disk: one file in a directory that one process owns.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::fingerprint::{Fingerprint, Node};
use crate::{
    pipeline::{KeyBlock, Position},
    sources::checksum::digest,
    temporary,
};

/// The version of the format. Since version 2, the files have a checksum, because a damaged
/// position would lose lines.
const VERSION: u64 = 2;
/// The previous version, which has no checksum and can still be read.
const UNCHECKED: u64 = 1;
const NAME: &str = "checkpoints.json";
const LOCK: &str = "lock";
/// The prefix of temporary files of older versions.
const UNFINISHED: &str = ".checkpoints.";

/// How far a file was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The path where it was first found, for people and to recognize copies. Bytes that are not
    /// UTF-8 are replaced.
    pub(super) path: String,
    #[serde(flatten)]
    pub(super) node: Node,
    pub(super) start: Fingerprint,
    pub(super) offset: u64,
    pub(super) lines: u64,
    /// Whether the offset is inside a line whose outcome is decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) inside_line: bool,
    /// The state of a container runtime's lines at the offset.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub(super) frame: u16,
    /// The state of a private key block that is open at the offset.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub(super) key_block: u16,
    /// Whether it no longer exists, or was read completely and will not grow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) ended: bool,
}

impl Entry {
    pub(super) fn position(&self) -> Position {
        let Self { offset, lines, inside_line, frame, .. } = *self;
        let key_block = KeyBlock::from_bits(self.key_block);
        Position { offset, lines, inside_line, frame, key_block }
    }

    pub(super) fn move_to(&mut self, position: Position) {
        let Position { offset, lines, inside_line, frame, key_block } = position;
        (self.offset, self.lines) = (offset, lines);
        (self.inside_line, self.frame) = (inside_line, frame);
        self.key_block = key_block.bits();
    }
}

fn is_nothing(frame: &u16) -> bool {
    *frame == 0
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    checksum: String,
    files: Vec<Entry>,
}

/// Only the version, because nothing else is known about a newer format.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An error of the file system.
    #[error("--data-dir {path}: {cause}")]
    Io {
        /// The directory or file.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// Another process uses it.
    #[error("--data-dir {0}: another Tamis process is using it; give each its own directory")]
    Locked(String),
    /// A newer version wrote it.
    #[error(
        "{path}: version {version} was written by a newer Tamis, but this one reads version \
         {VERSION}: start the newer one, or use another --data-dir to read all files from their \
         beginning"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        version: u64,
    },
    /// Its checksum does not match.
    #[error(
        "{0}: its checksum does not match, so it was damaged or edited, and a wrong position \
         would lose lines: restore the file, or remove it to read all files from their beginning"
    )]
    Altered(String),
    /// It cannot be parsed.
    #[error(
        "{path}:{line}:{column}: the checkpoints cannot be read: restore the file, or remove it \
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

/// A directory of checkpoints, which is locked as long as this exists.
pub(super) struct Store {
    directory: PathBuf,
    /// The locked file.
    lock: File,
}

impl Store {
    /// Opens `directory`, creates it if it does not exist, and reads the checkpoints.
    pub(super) fn open(directory: &Path) -> Result<(Self, Vec<Entry>), StoreError> {
        let io = |path: &Path, cause| StoreError::Io { path: path.display().to_string(), cause };
        fs::create_dir_all(directory).map_err(|error| io(directory, error))?;
        let lock = match locked(directory) {
            Ok(lock) => lock,
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked(directory.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(io(&directory.join(LOCK), error)),
        };
        remove_unfinished(directory);
        let path = directory.join(NAME);
        let entries = match fs::read(&path) {
            Ok(text) => parse(&path, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io(&path, error)),
        };
        Ok((Self { directory: directory.to_path_buf(), lock }, entries))
    }

    /// Recreates the directory and its lock if they were moved or removed, because another process
    /// could use what has their names now.
    fn keep_place(&mut self) -> io::Result<()> {
        let identity = |file: fs::Metadata| Node::of(&file);
        let named = fs::metadata(self.directory.join(LOCK)).ok().map(identity);
        if named.is_some() && named == self.lock.metadata().ok().map(identity) {
            return Ok(());
        }
        fs::create_dir_all(&self.directory)?;
        self.lock = locked(&self.directory).map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another Tamis process has taken it over"),
            TryLockError::Error(error) => error,
        })?;
        Ok(())
    }

    /// Replaces the checkpoints, completely or not at all.
    pub(super) fn save(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        self.keep_place()?;
        let files = serde_json::to_vec(&entries)?;
        let mut text = head(&digest(&files)).into_bytes();
        text.extend_from_slice(&files);
        text.push(b'}');
        let mut file = temporary::create(&self.directory, NAME, 0o600)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(self.directory.join(NAME)).map_err(|failed| failed.error)?;
        // Not every file system can sync a directory.
        let _ = File::open(&self.directory).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

fn locked(directory: &Path) -> Result<File, TryLockError> {
    let path = directory.join(LOCK);
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(TryLockError::Error)?;
    lock.try_lock()?;
    Ok(lock)
}

/// Returns what precedes the files.
fn head(checksum: &str) -> String {
    format!(r#"{{"version":{VERSION},"checksum":"{checksum}","files":"#)
}

/// Removes what a killed process was writing. The lock is held.
fn remove_unfinished(directory: &Path) {
    temporary::sweep(directory, |target| temporary::is_for(target, NAME));
    for file in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = file.file_name();
        let random = name.as_encoded_bytes().strip_prefix(UNFINISHED.as_bytes());
        if random
            .is_some_and(|random| random.len() == 6 && random.iter().all(u8::is_ascii_alphanumeric))
        {
            // If this fails, it only takes space.
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
    if !(UNCHECKED..=VERSION).contains(&version) {
        return Err(StoreError::Newer { path: path(), version });
    }
    let Document { checksum, files } = serde_json::from_slice(text).map_err(damaged)?;
    let checked = text.strip_prefix(head(&checksum).as_bytes());
    let checked = checked.and_then(|files| files.strip_suffix(b"}"));
    match checked {
        _ if version == UNCHECKED && checksum.is_empty() => Ok(files),
        Some(checked) if digest(checked) == checksum => Ok(files),
        _ => Err(StoreError::Altered(path())),
    }
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
            key_block: 7,
            ended: false,
        }
    }

    #[test]
    fn what_was_saved_is_read_and_says_nothing_of_the_text() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("a/b");
        let (mut store, entries) = Store::open(&directory).unwrap();
        assert!(entries.is_empty());
        store.save(vec![entry()]).unwrap();
        assert!(matches!(Store::open(&directory), Err(StoreError::Locked(_))));
        drop(store);
        // As a killed process leaves it.
        for left in [temporary::name(NAME), ".checkpoints.xY3z1Q".into()] {
            fs::write(directory.join(left), "{\"vers").unwrap();
        }
        fs::write(directory.join(".checkpoints.json.bak"), "somebody else's").unwrap();
        let (_store, entries) = Store::open(&directory).unwrap();
        assert_eq!(entries, [entry()]);
        let text = fs::read_to_string(directory.join(NAME)).unwrap();
        assert!(text.starts_with(r#"{"version":2,"#) && !text.contains("ada"), "{text}");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 3, "nothing temporary is left");
    }

    #[test]
    fn what_is_newer_or_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, r#"{"version":3,"files":{"x":1}}"#).unwrap();
        let error = Store::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("version 3 was written by a newer Tamis"), "{error}");
        fs::write(&path, "{\"version\":1,\n\"files\":[{}]}").unwrap();
        let error = Store::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("checkpoints.json:2:11: the checkpoints"), "{error}");
    }

    #[test]
    fn a_directory_that_is_taken_away_is_made_again_and_not_shared() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("data");
        let (mut store, _) = Store::open(&directory).unwrap();
        fs::rename(&directory, folder.path().join("old")).unwrap();
        store.save(vec![entry()]).unwrap();
        assert!(matches!(Store::open(&directory), Err(StoreError::Locked(_))));
        fs::remove_dir_all(&directory).unwrap();
        let (other, entries) = Store::open(&directory).unwrap();
        assert!(entries.is_empty());
        let error = store.save(vec![entry()]).unwrap_err().to_string();
        assert!(error.contains("another Tamis process has taken it over"), "{error}");
        drop(other);
        store.save(vec![entry()]).unwrap();
    }

    #[test]
    fn no_bit_flips_unseen_and_the_older_version_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        Store::open(folder.path()).unwrap().0.save(vec![entry(), entry()]).unwrap();
        let text = fs::read(&path).unwrap();
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&path, &flipped).is_err(), "{}", String::from_utf8_lossy(&flipped));
        }
        let error = parse(&path, &text[..text.len() - 1]).unwrap_err().to_string();
        assert!(error.contains("the checkpoints cannot be read"), "{error}");
        let altered = String::from_utf8(text).unwrap().replacen("27", "28", 1);
        let error = parse(&path, altered.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("checkpoints.json: its checksum does not match"), "{error}");
        let altered = altered.replacen("28", "27", 1).replacen("2", "1", 1);
        let error = parse(&path, altered.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("its checksum does not match"), "of no older version: {error}");
        let files = serde_json::to_string(&[entry()]).unwrap();
        let older = format!(r#"{{"version":1,"files":{files}}}"#);
        assert_eq!(parse(&path, older.as_bytes()).unwrap(), [entry()]);
    }
}
