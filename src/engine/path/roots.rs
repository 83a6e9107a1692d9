//! Where paths begin: at the event, or, for JSON inside a string, at the string's own place, which
//! such JSON continues.

use super::table::Key;
use super::{LIMIT, NONE, PLAIN, Paths, ROOT};

/// The most roots that are kept beside the event's.
const MOST: usize = 256;

/// Where the next walk begins, and where others began.
#[derive(Default)]
pub(crate) struct Roots {
    pub(super) state: u32,
    pub(super) node: u32,
    /// The row that it begins with.
    pub(super) row: Vec<u64>,
    known: Vec<Root>,
}

#[derive(Clone, Copy)]
struct Root {
    state: u32,
    node: u32,
}

impl Roots {
    /// The state before the first key.
    #[inline(always)]
    pub(crate) fn state(&self) -> u32 {
        self.state
    }

    /// The node of the outermost object.
    #[inline(always)]
    pub(crate) fn node(&self) -> u32 {
        self.node
    }
}

impl Paths {
    /// The next walk begins at the row `row`.
    pub(crate) fn begin_at(&mut self, row: &[u64]) {
        if row.is_empty() || self.roots.row == row {
            return;
        }
        self.roots.row.clear();
        self.roots.row.extend_from_slice(row);
        let known = self.roots.known.iter();
        let found = known.copied().find(|r| self.row(r.node) == row);
        if let Some(Root { state, node }) = found {
            (self.roots.state, self.roots.node) = (state, node);
        } else if !self.add_root() {
            // Forgets everything, and adds it.
            self.reset();
        }
    }

    /// All roots are forgotten but the event's; where the walk begins is found again.
    pub(super) fn forget_roots(&mut self) {
        self.roots.known.clear();
        (self.roots.state, self.roots.node) = (ROOT, 0);
        if self.roots.row != self.rules.globs.start() {
            // There is room: nothing else is known.
            self.add_root();
        }
    }

    fn add_root(&mut self) -> bool {
        let (number, id) = (self.roots.known.len(), self.node_table.len() as u32 + 1);
        if number >= MOST || self.states.len() >= LIMIT || id as usize >= LIMIT {
            return false;
        }
        // It has no key: it takes a place in the table, of an owner that no key and no array has.
        self.node_table.insert(&Key::new(!((LIMIT + number) as u32), b""), id, 0);
        self.nodes[id as usize] = PLAIN;
        self.row.clear();
        self.row.extend_from_slice(&self.roots.row);
        self.keep_row(id);
        let state = self.states.len() as u32;
        let fresh = self.fresh(id);
        self.states.push(fresh);
        debug_assert_ne!(id, NONE);
        self.roots.known.push(Root { state, node: id });
        (self.roots.state, self.roots.node) = (state, id);
        true
    }
}
