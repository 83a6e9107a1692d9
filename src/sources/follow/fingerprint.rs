//! Identifies a file: device and inode, and a digest of its first bytes.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The maximum number of bytes in a fingerprint, which grows with its file.
pub(super) const MOST: usize = 1024;
/// The minimum number of bytes that identify a file, because many files begin alike.
pub(super) const MIN_BYTES: usize = 256;

/// Identifies a file in the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Node {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// The time of the last write, and the size. Renaming does not change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), seconds: metadata.mtime(), nanoseconds: metadata.mtime_nsec() }
    }
}

/// A digest (SHA-256, 128 bits of it) of a file's first bytes. It reveals nothing of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    pub(super) bytes: usize,
    pub(super) digest: String,
}

impl Fingerprint {
    /// Returns the fingerprint of a text that begins with `start`.
    pub(super) fn of(start: &[u8]) -> Self {
        let start = &start[..start.len().min(MOST)];
        let digest = Sha256::digest(start);
        let digest = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { bytes: start.len(), digest }
    }

    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        Ok(Self::of(&start(file)?))
    }

    /// Returns whether a text that begins with `start` can be the one of this fingerprint: it has
    /// at least as many bytes, and the same ones.
    pub(super) fn fits(&self, start: &[u8]) -> bool {
        start.get(..self.bytes).is_some_and(|start| Self::of(start).digest == self.digest)
    }

    /// Returns whether it is long enough to recognize a copy.
    pub(super) fn is_distinctive(&self) -> bool {
        self.bytes >= MIN_BYTES
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes == MOST
    }
}

/// Returns the first bytes of a file, as many as a fingerprint covers.
pub(super) fn start(file: &File) -> io::Result<Vec<u8>> {
    read_at(file, 0, MOST)
}

/// Returns `len` bytes at `offset`, or as many as there are.
pub(super) fn read_at(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let (mut bytes, mut filled) = (vec![0; len], 0);
    while filled < len {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_fits_what_grew_and_nothing_else() {
        let print = Fingerprint::of(b"one\n");
        assert_eq!(print.digest.len(), 32);
        assert!(print.fits(b"one\n") && print.fits(b"one\ntwo\n"));
        assert!(!print.fits(b"one") && !print.fits(b"two\none\n"));
        assert!(Fingerprint::default().bytes == 0);
        let long = Fingerprint::of(&[b'x'; 5000]);
        assert!(long.is_full() && long.fits(&[b'x'; 2000]) && !long.fits(&[b'x'; 1000]));
    }
}
