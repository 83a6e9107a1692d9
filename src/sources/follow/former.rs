//! Files that are no longer followed, and how their copies are recognised.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    MOST_FILES,
    fingerprint::{self, Fingerprint, Node},
};
use crate::pipeline::Position;

/// The last files that are no longer followed, the oldest first; at most [`MOST_FILES`].
#[derive(Default)]
pub(super) struct Formers(VecDeque<Former>);

impl Formers {
    pub(super) fn remember(&mut self, former: Former) {
        if self.0.len() == MOST_FILES {
            self.0.pop_front();
        }
        self.0.push_back(former);
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Former> {
        self.0.iter()
    }
}

/// A file that is no longer followed: what its copies are recognised by.
pub(super) struct Former {
    pub(super) input: usize,
    pub(super) node: Node,
    pub(super) first: PathBuf,
    pub(super) start: Fingerprint,
    pub(super) position: Position,
    /// The last bytes before the position.
    pub(super) edge: Vec<u8>,
}

impl Former {
    /// Whether `copy` says what this file said before its position.
    pub(super) fn is_like(&self, copy: &File, size: u64) -> io::Result<bool> {
        let offset = self.position.offset;
        Ok(size >= offset && edge(copy, offset, self.edge.len())? == self.edge)
    }
}

/// The last `len` bytes before `offset`, or as many as there are.
pub(super) fn edge(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let from = offset.saturating_sub(len as u64);
    fingerprint::read_at(file, from, (offset - from) as usize)
}

/// Whether a file at `path` may be a copy of the one at `original`: rotation adds to a name,
/// before its extension or behind it.
pub(super) fn is_named_after(path: &Path, original: &Path) -> bool {
    let (Some(name), Some(stem)) = (path.file_name(), original.file_stem()) else { return false };
    name.len() > original.file_name().map_or(0, |name| name.len())
        && name.as_encoded_bytes().starts_with(stem.as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_are_named_after_the_first() {
        let original = Path::new("/var/log/app.log");
        for name in ["app.log.1", "app.log.1.gz", "app-20261128.log", "app.2026-11-28.0.log.zst"] {
            assert!(is_named_after(&Path::new("/var/log").join(name), original), "{name}");
        }
        for name in ["app.log", "web.log", "web-app.log"] {
            assert!(!is_named_after(&Path::new("/var/log").join(name), original), "{name}");
        }
    }
}
