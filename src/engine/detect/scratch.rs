//! What the verdicts of one worker reuse.

use regex_automata::hybrid::LazyStateID;

use super::budget::Budget;
use super::pool::Pool;
use crate::engine::memory;
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
    /// The states of all patterns.
    pub(crate) pool: Pool,
    pub(super) fresh: Vec<LazyStateID>,
    /// Names the text under judgement, among all that this worker has judged.
    pub(crate) text: u64,
    /// What the event has cost so far.
    pub(crate) budget: Budget,
    /// What the event's findings become by rules with `hmac`.
    pub(crate) pseudonyms: Pseudonyms,
}

impl Scratch {
    /// The bytes of memory that grow with an event.
    pub(crate) fn memory(&self) -> usize {
        let Self { words, name, normalised, fresh, pseudonyms, .. } = self;
        let lists = memory::of(name) + memory::of(normalised) + memory::of(fresh);
        lists + words.memory() + pseudonyms.memory()
    }

    /// Gives that memory back.
    #[cold]
    pub(crate) fn give_back(&mut self) {
        let Self { words, name, normalised, fresh, pseudonyms, .. } = self;
        (*words, *name, *normalised) = Default::default();
        (*fresh, *pseudonyms) = Default::default();
    }

    /// Forgets the last name: what an event costs does not depend on the one before.
    #[inline]
    pub(crate) fn forget_name(&mut self) {
        self.name.clear();
    }
}
