//! The result for each record of a block.

use std::ops::Range;

use super::block::Header;
use crate::pipeline::{Output, Stays, Tally};

/// The outcome that a forwarded record is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Byte for byte.
    Clean,
    /// Something was redacted.
    Redacted,
    /// A text was wrapped in an event.
    Wrapped,
    /// It has no value.
    Tombstone,
}

/// The location of a value that is forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A range of [`Output::clean`].
    Clean(Range<usize>),
    /// A range of the block's chunk, if all lines of a value are unchanged.
    Chunk(Range<usize>),
    /// A range of the block's arena: unchanged and compressed.
    Kept(Range<usize>),
    /// A range of [`Judged::arena`].
    Arena(Range<usize>),
}

/// The number of forwarded lines of a record, by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u32; 4]);

/// The result for a value's lines.
#[derive(Debug, Clone)]
pub struct Lines {
    /// The forwarded lines, as one value.
    pub value: Option<Body>,
    /// Their number.
    pub counts: Counts,
    /// The others, in [`Output::rejects`]. Their line numbers begin with 1; a reject for all lines
    /// that would have been forwarded has the line 0.
    pub rejects: Range<usize>,
}

/// The result for a record.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is forwarded, with this value.
    Forwarded(How, Option<Body>),
    /// Its lines have results of their own.
    Lines(Lines),
    /// It is empty.
    Blank,
    /// It is a dead letter that is not replayed.
    Stays(Stays),
    /// It is rejected: an index into [`Output::rejects`].
    Rejected(usize),
}

impl Counts {
    /// The counts of a record with one event.
    pub fn of(how: How) -> Self {
        let mut counts = Self::default();
        counts.add(how);
        counts
    }

    /// Adds one.
    pub fn add(&mut self, how: How) {
        self.0[how as usize] += 1;
    }

    /// The lines, which took this route, are not forwarded after all: removes them from `tally`,
    /// and returns their number.
    pub fn withdraw(&self, tally: &mut Tally, route: u16) -> u64 {
        for how in [How::Clean, How::Redacted, How::Wrapped, How::Tombstone] {
            *how.count(tally) -= u64::from(self.0[how as usize]);
        }
        let all = self.0.iter().map(|count| u64::from(*count)).sum();
        if let Some(counts) = tally.of_route(route) {
            counts.forwarded -= all;
        }
        all
    }
}

impl How {
    /// Returns the counter of this outcome.
    pub fn count(self, tally: &mut Tally) -> &mut u64 {
        match self {
            Self::Clean => &mut tally.clean,
            Self::Redacted => &mut tally.redacted,
            Self::Wrapped => &mut tally.wrapped,
            Self::Tombstone => &mut tally.tombstones,
        }
    }
}

/// The result for a record's key.
#[derive(Debug, Clone)]
pub enum Key {
    /// It is unchanged, or there is none.
    Same,
    /// It is replaced by this range of [`Judged::arena`].
    Changed(Range<usize>),
    /// It must not be shown.
    Withheld,
}

/// The result for a record.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The result for its value.
    pub fate: Fate,
    /// The result for its key.
    pub key: Key,
    /// Its headers, a range of [`Judged::headers`]; `None`: they are unchanged.
    pub headers: Option<Range<usize>>,
    /// The value of its [header](super::HOP) where it is sent; `None`: the header is not added.
    pub hop: Option<u32>,
    /// The route that it took, an index into [`Output::routes`].
    pub route: u16,
}

/// The result of a worker for a block. It is reused from block to block.
#[derive(Default)]
pub struct Judged {
    /// Values, rejects and counts. The line of a reject is the index of the record in the block,
    /// except for [`Lines`].
    pub output: Output,
    /// One verdict for each record.
    pub verdicts: Vec<Verdict>,
    /// Keys and headers that changed.
    pub arena: Vec<u8>,
    /// The headers, with ranges of the arena.
    pub headers: Vec<Header>,
}

impl Judged {
    /// Forgets the last block, and keeps as much memory as usual blocks need.
    pub fn recycle(&mut self, usual: usize) {
        self.output.recycle(usual);
        if self.arena.capacity() > usual {
            self.arena = Vec::new();
        }
        self.clear();
    }

    /// Forgets the last block, and keeps the memory.
    pub fn clear(&mut self) {
        self.output.clear();
        self.verdicts.clear();
        self.arena.clear();
        self.headers.clear();
    }
}
