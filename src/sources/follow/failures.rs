//! Files that cannot be read, which are reported once and retried when they change. And files for
//! which there are too few descriptors, which are read in turn.

use std::{fs::File, io, path::Path};

use rustix::io::Errno;

use super::{Follow, MOST_FILES, tail::Packing};

impl Follow {
    /// Handles a file that cannot be read: it is reported once, and retried when it changes.
    pub(super) fn fail(&mut self, input: usize, error: io::Error) {
        let Some(tail) = self.tails.get_mut(&input) else { return };
        let name = tail.name.clone();
        self.park(input);
        self.tell(&name, error);
    }

    /// Suspends a file until it changes.
    pub(super) fn park(&mut self, input: usize) {
        let Some(tail) = self.tails.get_mut(&input) else { return };
        tail.exhausted_at = tail.size().ok();
        if let Packing::Packed(packed) = &mut tail.packing {
            *packed = None;
            self.unpacking = self.unpacking.filter(|open| *open != input);
        }
    }

    /// Reports a failure, if it was not reported before.
    pub(super) fn tell(&mut self, name: &str, error: io::Error) {
        if self.told.len() >= MOST_FILES {
            self.told.clear();
        }
        if self.told.insert(name.to_owned()) {
            self.failures.push_back((name.to_owned(), error));
        }
    }

    /// Opens a file; if there is no descriptor left, another file is closed.
    pub(super) fn open_file(&mut self, path: &Path) -> io::Result<File> {
        loop {
            match File::open(path) {
                Err(error) if is_short(&error) && self.close_one(None) => {}
                opened => return opened,
            }
        }
    }

    /// Opens a followed file for its turn.
    pub(super) fn open_for_turn(&mut self, input: usize) -> io::Result<()> {
        self.turns += 1;
        let turn = self.turns;
        loop {
            let Some(tail) = self.tails.get_mut(&input) else { return Ok(()) };
            tail.used = turn;
            match tail.open() {
                Err(error) if is_short(&error) && self.close_one(Some(input)) => {}
                opened => {
                    self.spare(Some(input));
                    return opened;
                }
            }
        }
    }

    /// Closes files until the limit of open files is met.
    pub(super) fn spare(&mut self, but: Option<usize>) {
        let most = self.settings.most_open.max(1);
        // In the usual case, no count is needed.
        if self.tails.len() <= most {
            return;
        }
        let open = self.tails.values().filter(|tail| tail.file.is_some()).count();
        for _ in most..open {
            if !self.close_one(but) {
                return;
            }
        }
    }

    /// Closes the file whose turn was longest ago; files that were read to their end are closed
    /// first. Returns `false` if none can be closed.
    pub(super) fn close_one(&mut self, but: Option<usize>) -> bool {
        let busy = [but, self.current, self.unpacking];
        let closable = self
            .tails
            .iter_mut()
            .filter(|(input, tail)| tail.file.is_some() && !busy.contains(&Some(**input)));
        let oldest = closable.min_by_key(|(_, tail)| (tail.exhausted_at.is_none(), tail.used));
        let Some((_, tail)) = oldest else { return false };
        tail.file = None;
        if !std::mem::replace(&mut self.in_turn, true) {
            let open = self.tails.values().filter(|tail| tail.file.is_some()).count();
            self.settings.observer.few_descriptors(open);
        }
        true
    }
}

/// Returns whether there was no descriptor left.
fn is_short(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
