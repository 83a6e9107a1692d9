//! Acknowledgements: which positions are delivered, and when they are acknowledged.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    batch::Batch,
    growing::{Checkpoint, Delivered, Position, Reached},
};

/// Delivered positions, and what stores them.
pub(super) struct Acknowledgements {
    checkpoint: Box<dyn Checkpoint>,
    every: Duration,
    last: Instant,
    /// The number of lines so far, of each input that is not over.
    lines: BTreeMap<usize, u64>,
    /// Delivered, and not acknowledged yet.
    pending: BTreeMap<usize, Delivered>,
}

impl Acknowledgements {
    pub(super) fn new(checkpoint: Box<dyn Checkpoint>, every: Duration) -> Self {
        let (lines, pending) = (BTreeMap::new(), BTreeMap::new());
        Self { checkpoint, every, last: Instant::now(), lines, pending }
    }

    /// The number of lines of `batch`'s input before it.
    pub(super) fn lines_before(&self, batch: &Batch) -> u64 {
        self.lines.get(&batch.input).copied().unwrap_or(batch.lines_before)
    }

    /// Notes that `batch` was written.
    pub(super) fn note(&mut self, batch: &Batch) {
        let lines = self.lines_before(batch) + batch.output.tally.read;
        let ended = batch.ends.is_some();
        if ended {
            self.lines.remove(&batch.input);
        } else {
            self.lines.insert(batch.input, lines);
        }
        let none = Delivered { input: batch.input, position: None, ended };
        let pending = self.pending.entry(batch.input).or_insert(none);
        pending.ended = ended;
        if let Some(Reached { offset, inside_line, frame, .. }) = batch.reaches {
            let key_block = batch.output.key_block;
            pending.position = Some(Position { offset, lines, inside_line, frame, key_block });
        }
    }

    /// Returns whether it is time to acknowledge; `idle`: there is nothing else to do.
    pub(super) fn due(&self, idle: bool) -> bool {
        !self.pending.is_empty() && (idle || self.last.elapsed() >= self.every)
    }

    /// Acknowledges the pending positions. Everything before them must be durable.
    pub(super) fn tell(&mut self) -> std::io::Result<()> {
        self.last = Instant::now();
        let delivered: Vec<_> = self.pending.values().copied().collect();
        self.checkpoint.acknowledge(&delivered)?;
        self.pending.clear();
        Ok(())
    }
}
