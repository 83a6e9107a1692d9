//! What the verdicts of one worker reuse.

use regex_automata::hybrid::LazyStateID;

use super::Catalog;
use super::budget::Budget;
use super::pattern::Memory;
use crate::engine::path::words::{Name, Words};
use crate::engine::redact::pseudonym::Pseudonyms;

/// Reused from candidate to candidate.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) words: Words,
    /// The last name that something was assigned to, and what it says.
    pub(super) name: Vec<u8>,
    pub(super) judged: Name,
    pub(super) judged_for: u16,
    pub(super) normalised: Vec<u8>,
    /// By detector.
    pub(super) memory: Vec<Memory>,
    pub(super) fresh: Vec<LazyStateID>,
    /// Names the text under judgement, among all that this worker has judged.
    pub(crate) text: u64,
    /// What the event has cost so far.
    pub(crate) budget: Budget,
    /// What the event's findings become by rules with `hmac`.
    pub(crate) pseudonyms: Pseudonyms,
    /// The detector whose states do not fit the memory: see [`Search::full`](super::pattern::Search).
    pub(crate) full: Option<u16>,
}

impl Scratch {
    /// Forgets the last name: what an event costs does not depend on the one before.
    #[inline]
    pub(crate) fn forget_name(&mut self) {
        self.name.clear();
    }

    /// Forgets the states of `detector`.
    #[cold]
    pub(crate) fn forget(&mut self, catalog: &Catalog, detector: u16) {
        let detector = usize::from(detector);
        catalog.list[detector].pattern.forget(&mut self.memory[detector]);
    }
}
