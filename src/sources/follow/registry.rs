//! How far each file was delivered. Shared by the source and the checkpoint.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    MOST_FILES,
    fingerprint::{Fingerprint, Node},
    store::{Entry, Store, StoreError},
};
use crate::pipeline::{Checkpoint, Delivered};

/// How many deleted files are remembered, for their copies and archives.
const REMEMBERED: usize = 1024;
/// How many files of earlier runs, or outside the listings, are remembered, because they may
/// return.
const ELSEWHERE: usize = MOST_FILES;

/// The files of this run by number, and the files of earlier runs that were not found yet.
#[derive(Clone, Default)]
pub(super) struct Registry(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    store: Option<Store>,
    next: usize,
    files: BTreeMap<usize, Entry>,
    /// Files of an earlier run that were not found in this one, the oldest first.
    earlier: BTreeMap<usize, Entry>,
    /// Files that this run stopped following, but that still exist.
    elsewhere: BTreeSet<usize>,
    /// Copies and archives, and the file of which each is one.
    copies: BTreeMap<usize, usize>,
}

impl Registry {
    /// Loads the state in `directory`. Without a directory, nothing is kept.
    pub(super) fn open(directory: Option<&Path>) -> Result<Self, StoreError> {
        let mut known = Known::default();
        if let Some(directory) = directory {
            let (store, entries) = Store::open(directory)?;
            (known.store, known.earlier) = (Some(store), entries.into_iter().enumerate().collect());
        }
        Ok(Self(Arc::new(Mutex::new(known))))
    }

    /// Adds a file, and returns its number. If it is read as a copy or an archive of
    /// `finished_file`, what is not acknowledged of that file is not acknowledged of it.
    pub(super) fn add(&self, mut entry: Entry, finished_file: Option<usize>) -> usize {
        let mut known = self.known();
        let input = known.next;
        known.next += 1;
        if let Some((finished_file, first)) =
            finished_file.and_then(|f| Some((f, known.files.get(&f)?)))
        {
            entry.move_to(first.position());
            known.copies.insert(input, finished_file);
        }
        known.files.insert(input, entry);
        input
    }

    /// Takes what an earlier run knew of the file `node` that begins with `start`, whatever its
    /// name is.
    pub(super) fn earlier(&self, node: Node, start: &[u8]) -> Option<Entry> {
        self.known().take_earlier(|entry| entry.node == node && entry.start.fits(start))
    }

    /// Returns files of earlier runs that were not read to their end, and were not found.
    pub(super) fn missing(&self) -> Vec<Entry> {
        self.known().earlier.values().filter(|entry| !entry.ended).cloned().collect()
    }

    /// Takes what an earlier run knew of a file that no longer exists and for which `is_it` returns
    /// true.
    pub(super) fn lost(&self, is_it: impl Fn(&Entry) -> bool) -> Option<Entry> {
        self.known().take_earlier(is_it)
    }

    /// Returns how many lines are before `offset` of a file of this run, if it was delivered up to
    /// there.
    pub(super) fn lines_before(&self, input: usize, offset: u64) -> Option<u64> {
        let known = self.known();
        let entry = known.files.get(&input).filter(|entry| entry.offset == offset)?;
        Some(entry.lines)
    }

    /// Records that a file is no longer followed but still exists, so that it may return.
    pub(super) fn is_elsewhere(&self, input: usize) {
        self.known().elsewhere.insert(input);
    }

    /// Forgets a file of which nothing was read.
    pub(super) fn forget(&self, input: usize) {
        self.known().files.remove(&input);
    }

    /// Stores the grown fingerprint of a file.
    pub(super) fn grew(&self, input: usize, start: &Fingerprint) {
        if let Some(entry) = self.known().files.get_mut(&input) {
            entry.start = start.clone();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkpoint for Registry {
    fn acknowledge(&mut self, delivered: &[Delivered]) -> io::Result<()> {
        let mut known = self.known();
        for delivered in delivered {
            let Some(entry) = known.files.get_mut(&delivered.input) else { continue };
            if let Some(position) = delivered.position {
                entry.move_to(position);
            }
            entry.ended |= delivered.ended;
        }
        known.move_copies();
        known.forget();
        if known.store.is_none() {
            return Ok(());
        }
        // A file whose beginning was not read is read from its beginning. The newest entries are
        // last, and are found first when they are read again.
        let all = known.earlier.values().chain(known.files.values());
        let all = all.filter(|entry| entry.start.bytes > 0).cloned().collect();
        known.store.as_mut().map_or(Ok(()), |store| store.save(all))
    }
}

impl Known {
    fn take_earlier(&mut self, is_it: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let (&at, _) = self.earlier.iter().rev().find(|(_, entry)| is_it(entry))?;
        self.earlier.remove(&at)
    }

    /// Acknowledges for copies what was acknowledged for their original, because there may be
    /// nothing more to read of them. A copy that has its own progress keeps it.
    fn move_copies(&mut self) {
        let (files, elsewhere) = (&mut self.files, &mut self.elsewhere);
        self.copies.retain(|copy, finished_file| {
            let Some(first) = files.get(finished_file) else { return false };
            let (position, ended, node) = (first.position(), first.ended, first.node);
            let Some(copy) = files.get_mut(copy) else { return false };
            if copy.offset < position.offset {
                copy.move_to(position);
            }
            if ended && copy.node == node {
                files.remove(finished_file);
                elsewhere.remove(finished_file);
            }
            !ended
        });
    }

    fn forget(&mut self) {
        let (elsewhere, gone): (Vec<_>, Vec<_>) = self
            .files
            .iter()
            .filter(|(_, entry)| entry.ended)
            .map(|(input, _)| *input)
            .partition(|input| self.elsewhere.contains(input));
        let surplus = |ended: &[usize], most: usize| ended.len().saturating_sub(most);
        let gone_surplus = surplus(&gone, REMEMBERED);
        let elsewhere_surplus = surplus(&elsewhere, ELSEWHERE);
        for input in gone.iter().take(gone_surplus).chain(elsewhere.iter().take(elsewhere_surplus))
        {
            self.files.remove(input);
            self.elsewhere.remove(input);
        }
        while self.earlier.len() > ELSEWHERE {
            self.earlier.pop_first();
        }
    }
}
