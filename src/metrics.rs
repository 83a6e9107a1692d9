//! What a run measures of itself while it runs, and how measures are written.
//!
//! Everything here is an atomic number: whoever measures never waits, and nothing grows with the
//! input.

mod exposition;
mod histogram;

pub use exposition::{Family, Format, Kind, Sample, render};
pub use histogram::Histogram;

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// So many chunks are remembered that are not acknowledged; of more the ages are not known.
const REMEMBERED: usize = 1 << 16;

/// The measures of a pipeline.
#[derive(Default)]
pub struct Meters {
    /// To fill a chunk, the wait for input included.
    pub read: Histogram,
    /// To judge a chunk.
    pub judge: Histogram,
    /// To write what became of a chunk.
    pub deliver: Histogram,
    /// To make durable what was written, and to keep the positions.
    pub acknowledge: Histogram,
    /// From the read of a chunk to its acknowledgement.
    pub age: Histogram,
    /// Nanoseconds that workers judged and delivered.
    busy: AtomicU64,
    /// Chunks, and those that are in use.
    chunks: AtomicUsize,
    in_use: AtomicUsize,
    /// Lines that went to `_other`.
    other: AtomicU64,
    flight: Mutex<Flight>,
}

/// Chunks that were read and are not acknowledged, in order.
#[derive(Default)]
struct Flight {
    since: VecDeque<(u64, Instant)>,
}

impl Meters {
    /// A worker was busy for so long.
    pub fn worked(&self, time: Duration) {
        self.busy.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// How long workers were busy, all together.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Relaxed))
    }

    /// There are so many chunks.
    pub fn has_chunks(&self, chunks: usize) {
        self.chunks.store(chunks, Relaxed);
    }

    /// A chunk was taken.
    pub fn took(&self) {
        self.in_use.fetch_add(1, Relaxed);
    }

    /// A chunk was given back.
    pub fn gave(&self) {
        self.in_use.fetch_sub(1, Relaxed);
    }

    /// Chunks in use, and all.
    pub fn fill(&self) -> (usize, usize) {
        (self.in_use.load(Relaxed), self.chunks.load(Relaxed))
    }

    /// So many lines went to `_other`: the file that their fields name cannot be written to.
    pub fn sent_to_other(&self, lines: u64) {
        self.other.fetch_add(lines, Relaxed);
    }

    /// How many lines went to `_other` for that.
    pub fn other(&self) -> u64 {
        self.other.load(Relaxed)
    }

    /// The chunk `seq` was read.
    pub fn began(&self, seq: u64) {
        let mut flight = self.flight();
        if flight.since.len() < REMEMBERED {
            flight.since.push_back((seq, Instant::now()));
        }
    }

    /// All chunks up to `seq` are acknowledged.
    pub fn acknowledged(&self, seq: u64) {
        let mut flight = self.flight();
        while let Some(&(first, since)) = flight.since.front()
            && first <= seq
        {
            flight.since.pop_front();
            self.age.observe(since.elapsed());
        }
    }

    /// How long ago the oldest chunk was read that is not acknowledged.
    pub fn oldest(&self) -> Duration {
        self.flight().since.front().map_or(Duration::ZERO, |(_, since)| since.elapsed())
    }

    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acknowledged_is_old_no_more() {
        let meters = Meters::default();
        assert_eq!(meters.oldest(), Duration::ZERO);
        (0..5).for_each(|seq| meters.began(seq));
        meters.acknowledged(3);
        assert_eq!(meters.age.count(), 4);
        assert!(meters.oldest() > Duration::ZERO);
        meters.acknowledged(4);
        assert_eq!((meters.age.count(), meters.oldest()), (5, Duration::ZERO));
    }
}
