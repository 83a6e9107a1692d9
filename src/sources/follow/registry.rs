//! What is known of the files: how far each was delivered. Shared by who reads them and by who is
//! told of deliveries.

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

/// So many files that are no more are remembered, for their copies and archives.
const REMEMBERED: usize = 1024;
/// So many files of earlier runs are, and so many that lie where nobody looks: they may come back.
const ELSEWHERE: usize = MOST_FILES;

/// The files of this run by their numbers, and those of earlier runs that were not met yet.
#[derive(Clone, Default)]
pub(super) struct Registry(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    store: Option<Store>,
    next: usize,
    files: BTreeMap<usize, Entry>,
    /// Of an earlier run, and not met in this one; the oldest first.
    earlier: BTreeMap<usize, Entry>,
    /// Files of this run that were let go, and are somewhere.
    elsewhere: BTreeSet<usize>,
    /// Copies and archives, and of which file each is one.
    copies: BTreeMap<usize, usize>,
}

impl Registry {
    /// With what `directory` has; without one nothing is kept.
    pub(super) fn open(directory: Option<&Path>) -> Result<Self, StoreError> {
        let mut known = Known::default();
        if let Some(directory) = directory {
            let (store, entries) = Store::open(directory)?;
            (known.store, known.earlier) = (Some(store), entries.into_iter().enumerate().collect());
        }
        Ok(Self(Arc::new(Mutex::new(known))))
    }

    /// A file that is met: its number. What is not acknowledged yet of its `former`, as whose copy
    /// or archive it is read on, is not acknowledged of it.
    pub(super) fn add(&self, mut entry: Entry, former: Option<usize>) -> usize {
        let mut known = self.known();
        let input = known.next;
        known.next += 1;
        if let Some((former, first)) = former.and_then(|f| Some((f, known.files.get(&f)?))) {
            entry.move_to(first.position());
            known.copies.insert(input, former);
        }
        known.files.insert(input, entry);
        input
    }

    /// What an earlier run knew of the file that is `node` and starts with `start`, wherever it is.
    pub(super) fn earlier(&self, node: Node, start: &[u8]) -> Option<Entry> {
        self.known().take_earlier(|entry| entry.node == node && entry.start.fits(start))
    }

    /// Files of earlier runs that were not at their end, and were not met.
    pub(super) fn missing(&self) -> Vec<Entry> {
        self.known().earlier.values().filter(|entry| !entry.ended).cloned().collect()
    }

    /// What an earlier run knew of a file that is met no more, and that `is_it`.
    pub(super) fn lost(&self, is_it: impl Fn(&Entry) -> bool) -> Option<Entry> {
        self.known().take_earlier(is_it)
    }

    /// How many lines are before `offset` of a file of this run, if it was delivered up to there.
    pub(super) fn lines_before(&self, input: usize, offset: u64) -> Option<u64> {
        let known = self.known();
        let entry = known.files.get(&input).filter(|entry| entry.offset == offset)?;
        Some(entry.lines)
    }

    /// A file was let go that is not removed: it may be met again.
    pub(super) fn is_elsewhere(&self, input: usize) {
        self.known().elsewhere.insert(input);
    }

    /// Nothing was read of the file, and it is not what it was taken for.
    pub(super) fn forget(&self, input: usize) {
        self.known().files.remove(&input);
    }

    /// The file's fingerprint grew.
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
        // Nothing is known of a file whose start was not seen: it is read from its beginning.
        // The newest last: what is read again finds it first.
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

    /// What is acknowledged of a file is acknowledged of its copies, of which there may be nothing
    /// more to read. One that was met again stands for itself.
    fn move_copies(&mut self) {
        let (files, elsewhere) = (&mut self.files, &mut self.elsewhere);
        self.copies.retain(|copy, former| {
            let Some(first) = files.get(former) else { return false };
            let (position, ended, node) = (first.position(), first.ended, first.node);
            let Some(copy) = files.get_mut(copy) else { return false };
            if copy.offset < position.offset {
                copy.move_to(position);
            }
            if ended && copy.node == node {
                files.remove(former);
                elsewhere.remove(former);
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
