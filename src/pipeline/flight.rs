//! What is being judged, so that it is counted as read, and named where it takes long.

use std::{ops::Range, sync::Arc, time::Instant};

use super::{growing::Suspect, report::Stall};
use crate::engine::Chunk;

/// A batch that is being judged.
pub(super) struct Flight {
    /// The batch's.
    pub(super) seq: u64,
    /// Since when.
    pub(super) since: Instant,
    /// It is remembered that it takes long.
    pub(super) noted: bool,
    /// It is not judged yet: another one is, beside which it must not be.
    pub(super) waits: bool,
    /// The number of the note that it is being judged.
    pub(super) number: Option<usize>,
    load: Load,
}

/// Whether it is not more than one line.
fn is_one_line(text: &[u8]) -> bool {
    memchr::memchr(b'\n', text).is_none_or(|at| at + 1 == text.len())
}

/// What is in it.
pub(super) enum Load {
    /// Lines of an input, and where they are in it; `alone`: they belong together.
    Lines { chunk: Arc<Chunk>, number: usize, input: Arc<str>, bytes: Range<u64>, alone: bool },
    /// So many records, the first of which is of this topic.
    Records { count: u64, topic: Arc<str> },
}

impl Flight {
    pub(super) fn new(seq: u64, load: Load) -> Self {
        Self { seq, since: Instant::now(), noted: false, waits: false, number: None, load }
    }

    /// The lines, as they are remembered.
    pub(super) fn suspect(&self) -> Option<Suspect<'_>> {
        let Load::Lines { chunk, number, bytes: Range { start, end }, alone, .. } = &self.load
        else {
            return None;
        };
        let (input, from, to, text) = (*number, *start, *end, chunk.data());
        Some(Suspect { input, from, to, text, alone: *alone || is_one_line(text) })
    }

    /// How many lines or records it is. Lines are counted here, where somebody asks, and not for each
    /// batch: that would be one more pass over all that is read.
    pub(super) fn lines(&self) -> u64 {
        match &self.load {
            Load::Lines { chunk, .. } => memchr::memchr_iter(b'\n', chunk.data()).count() as u64,
            Load::Records { count, .. } => *count,
        }
    }

    /// What a run is held up by that waits for this.
    pub(super) fn stall(&self) -> Stall {
        match &self.load {
            Load::Lines { input, bytes, .. } => {
                Stall::Judging { input: input.clone(), bytes: Some(bytes.clone()) }
            }
            Load::Records { topic, .. } => Stall::Judging { input: topic.clone(), bytes: None },
        }
    }
}
