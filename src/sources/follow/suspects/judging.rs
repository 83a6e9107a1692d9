//! Notes about what is being judged, in a file that survives the end of the process.
//!
//! Written data survives the end of a process, but perhaps not of the machine. So nothing is
//! synced: a note costs one write, and its removal another.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use super::Note;
use crate::sources::checksum::{verified, with_checksum};

const NAME: &str = "judging";
/// The size of a note in the file.
const SLOT: usize = 512;

/// The notes of this process.
pub(super) struct Judging {
    file: File,
    /// Which slots of the file are in use.
    taken: Vec<bool>,
}

/// Returns what the previous process was judging when it ended.
pub(super) fn left(folder: &Path) -> Vec<Note> {
    notes(&fs::read(folder.join(NAME)).unwrap_or_default())
}

/// Parses the notes in such a file. Damaged ones are ignored.
pub(super) fn notes(text: &[u8]) -> Vec<Note> {
    text.split(|&byte| byte == b'\n').filter_map(|note| verified(note.trim_ascii())).collect()
}

impl Judging {
    /// Starts with the notes in `stay`, and forgets others that were [left](left).
    pub(super) fn begin(folder: &Path, stay: &[Note]) -> io::Result<Self> {
        let path = folder.join(NAME);
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        let mut this = Self { file, taken: Vec::new() };
        // The slots of the old notes are reused, so that this works on a full disk.
        let places: Vec<_> = stay.iter().map(|note| this.note(note)).collect();
        for (note, place) in stay.iter().zip(places) {
            // The number of ends is noted again when the lines are judged, and needs a slot then.
            if let Some(place) = place.filter(|_| !note.is_quarantined()) {
                this.taken[place] = false;
            }
        }
        this.file.set_len((this.taken.len() * SLOT) as u64)?;
        Ok(this)
    }

    /// Writes a note, and returns its slot. If this fails, there is no note, and nothing else is
    /// lost.
    pub(super) fn note(&mut self, note: &Note) -> Option<usize> {
        let mut text = with_checksum(note).ok()?;
        if text.len() >= SLOT {
            return None;
        }
        text.resize(SLOT, b' ');
        text[SLOT - 1] = b'\n';
        let place = self.taken.iter().position(|taken| !taken).unwrap_or_else(|| {
            self.taken.push(false);
            self.taken.len() - 1
        });
        self.taken[place] = true;
        let _ = self.file.write_all_at(&text, (place * SLOT) as u64);
        Some(place)
    }

    /// Removes a note, because the lines were judged.
    pub(super) fn over(&mut self, place: usize) {
        let _ = self.file.write_all_at(b"#", (place * SLOT) as u64);
        self.taken[place] = false;
    }
}
