//! The reader of inputs that grow. Each turn belongs to one input, and takes whole lines of it.
//!
//! Data after an input's last line end stays in the input, and is read again when there is more of
//! it, so a thousand files need no buffers of their own.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use memchr::memchr;

use super::{
    batch::{Batch, InputEnd},
    budget::Sizes,
    crew::Intake,
    cutter::Cutter,
    growing::{Caution, Growing, Position, Reached, Ready, Turn},
    ledger::Ledger,
    ports::Observer,
};

/// The longest wait for something to read, so that a failed acknowledgement is retried.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How much is read at a time if a line is judged by itself.
const ALONE: usize = 4 << 10;

/// Reads inputs side by side through one cutter.
pub(super) struct Tails {
    sizes: Sizes,
    growing: Box<dyn Growing>,
    observer: Arc<dyn Observer>,
    ledger: Arc<Ledger>,
    cutter: Cutter,
    seq: u64,
    /// How long delivered data may wait for its acknowledgement.
    every: Duration,
    /// When the oldest unacknowledged data was delivered.
    owed: Option<Instant>,
}

impl Tails {
    pub(super) fn new(
        cutter: Cutter,
        growing: Box<dyn Growing>,
        every: Duration,
        observer: Arc<dyn Observer>,
        ledger: Arc<Ledger>,
    ) -> Self {
        let sizes = cutter.sizes();
        Self { sizes, growing, observer, ledger, cutter, seq: 0, every, owed: None }
    }

    /// Takes the turn of an input. Returns `false` if it has no whole line yet.
    fn fill(&mut self, ready: &Ready, batch: &mut Batch) -> bool {
        batch.input = ready.input;
        batch.name = ready.name.clone();
        batch.lines_before = ready.position.lines;
        batch.key_block_before = ready.position.key_block;
        let Position { offset, inside_line, frame, .. } = ready.position;
        let settles = offset + self.sizes.kept() as u64;
        let mut reached = Reached { offset, inside_line, frame, waits: false, settles };
        let taken = self.take(ready, batch, &mut reached);
        if let Err(error) = taken {
            self.failed(&ready.name, &error);
        }
        self.growing.end_turn(reached);
        batch.reaches = Some(reached);
        batch.source_bytes > 0
    }

    fn failed(&self, name: &str, error: &io::Error) {
        self.ledger.input_failed();
        self.observer.input_failed(name, error);
    }

    /// Reads until the batch is full or the input has no more data. What was read before an error
    /// is valid.
    fn take(&mut self, ready: &Ready, batch: &mut Batch, reached: &mut Reached) -> io::Result<()> {
        if reached.inside_line {
            // The bytes after the line end are read again, in the next turn.
            let passed = self.pass_over(batch, reached);
            batch.chunk.seal();
            return passed;
        }
        self.cutter.resume(&ready.position);
        self.cutter.begin(batch);
        let mut failed = Ok(());
        let alone = ready.caution != Caution::None;
        let exhausted = loop {
            if self.cutter.full(batch) || alone && self.cutter.has_lines() {
                break false;
            }
            let room = self.cutter.room(batch);
            let most = if alone { room.len().min(ALONE) } else { room.len() };
            match self.growing.read(&mut room[..most]) {
                Ok(0) => break true,
                Ok(n) => self.cutter.commit(batch, n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failed = Err(error);
                    break true;
                }
            }
        };
        batch.caution = ready.caution;
        if alone && self.cutter.has_lines() {
            self.cutter.cut_first(batch);
            *reached = self.cutter.reached(false);
            return failed;
        }
        // A line over the limit is settled before its end is read.
        let take_partial = ready.take_partial && failed.is_ok();
        let settled = exhausted && self.cutter.settled(batch, take_partial);
        let inside_line = settled && self.cutter.settle(batch);
        match exhausted && failed.is_ok() && ready.take_waiting {
            _ if settled => {}
            true => self.cutter.part(batch),
            false => self.cutter.cut(batch),
        }
        *reached = self.cutter.reached(inside_line);
        failed
    }

    /// Skips the rest of a settled line.
    fn pass_over(&mut self, batch: &mut Batch, reached: &mut Reached) -> io::Result<()> {
        for _ in 0..16 {
            let room = self.cutter.room(batch);
            let n = self.growing.read(room)?;
            let end = memchr(b'\n', &room[..n]);
            let passed = end.map_or(n, |at| at + 1) as u64;
            reached.offset += passed;
            batch.source_bytes += passed;
            reached.inside_line = end.is_none();
            if n == 0 || end.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Returns how long to wait for the next turn.
    fn wait(&self) -> Duration {
        self.owed.map_or(LONGEST_WAIT, |since| self.every.saturating_sub(since.elapsed()))
    }
}

impl Intake<Batch> for Tails {
    fn read(&mut self, batch: &mut Batch) -> bool {
        loop {
            batch.recycle();
            match self.growing.turn(self.wait()) {
                Turn::End => return false,
                Turn::Ready(ready) => {
                    if !self.fill(&ready, batch) {
                        continue;
                    }
                    self.owed.get_or_insert_with(Instant::now);
                }
                Turn::Failed { name, error } => {
                    self.failed(&name, &error);
                    continue;
                }
                Turn::Ended { input, truncated } => {
                    if truncated {
                        self.ledger.input_truncated();
                    }
                    (batch.input, batch.ends) = (input, Some(InputEnd::Read));
                    batch.chunk.seal();
                    self.owed.get_or_insert_with(Instant::now);
                }
                Turn::Idle => {
                    let owes = self.owed.is_some() || self.ledger.owes();
                    if !owes || self.owed.is_some() && !self.wait().is_zero() {
                        continue;
                    }
                    batch.idle = true;
                    batch.chunk.seal();
                    self.owed = None;
                }
            }
            batch.seq = self.seq;
            self.seq += 1;
            return true;
        }
    }
}
