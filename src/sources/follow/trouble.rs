//! What cannot be read: told once, and tried again when it changes.

use std::io;

use super::{Follow, MOST_FILES, tail::Packing};

impl Follow {
    /// A file that could not be read: told once, tried again when it changes.
    pub(super) fn fail(&mut self, input: usize, error: io::Error) {
        let Some(tail) = self.tails.get_mut(&input) else { return };
        let name = tail.name.clone();
        self.park(input);
        self.tell(&name, error);
    }

    /// Until the file changes.
    pub(super) fn park(&mut self, input: usize) {
        let Some(tail) = self.tails.get_mut(&input) else { return };
        tail.exhausted_at = tail.file.metadata().ok().map(|metadata| metadata.len());
        if let Packing::Packed(packed) = &mut tail.packing {
            *packed = None;
            self.unpacking = self.unpacking.filter(|open| *open != input);
        }
    }

    /// Tells a failure, if it was not told before.
    pub(super) fn tell(&mut self, name: &str, error: io::Error) {
        if self.told.len() >= MOST_FILES {
            self.told.clear();
        }
        if self.told.insert(name.to_owned()) {
            self.failures.push_back((name.to_owned(), error));
        }
    }
}
