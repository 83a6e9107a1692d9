//! The memory formula, and how many batches a budget allows.
//!
//! ```text
//! ceiling = batches × batch + workers × engine + long × extra + fixed
//! batch   = chunk + output [+ rejects, with a dead letter]
//! chunk   = chunk_bytes + 64 KiB + margins
//! output  = 2ⁿ × chunk, at least max(growth × chunk, 11 × (chunk_bytes + 64 KiB));
//!           with a dead letter twice that maximum, for a line is forwarded or rejected, + 3 × chunk
//! rejects = 2 × (chunk_bytes + 64 KiB) / 2 × a reject + 2 × chunk (pointers)
//! extra   = what a batch and an engine need for a chunk with the longest event, beyond that
//! ```
//!
//! A text line grows when it is wrapped: at most 6 bytes for one (`\u0001`), and for a line of
//! one such byte and its line end, `{"message":"\u0001"}` and a line end: 21 bytes for two. `growth` is
//! more than 6 only where rules put placeholders in the place of short values.
//!
//! A batch with an event that is longer than a chunk is long. Only `long` of them are on their way at a
//! time: a further one waits, with its chunk, until one of them is delivered.

use super::{outcome::Reject, ports::MOST_WAITING};
use crate::engine::chunk::{HEAD, TAIL};

/// Beyond its target a chunk is filled in steps of this.
pub(super) const STEP: usize = 64 << 10;
/// What a chunk aims at.
const CHUNK_BYTES: usize = 256 << 10;
/// Text grows at most so much when it is escaped.
const ESCAPED: usize = 6;
/// So many workers have one long batch among them.
const WORKERS_FOR_LONG: usize = 4;
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
    pub fn usual(&self) -> usize {
        self.chunk_bytes + STEP + 1
    }

    /// The data that a chunk can hold at most: one with a long line.
    pub fn most(&self) -> usize {
        self.chunk_bytes.max(self.kept()).saturating_add(STEP + 1)
    }

    /// The memory of a chunk with room for `data`.
    pub fn memory(data: usize) -> usize {
        data + HEAD + TAIL
    }

    /// What a worker needs beside its engine to judge what is inside of lines, in a chunk of so much data:
    /// a line that is joined, the chunk that it is judged in, and what becomes of it; and of each line in a
    /// block where it is and what becomes of it.
    pub fn wrapped_bytes(&self, data: usize) -> u64 {
        let texts = (2 + 2 + self.growth.max(ESCAPED)) * Self::memory(data);
        let line = 256 + size_of::<Reject>();
        (texts + 2 * MOST_WAITING * line) as u64
    }

    /// A batch with so much data.
    pub fn batch_bytes(&self, data: usize, dead_letter: bool) -> u64 {
        let chunk = Self::memory(data);
        let rejects = self.usual() * size_of::<Reject>() + 2 * chunk;
        let rejects = if dead_letter { rejects as u64 } else { 0 };
        chunk as u64 + self.output_bytes(data, dead_letter) + rejects
    }

    /// What a chunk with so much data can become.
    pub fn output_bytes(&self, data: usize, dead_letter: bool) -> u64 {
        let chunk = Self::memory(data);
        let lines = (self.growth.max(ESCAPED) * chunk).max(WRAPPED * self.usual());
        // What is forwarded doubles from a chunk's size on; bodies double, and neither keeps more than two
        // chunks from another batch.
        let output = match dead_letter {
            true => 2 * lines + 3 * Self::memory(self.usual()).max(chunk),
            false => chunk * lines.div_ceil(chunk).next_power_of_two(),
        };
        output as u64
    }
}

/// What a budget is made for.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// Worker threads.
    pub workers: usize,
    /// A batch.
    pub batch_bytes: u64,
    /// What a worker needs for it.
    pub engine_bytes: u64,
    /// What a long batch, and the worker that judges it, need beyond that.
    pub long_bytes: u64,
    /// The program, its stacks, the compiled plan, and the buffers of sources and sinks.
    pub fixed_bytes: u64,
}

impl Demand {
    /// What lines need, where an engine needs so much for a chunk.
    pub fn of_lines(
        sizes: &Sizes,
        workers: usize,
        dead_letter: bool,
        fixed_bytes: u64,
        engine: impl Fn(usize) -> u64,
    ) -> Self {
        let (usual, most) = (sizes.usual(), sizes.most());
        let batch_bytes = sizes.batch_bytes(usual, dead_letter);
        let engine_bytes = engine(usual);
        // The engine's part has what is forwarded of a long event.
        let longer = (Sizes::memory(most) - Sizes::memory(usual)) as u64;
        let long = match dead_letter {
            true => sizes.batch_bytes(most, true) - batch_bytes,
            false => longer,
        };
        let judged = engine(most).saturating_sub(engine_bytes);
        Self { workers, batch_bytes, engine_bytes, long_bytes: long + judged, fixed_bytes }
    }

    fn ceiling(&self, batches: usize, long: usize) -> u64 {
        let batches = batches as u64 * self.batch_bytes + long as u64 * self.long_bytes;
        batches + self.workers as u64 * self.engine_bytes + self.fixed_bytes
    }
}

/// So many batches of such sizes, and the memory that they cannot exceed.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// The sizes.
    pub sizes: Sizes,
    /// The pool.
    pub batches: usize,
    /// How many of them may be long.
    pub long: usize,
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
        let workers = demand.workers;
        let most = if workers == 1 { 1 } else { 2 * workers };
        let long = workers.div_ceil(WORKERS_FOR_LONG);
        let Some(limit) = limit else { return Ok(Self::of(sizes, demand, (most, long))) };
        let minimum = demand.ceiling(workers, 1);
        if limit < minimum {
            return Err(TooSmall { minimum });
        }
        let long = (1..=long).rev().find(|long| demand.ceiling(most, *long) <= limit).unwrap_or(1);
        let fits = |batches: &usize| demand.ceiling(*batches, long) <= limit;
        let batches = (workers..=most).rev().find(fits).unwrap_or(workers);
        Ok(Self::of(sizes, demand, (batches, long)))
    }

    /// So many batches, of which so many may be long.
    pub fn of(sizes: Sizes, demand: Demand, (batches, long): (usize, usize)) -> Self {
        Self { sizes, batches, long, ceiling_bytes: demand.ceiling(batches, long) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(workers: usize) -> Demand {
        let engine = |data: usize| (1 << 20) + 10 * data as u64;
        Demand::of_lines(&Sizes::new(1 << 20), workers, false, 16 << 20, engine)
    }

    #[test]
    fn a_limit_is_kept_or_refused_with_the_minimum() {
        let (sizes, demand) = (Sizes::new(1 << 20), demand(2));
        let free = Budget::fit(sizes, demand, None).unwrap();
        assert_eq!(free.batches, 4);
        let TooSmall { minimum } = Budget::fit(sizes, demand, Some(1)).unwrap_err();
        let least = Budget::fit(sizes, demand, Some(minimum)).unwrap();
        assert_eq!((least.batches, least.ceiling_bytes), (2, minimum));
        assert!(Budget::fit(sizes, demand, Some(minimum - 1)).is_err());
        let middle = (minimum + free.ceiling_bytes) / 2;
        assert!(Budget::fit(sizes, demand, Some(middle)).unwrap().ceiling_bytes <= middle);
    }

    /// Long batches are given up first, then batches, and the longest event stays what it is.
    #[test]
    fn many_workers_share_a_few_long_batches() {
        let (sizes, demand) = (Sizes::new(1 << 20), demand(16));
        let free = Budget::fit(sizes, demand, None).unwrap();
        assert_eq!((free.batches, free.long), (32, 4));
        let less = Budget::fit(sizes, demand, Some(free.ceiling_bytes - 1)).unwrap();
        assert_eq!((less.batches, less.long), (32, 3));
        let TooSmall { minimum } = Budget::fit(sizes, demand, Some(1)).unwrap_err();
        let least = Budget::fit(sizes, demand, Some(minimum)).unwrap();
        assert_eq!((least.batches, least.long), (16, 1));
        assert_eq!(least.sizes.max_event_bytes, 1 << 20);
    }

    #[test]
    fn short_events_need_no_long_batches() {
        let sizes = Sizes::new(64 << 10);
        let demand = Demand::of_lines(&sizes, 2, false, 0, |data| data as u64);
        assert_eq!(demand.long_bytes, 0);
    }

    #[test]
    fn a_dead_letter_costs() {
        let sizes = Sizes::new(1 << 20);
        let usual = sizes.usual();
        assert!(sizes.batch_bytes(usual, true) > sizes.batch_bytes(usual, false));
    }
}
