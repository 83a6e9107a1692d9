//! Batches that are being judged, so that they are counted as read, and named if that takes long.

use std::{ops::Range, sync::Arc, time::Instant};

use super::{growing::Suspect, report::Stall};
use crate::engine::Chunk;

/// A batch that is being judged.
pub(super) struct Flight {
    /// The number of the batch.
    pub(super) seq: u64,
    /// When judging began.
    pub(super) since: Instant,
    /// It was already noted that it takes long.
    pub(super) noted: bool,
    /// It is not being judged yet, because it must not be judged at the same time as another one.
    pub(super) waits: bool,
    /// The number of the note that it is being judged.
    pub(super) number: Option<usize>,
    load: Load,
}

/// Returns whether it is at most one line.
fn is_one_line(text: &[u8]) -> bool {
    memchr::memchr(b'\n', text).is_none_or(|at| at + 1 == text.len())
}

/// Its content.
pub(super) enum Load {
    /// Lines of an input, and their position; `alone`: they belong together.
    Lines { chunk: Arc<Chunk>, number: usize, input: Arc<str>, bytes: Range<u64>, alone: bool },
    /// The number of records, and the topic of the first one.
    Records { count: u64, topic: Arc<str> },
}

impl Flight {
    pub(super) fn new(seq: u64, load: Load) -> Self {
        Self { seq, since: Instant::now(), noted: false, waits: false, number: None, load }
    }

    /// Returns the lines, in the form in which they are remembered.
    pub(super) fn suspect(&self) -> Option<Suspect<'_>> {
        let Load::Lines { chunk, number, bytes: Range { start, end }, alone, .. } = &self.load
        else {
            return None;
        };
        let (input, from, to, text) = (*number, *start, *end, chunk.data());
        Some(Suspect { input, from, to, text, alone: *alone || is_one_line(text) })
    }

    /// Returns the number of lines or records. Lines are counted here, when somebody asks, because
    /// counting them for each batch would be another pass over all data.
    pub(super) fn lines(&self) -> u64 {
        match &self.load {
            Load::Lines { chunk, .. } => memchr::memchr_iter(b'\n', chunk.data()).count() as u64,
            Load::Records { count, .. } => *count,
        }
    }

    /// Returns the reason why a run that waits for this makes no progress.
    pub(super) fn stall(&self) -> Stall {
        match &self.load {
            Load::Lines { input, bytes, .. } => {
                Stall::Judging { input: input.clone(), bytes: Some(bytes.clone()) }
            }
            Load::Records { topic, .. } => Stall::Judging { input: topic.clone(), bytes: None },
        }
    }
}
