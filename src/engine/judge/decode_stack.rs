//! The decode stack: the texts that are decoded from each other, and the JSON in them.

use super::level::Level;
use super::nested::Nested;
use crate::engine::index::Simd;
use crate::engine::ruleset::Ruleset;

/// Decodings inside each other: escapes of JSON in a string of JSON, and so on, then other ones.
const LEVELS: usize = 6;
/// Those of them that other decoders than that of escapes may take. Further ones are for JSON inside
/// JSON, whose texts are shorter.
const TEXT_LEVELS: usize = 4;

/// Scratch space for everything that is decoded of one event.
pub(super) struct DecodeStack {
    pub(super) simd: Simd,
    levels: Vec<Level>,
    pub(super) nested: Nested,
    /// How many JSON values the text under judgement is in, not counting the event.
    pub(super) depth: usize,
}

impl DecodeStack {
    pub(super) fn new(simd: Simd, r: &Ruleset, max_depth: usize) -> Self {
        let levels = (0..LEVELS).map(|_| Level::default()).collect();
        Self { simd, levels, nested: Nested::new(r, max_depth), depth: 0 }
    }

    /// The bytes of memory that grow with an event.
    pub(super) fn memory(&self) -> usize {
        self.levels.iter().map(Level::memory).sum::<usize>() + self.nested.memory()
    }

    /// Gives that memory back.
    #[cold]
    pub(super) fn give_back(&mut self) {
        self.levels.fill_with(Level::default);
        self.nested.give_back();
    }

    /// The place of the text at `level`; `None`: there is none so deep.
    pub(super) fn level(&mut self, level: usize) -> Option<&mut Level> {
        self.levels.get_mut(level)
    }

    /// Takes the place of the text at `level`, emptied. [`put_back`](Self::put_back) returns it.
    pub(super) fn take(&mut self, level: usize) -> Option<Level> {
        let mut own = std::mem::take(self.levels.get_mut(level)?);
        own.open();
        Some(own)
    }

    pub(super) fn put_back(&mut self, level: usize, own: Level) {
        if let Some(place) = self.levels.get_mut(level) {
            *place = own;
        }
    }

    /// Whether a text may be decoded further, other than the escapes of a JSON string.
    #[inline]
    pub(super) fn has_room(&self, level: usize) -> bool {
        level < if self.depth > 1 { LEVELS } else { TEXT_LEVELS }
    }
}
