//! The unit of work of the pipeline.

use std::sync::Arc;

use super::{
    budget::Sizes,
    growing::{Caution, Reached},
    outcome::Output,
};
use crate::engine::{Chunk, KeyBlock};

/// The byte order mark of UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// A chunk, its position, and its result. Batches come from a fixed pool.
pub(super) struct Batch {
    /// Its number in the order of everything that is read.
    pub(super) seq: u64,
    /// The index of its input.
    pub(super) input: usize,
    /// Its input's name.
    pub(super) name: Arc<str>,
    /// The lines of its input that an earlier run delivered.
    pub(super) lines_before: u64,
    /// The private key that an earlier run left open in its input.
    pub(super) key_block_before: KeyBlock,
    /// Where reading continues, for inputs that grow.
    pub(super) reaches: Option<Reached>,
    /// Nothing was read for a while, so it is time to acknowledge.
    pub(super) idle: bool,
    /// The offset of its first line in the input.
    pub(super) offset: u64,
    /// The offset of the end of its last line in the input.
    pub(super) end: u64,
    /// The number of bytes of the input that it covers.
    pub(super) source_bytes: u64,
    /// If its only line was over the limit and was cut: the bytes of the line beyond those in the
    /// chunk, without the line end.
    pub(super) discarded: Option<u64>,
    /// How its lines are judged.
    pub(super) caution: Caution,
    /// It contains only the beginning of a line, because a stop came before the rest.
    pub(super) cut: bool,
    /// The input ends after this batch.
    pub(super) ends: Option<InputEnd>,
    /// The worker failed.
    pub(super) failed: bool,
    /// It contains more than the usual amount of data.
    pub(super) long: bool,
    /// The usual amount of data in a batch, in bytes.
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

    /// Grows to `most` bytes in one exact step. The memory formula would have to include the
    /// doubling of a vector otherwise.
    pub(super) fn grow(&mut self, most: usize) {
        let mut bigger = Chunk::with_capacity(most);
        bigger.extend(self.chunk.data());
        self.chunk = bigger;
    }

    /// Notes whether it is long. It must be complete.
    pub(super) fn measure(&mut self) {
        self.long = self.chunk.memory() > Sizes::memory(self.usual);
    }

    /// Forgets the data and the result, and frees the memory that only a long line needed.
    pub(super) fn forget(&mut self) {
        self.chunk = Chunk::with_capacity(self.usual);
        self.output = Output::default();
        self.measure();
    }

    /// Prepares for other data.
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
