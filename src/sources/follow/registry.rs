//! What is known of the files: how far each was delivered. Shared by who reads them and by who is
//! told of deliveries.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    fingerprint::{Fingerprint, Node},
    store::{Entry, Store, StoreError},
};
use crate::pipeline::{Checkpoint, Delivered};

/// So many files that are no more are remembered, for their copies and archives.
const REMEMBERED: usize = 1024;

/// The files of this run by their numbers, and those of earlier runs that were not met yet.
#[derive(Clone, Default)]
pub(super) struct Registry(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    store: Option<Store>,
    next: usize,
    files: BTreeMap<usize, Entry>,
    /// Of an earlier run, and not met in this one.
    earlier: Vec<Entry>,
    /// Copies and archives, and of which file each is one.
    copies: BTreeMap<usize, usize>,
}

impl Registry {
    /// With what `directory` has; without one nothing is kept.
    pub(super) fn open(directory: Option<&Path>) -> Result<Self, StoreError> {
        let mut known = Known::default();
        if let Some(directory) = directory {
            let (store, entries) = Store::open(directory)?;
            (known.store, known.earlier) = (Some(store), entries);
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

    /// What an earlier run knew of the file that is `node` and starts with `start`.
    pub(super) fn earlier(&self, node: Node, start: &[u8]) -> Option<Entry> {
        let mut known = self.known();
        let fits = |entry: &Entry| entry.node == node && entry.start.fits(start);
        let at = known.earlier.iter().position(fits)?;
        Some(known.earlier.swap_remove(at))
    }

    /// Files of earlier runs that were not at their end, and were not met.
    pub(super) fn missing(&self) -> Vec<Entry> {
        self.known().earlier.iter().filter(|entry| !entry.ended).cloned().collect()
    }

    /// What an earlier run knew of a file that is met no more, and that `is_it`.
    pub(super) fn lost(&self, is_it: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let mut known = self.known();
        let at = known.earlier.iter().rposition(is_it)?;
        Some(known.earlier.swap_remove(at))
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
        let Some(store) = &known.store else { return Ok(()) };
        // Nothing is known of a file whose start was not seen: it is read from its beginning.
        let all = known.files.values().chain(&known.earlier);
        store.save(all.filter(|entry| entry.start.bytes > 0).cloned().collect())
    }
}

impl Known {
    /// What is acknowledged of a file is acknowledged of its copies, of which there may be nothing
    /// more to read.
    fn move_copies(&mut self) {
        let files = &mut self.files;
        self.copies.retain(|copy, former| {
            let Some((position, ended)) = files.get(former).map(|e| (e.position(), e.ended)) else {
                return false;
            };
            if let Some(copy) = files.get_mut(copy)
                && copy.offset < position.offset
            {
                copy.move_to(position);
            }
            !ended
        });
    }

    fn forget(&mut self) {
        let ended: Vec<_> =
            self.files.iter().filter(|(_, e)| e.ended).map(|(input, _)| *input).collect();
        for input in ended.iter().take(ended.len().saturating_sub(REMEMBERED)) {
            self.files.remove(input);
        }
        let surplus = self.earlier.len().saturating_sub(4 * REMEMBERED);
        self.earlier.drain(..surplus);
    }
}
