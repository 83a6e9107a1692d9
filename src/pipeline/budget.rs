//! The memory formula, and how many batches a budget allows.
//!
//! ```text
//! ceiling = batches × batch + workers × engine + fixed
//! batch   = chunk + output [+ bodies + rejects, with a dead letter]
//! chunk   = max(chunk_bytes, max_event_bytes + 2) + 64 KiB + margins
//! output  = 2 × max(growth × chunk, 11 × (chunk_bytes + 64 KiB))
//! bodies  = output
//! rejects = 2 × (chunk_bytes + 64 KiB) / 2 × a reject + 2 × chunk (pointers)
//! ```
//!
//! A text line grows when it is wrapped: at most 6 bytes for one (`\u0001`), and for a line of
//! one such byte and its line end, `{"message":"\u0001"}` and a line end: 21 bytes for two. `growth` is
//! more than 6 only where rules put placeholders in the place of short values. The factor 2 is a
//! growing vector's slack.

use super::{outcome::Reject, ports::MOST_WAITING};
use crate::engine::chunk::{HEAD, TAIL};

/// Beyond its target a chunk is filled in steps of this.
pub(super) const STEP: usize = 64 << 10;
/// What a chunk aims at.
const CHUNK_BYTES: usize = 256 << 10;
/// Text grows at most so much when it is escaped.
const ESCAPED: usize = 6;
/// Shortest lines grow at most so much when they are wrapped, rounded up.
const WRAPPED: usize = 11;

/// How big the parts of a pipeline are.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// A chunk is handed on when it holds so much.
    pub chunk_bytes: usize,
    /// The longest line that is judged.
    pub max_event_bytes: usize,
    /// An event grows at most so much.
    pub growth: usize,
    /// How long a whole line may wait for others.
    pub hold: std::time::Duration,
}

impl Sizes {
    /// The shipped sizes for a limit on lines.
    pub fn new(max_event_bytes: usize) -> Self {
        // A third of the promise (10 ms): the rest is for the way through, on a busy machine too.
        let hold = std::time::Duration::from_millis(3);
        Self { chunk_bytes: CHUNK_BYTES, max_event_bytes, growth: ESCAPED, hold }
    }

    /// What is kept of a line over the limit: one byte more than the limit, and one more yet, for
    /// a kept `\r` must not pass as the line's end.
    pub(super) fn kept(&self) -> usize {
        self.max_event_bytes.saturating_add(2)
    }

    /// The data that a chunk holds as a rule, and the last line's end where that is missing.
    pub(super) fn usual(&self) -> usize {
        self.chunk_bytes + STEP + 1
    }

    /// The data that a chunk can hold at most: one with a long line.
    pub fn most(&self) -> usize {
        self.chunk_bytes.max(self.kept()).saturating_add(STEP + 1)
    }

    /// The memory of a chunk with room for `data`.
    pub(super) fn memory(data: usize) -> usize {
        data + HEAD + TAIL
    }

    /// What a worker needs beside its engine to judge what is inside of lines: texts as long as an
    /// event, joined and judged, and of each line in a block where it is and what becomes of it.
    pub fn wrapped_bytes(&self) -> u64 {
        let chunk = Self::memory(self.most());
        let texts = (2 + 4 * self.growth.max(ESCAPED) + 2) * chunk;
        let line = 256 + size_of::<Reject>();
        (texts + 2 * 2 * MOST_WAITING * line) as u64
    }

    fn batch_bytes(&self, dead_letter: bool) -> u64 {
        let chunk = Self::memory(self.most());
        let output = 2 * (self.growth.max(ESCAPED) * chunk).max(WRAPPED * self.usual());
        let kept = output + self.usual() * size_of::<Reject>() + 2 * chunk;
        (chunk + output + if dead_letter { kept } else { 0 }) as u64
    }
}

/// What a budget is made for.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// Worker threads.
    pub workers: usize,
    /// Whether rejects carry bodies.
    pub dead_letter: bool,
    /// One engine's scratch space.
    pub engine_bytes: u64,
    /// The program, its stacks, the compiled plan, and the buffers of sources and sinks.
    pub fixed_bytes: u64,
}

/// So many batches of such sizes, and the memory that they cannot exceed.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// The sizes.
    pub sizes: Sizes,
    /// The pool.
    pub batches: usize,
    /// The formula's result.
    pub ceiling_bytes: u64,
}

/// A budget that the smallest pipeline does not fit in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("needs at least {minimum} bytes")]
pub struct TooSmall {
    /// What would do.
    pub minimum: u64,
}

impl Budget {
    /// As many batches as help, or as `limit` allows.
    ///
    /// A worker that is alone needs one. Of several, each may have one that waits for its turn
    /// beside the one that it holds.
    pub fn fit(sizes: Sizes, demand: Demand, limit: Option<u64>) -> Result<Self, TooSmall> {
        let batch = sizes.batch_bytes(demand.dead_letter);
        let base = demand.workers as u64 * demand.engine_bytes + demand.fixed_bytes;
        let least = demand.workers;
        let most = if demand.workers == 1 { 1 } else { 2 * demand.workers };
        let minimum = base + least as u64 * batch;
        let batches = match limit {
            None => most,
            Some(limit) if limit < minimum => return Err(TooSmall { minimum }),
            Some(limit) => usize::try_from((limit - base) / batch).map_or(most, |n| n.min(most)),
        };
        Ok(Self::of(sizes, demand, batches))
    }

    /// So many batches.
    pub fn of(sizes: Sizes, demand: Demand, batches: usize) -> Self {
        let base = demand.workers as u64 * demand.engine_bytes + demand.fixed_bytes;
        let ceiling_bytes = base + batches as u64 * sizes.batch_bytes(demand.dead_letter);
        Self { sizes, batches, ceiling_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMAND: Demand =
        Demand { workers: 2, dead_letter: false, engine_bytes: 1 << 20, fixed_bytes: 16 << 20 };

    #[test]
    fn a_limit_is_kept_or_refused_with_the_minimum() {
        let sizes = Sizes::new(1 << 20);
        let free = Budget::fit(sizes, DEMAND, None).unwrap();
        assert_eq!(free.batches, 4);
        let TooSmall { minimum } = Budget::fit(sizes, DEMAND, Some(1)).unwrap_err();
        let least = Budget::fit(sizes, DEMAND, Some(minimum)).unwrap();
        assert_eq!((least.batches, least.ceiling_bytes), (2, minimum));
        assert!(Budget::fit(sizes, DEMAND, Some(minimum - 1)).is_err());
        let middle = (minimum + free.ceiling_bytes) / 2;
        assert!(Budget::fit(sizes, DEMAND, Some(middle)).unwrap().ceiling_bytes <= middle);
    }

    #[test]
    fn a_dead_letter_costs() {
        let sizes = Sizes::new(1 << 20);
        assert!(sizes.batch_bytes(true) > sizes.batch_bytes(false));
    }
}
