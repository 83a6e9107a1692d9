//! What is being judged, noted in a file so that the death of the process leaves it there.
//!
//! A process that dies leaves what it wrote; only a machine does not. So nothing is synced: a note costs one
//! write, and to take it back another.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use super::Note;
use crate::sources::checked::{checked, sealed};

const NAME: &str = "judging";
/// Each note has so many bytes in the file.
const SLOT: usize = 512;

/// The notes of this process.
pub(super) struct Judging {
    file: File,
    /// Which places of the file have a note.
    taken: Vec<bool>,
}

/// What the process before was judging when it died.
pub(super) fn left(folder: &Path) -> Vec<Note> {
    notes(&fs::read(folder.join(NAME)).unwrap_or_default())
}

/// The notes of such a file. What cannot be read is as good as none.
pub(super) fn notes(text: &[u8]) -> Vec<Note> {
    text.split(|&byte| byte == b'\n').filter_map(|note| checked(note.trim_ascii())).collect()
}

impl Judging {
    /// Begins with the notes that `stay`; what else was [left](left) is forgotten.
    pub(super) fn begin(folder: &Path, stay: &[Note]) -> io::Result<Self> {
        let path = folder.join(NAME);
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        let mut this = Self { file, taken: Vec::new() };
        // In the places of what was left: a disk that is full takes that.
        let places: Vec<_> = stay.iter().map(|note| this.note(note)).collect();
        for (note, place) in stay.iter().zip(places) {
            // Its deaths are noted with its lines when they are judged again; there must be room for that.
            if let Some(place) = place.filter(|_| !note.is_quarantined()) {
                this.taken[place] = false;
            }
        }
        this.file.set_len((this.taken.len() * SLOT) as u64)?;
        Ok(this)
    }

    /// Notes it, and returns its place. Where this fails there is no note, and nothing else is lost.
    pub(super) fn note(&mut self, note: &Note) -> Option<usize> {
        let mut text = sealed(note).ok()?;
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

    /// It is judged.
    pub(super) fn over(&mut self, place: usize) {
        let _ = self.file.write_all_at(b"#", (place * SLOT) as u64);
        self.taken[place] = false;
    }
}
