//! What became of each record of a block.

use std::ops::Range;

use super::block::Header;
use crate::pipeline::{Output, Stays, Tally};

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

/// Where a value is that is forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// This range of [`Output::clean`].
    Clean(Range<usize>),
    /// This one of the block's chunk, where all of a value's lines are as they came.
    Chunk(Range<usize>),
    /// This one of the block's arena: as it came, compressed.
    Kept(Range<usize>),
    /// This one of [`Judged::arena`].
    Arena(Range<usize>),
}

/// How many lines of a record are forwarded, by what they were counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u32; 4]);

/// What becomes of a value's lines.
#[derive(Debug, Clone)]
pub struct Lines {
    /// Those that are forwarded, in one value.
    pub value: Option<Body>,
    /// How many those are.
    pub counts: Counts,
    /// The others, of [`Output::rejects`]: their lines are counted from 1; one that stands for all that
    /// would have been forwarded has the line 0.
    pub rejects: Range<usize>,
}

/// What becomes of a record.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is forwarded, with this value.
    Forwarded(How, Option<Body>),
    /// Its lines are.
    Lines(Lines),
    /// It has nothing in it.
    Blank,
    /// It is a dead letter that is not replayed.
    Stays(Stays),
    /// As this one of [`Output::rejects`] says.
    Rejected(usize),
}

impl Counts {
    /// A record of one event.
    pub fn of(how: How) -> Self {
        let mut counts = Self::default();
        counts.add(how);
        counts
    }

    /// One more.
    pub fn add(&mut self, how: How) {
        self.0[how as usize] += 1;
    }

    /// They, which took this route, are not forwarded after all: takes them out of `tally`, and returns
    /// how many they are.
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
    /// Where it is counted.
    pub fn count(self, tally: &mut Tally) -> &mut u64 {
        match self {
            Self::Clean => &mut tally.clean,
            Self::Redacted => &mut tally.redacted,
            Self::Wrapped => &mut tally.wrapped,
            Self::Tombstone => &mut tally.tombstones,
        }
    }
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
    /// What its [header](super::HOP) says where it goes; `None`: none is added.
    pub hop: Option<u32>,
    /// The route that it took, of [`Output::routes`].
    pub route: u16,
}

/// What a worker made of a block. Reused from block to block.
#[derive(Default)]
pub struct Judged {
    /// Values, rejects and counts. A reject's line is the record's place in the block, but for
    /// [`Lines`].
    pub output: Output,
    /// A verdict for each record.
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

    /// Forgets the last block, keeps the memory.
    pub fn clear(&mut self) {
        self.output.clear();
        self.verdicts.clear();
        self.arena.clear();
        self.headers.clear();
    }
}
