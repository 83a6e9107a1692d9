//! What became of each record of a block.

use std::ops::Range;

use super::block::Header;
use crate::engine::Output;

/// Of which outcome a record was counted that is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Byte for byte.
    Clean,
    /// Something was redacted.
    Redacted,
    /// A text in an event.
    Wrapped,
    /// It has no value.
    Tombstone,
}

/// What becomes of a record.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is forwarded, with this range of [`Output::clean`] as its value.
    Forwarded(How, Option<Range<usize>>),
    /// It has nothing in it.
    Blank,
    /// As this one of [`Output::rejects`] says.
    Rejected(usize),
}

/// What becomes of a record's key.
#[derive(Debug, Clone)]
pub enum Key {
    /// It stays, if there is one.
    Same,
    /// It is this range of [`Judged::arena`] now.
    Changed(Range<usize>),
    /// Nobody may see it.
    Withheld,
}

/// What became of a record.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Its value.
    pub fate: Fate,
    /// Its key.
    pub key: Key,
    /// Its headers, as these of [`Judged::headers`]; `None`: they stay as they are.
    pub headers: Option<Range<usize>>,
}

/// What a worker made of a block. Reused from block to block.
#[derive(Default)]
pub struct Judged {
    /// Values, rejects and counts. A reject's line is the record's place in the block.
    pub output: Output,
    /// A verdict for each record.
    pub verdicts: Vec<Verdict>,
    /// Keys and headers that changed.
    pub arena: Vec<u8>,
    /// The headers, with ranges of the arena.
    pub headers: Vec<Header>,
}

impl Judged {
    /// Forgets the last block, keeps the memory.
    pub fn clear(&mut self) {
        self.output.clear();
        self.verdicts.clear();
        self.arena.clear();
        self.headers.clear();
    }
}
