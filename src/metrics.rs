//! The metrics of a run, and their text format.
//!
//! All of them are atomic numbers, so updating them never blocks, and their memory does not grow
//! with the input.

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

/// The maximum number of unacknowledged chunks whose age is tracked.
const REMEMBERED: usize = 1 << 16;

/// The metrics of a pipeline.
#[derive(Default)]
pub struct Meters {
    /// The time to fill a chunk, including the wait for input.
    pub read: Histogram,
    /// The time to judge a chunk.
    pub judge: Histogram,
    /// The time to write the output of a chunk.
    pub deliver: Histogram,
    /// The time to make output durable, and to keep the positions.
    pub acknowledge: Histogram,
    /// The time from reading a chunk to its acknowledgement.
    pub age: Histogram,
    /// Nanoseconds that workers spent judging and delivering.
    busy: AtomicU64,
    /// The number of chunks, and of those in use.
    chunks: AtomicUsize,
    in_use: AtomicUsize,
    /// Lines that were written to `_other`.
    other: AtomicU64,
    flight: Mutex<Flight>,
}

/// Chunks that were read and are not acknowledged, in order.
#[derive(Default)]
struct Flight {
    since: VecDeque<(u64, Instant)>,
}

impl Meters {
    /// Adds the time that a worker was busy.
    pub fn worked(&self, time: Duration) {
        self.busy.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns the total time that workers were busy.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Relaxed))
    }

    /// Sets the number of chunks.
    pub fn has_chunks(&self, chunks: usize) {
        self.chunks.store(chunks, Relaxed);
    }

    /// Counts a chunk that was taken.
    pub fn took(&self) {
        self.in_use.fetch_add(1, Relaxed);
    }

    /// Counts a chunk that was returned.
    pub fn gave(&self) {
        self.in_use.fetch_sub(1, Relaxed);
    }

    /// Returns the number of chunks in use, and of all chunks.
    pub fn fill(&self) -> (usize, usize) {
        (self.in_use.load(Relaxed), self.chunks.load(Relaxed))
    }

    /// Counts lines that were written to `_other`, because the file that their fields name could
    /// not be written.
    pub fn sent_to_other(&self, lines: u64) {
        self.other.fetch_add(lines, Relaxed);
    }

    /// Returns how many lines were written to `_other`.
    pub fn other(&self) -> u64 {
        self.other.load(Relaxed)
    }

    /// Records that the chunk `seq` was read.
    pub fn began(&self, seq: u64) {
        let mut flight = self.flight();
        if flight.since.len() < REMEMBERED {
            flight.since.push_back((seq, Instant::now()));
        }
    }

    /// Records that all chunks up to `seq` are acknowledged.
    pub fn acknowledged(&self, seq: u64) {
        let mut flight = self.flight();
        while let Some(&(first, since)) = flight.since.front()
            && first <= seq
        {
            flight.since.pop_front();
            self.age.observe(since.elapsed());
        }
    }

    /// Returns the time since the oldest unacknowledged chunk was read.
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
