//! What travels through the pipeline.

use std::sync::Arc;

use super::{
    budget::Sizes,
    growing::{Caution, Reached},
    outcome::Output,
};
use crate::engine::{Chunk, KeyBlock};

/// The byte order mark of UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// A chunk, where it came from, and what became of it. One of a fixed pool.
pub(super) struct Batch {
    /// Its place in the order of everything read.
    pub(super) seq: u64,
    /// The index of its input.
    pub(super) input: usize,
    /// Its input's name.
    pub(super) name: Arc<str>,
    /// The lines of its input that an earlier run delivered.
    pub(super) lines_before: u64,
    /// The private key that an earlier run left open in its input.
    pub(super) key_block_before: KeyBlock,
    /// Where its input is read on from; of inputs that grow.
    pub(super) reaches: Option<Reached>,
    /// Nothing was read for a while: time to acknowledge.
    pub(super) idle: bool,
    /// Where its first line starts in the input.
    pub(super) offset: u64,
    /// Where its last line ends in the input.
    pub(super) end: u64,
    /// The bytes of the input that it stands for.
    pub(super) source_bytes: u64,
    /// The bytes that its only line had beyond what the chunk holds, where that line was over the
    /// limit and had to be cut. Its line end is not among them.
    pub(super) discarded: Option<u64>,
    /// How its lines are judged.
    pub(super) caution: Caution,
    /// It holds the beginning of a line alone: a stop came before the rest.
    pub(super) cut: bool,
    /// With it its input is over.
    pub(super) ends: Option<InputEnd>,
    /// The worker could not finish it.
    pub(super) failed: bool,
    /// It holds more than a batch usually does.
    pub(super) long: bool,
    /// The data that a batch usually holds.
    pub(super) usual: usize,
    pub(super) chunk: Chunk,
    pub(super) output: Output,
}

/// How an input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputEnd {
    Read,
    Failed,
}

impl Batch {
    pub(super) fn new(sizes: &Sizes) -> Self {
        Self {
            seq: 0,
            input: 0,
            name: "".into(),
            lines_before: 0,
            key_block_before: KeyBlock::default(),
            reaches: None,
            idle: false,
            offset: 0,
            end: 0,
            source_bytes: 0,
            discarded: None,
            caution: Caution::None,
            cut: false,
            ends: None,
            failed: false,
            long: false,
            usual: sizes.usual(),
            chunk: Chunk::with_capacity(sizes.usual()),
            output: Output::default(),
        }
    }

    /// Removes a byte order mark at its beginning.
    pub(super) fn skip_bom(&mut self) {
        if let Some(rest) = self.chunk.data().strip_prefix(BOM) {
            let rest = rest.to_vec();
            self.chunk.truncate(0);
            self.chunk.extend(&rest);
            self.offset += BOM.len() as u64;
            self.source_bytes += BOM.len() as u64;
        }
    }

    /// Makes room for `most` bytes: one exact step in place of a vector's doubling, which the memory
    /// formula would have to count.
    pub(super) fn grow(&mut self, most: usize) {
        let mut bigger = Chunk::with_capacity(most);
        bigger.extend(self.chunk.data());
        self.chunk = bigger;
    }

    /// Notes whether it is long. Nothing more comes.
    pub(super) fn measure(&mut self) {
        self.long = self.chunk.memory() > Sizes::memory(self.usual);
    }

    /// Forgets the data and what became of it. The memory that only a long line needed is given back.
    pub(super) fn forget(&mut self) {
        self.chunk = Chunk::with_capacity(self.usual);
        self.output = Output::default();
        self.measure();
    }

    /// Ready for other data.
    pub(super) fn recycle(&mut self) {
        if self.long || self.chunk.memory() > Sizes::memory(self.usual) {
            self.forget();
        }
        self.chunk.clear();
        self.output.recycle(self.usual);
        (self.source_bytes, self.discarded, self.ends, self.failed) = (0, None, None, false);
        (self.lines_before, self.reaches, self.idle) = (0, None, false);
        self.key_block_before = KeyBlock::default();
        (self.caution, self.cut) = (Caution::None, false);
    }
}
