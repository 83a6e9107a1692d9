//! Files that are no longer followed, to recognize their copies.

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

/// The last files that were finished, the oldest first; at most [`MOST_FILES`].
#[derive(Default)]
pub(super) struct FinishedFiles(VecDeque<FinishedFile>);

impl FinishedFiles {
    pub(super) fn remember(&mut self, finished_file: FinishedFile) {
        if self.0.len() == MOST_FILES {
            self.0.pop_front();
        }
        self.0.push_back(finished_file);
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &FinishedFile> {
        self.0.iter()
    }
}

/// A file that is no longer followed, with what identifies its copies.
pub(super) struct FinishedFile {
    pub(super) input: usize,
    pub(super) node: Node,
    pub(super) first: PathBuf,
    pub(super) start: Fingerprint,
    pub(super) position: Position,
    /// The last bytes before the position.
    pub(super) edge: Vec<u8>,
}

impl FinishedFile {
    /// Returns whether `copy` contains what this file contained before its position.
    pub(super) fn is_like(&self, copy: &File, size: u64) -> io::Result<bool> {
        let offset = self.position.offset;
        Ok(size >= offset && edge(copy, offset, self.edge.len())? == self.edge)
    }
}

/// Returns the last `len` bytes before `offset`, or as many as there are.
pub(super) fn edge(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let from = offset.saturating_sub(len as u64);
    fingerprint::read_at(file, from, (offset - from) as usize)
}

/// Returns whether a file at `path` may be a copy of the one at `original`: rotation adds to a
/// name, before or after its extension.
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
