//! The reader: reads one input after another through the cutter, and flushes when idle.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    batch::{Batch, InputEnd},
    budget::Sizes,
    crew::Intake,
    cutter::Cutter,
    ledger::Ledger,
    ports::{Input, Observer, Read, Source},
};
use crate::shutdown::{Phase, Shutdown};

/// The reading side of a pipeline.
pub(super) struct Reader {
    sizes: Sizes,
    inputs: std::iter::Enumerate<std::vec::IntoIter<Input>>,
    /// The current input, and its index.
    current: Option<(usize, Input)>,
    observer: Arc<dyn Observer>,
    shutdown: Shutdown,
    ledger: Arc<Ledger>,
    cutter: Cutter,
    seq: u64,
}

/// Why a batch is handed on.
enum Filled {
    /// It is full, or its lines have waited long enough.
    Full,
    /// The input is over.
    End,
    /// The time for reading is over.
    Stopped,
}

impl Reader {
    pub(super) fn new(
        cutter: Cutter,
        inputs: Vec<Input>,
        observer: Arc<dyn Observer>,
        shutdown: Shutdown,
        ledger: Arc<Ledger>,
    ) -> Self {
        ledger.expect(inputs.len(), inputs.iter().filter(|input| input.finite).count());
        let (sizes, inputs) = (cutter.sizes(), inputs.into_iter().enumerate());
        Self { sizes, inputs, current: None, observer, shutdown, ledger, cutter, seq: 0 }
    }

    fn open_next(&mut self) -> Option<(usize, Input)> {
        if self.stopped() {
            return None;
        }
        self.cutter.start_input();
        self.inputs.next()
    }

    fn fill(&mut self, source: &mut dyn Source, batch: &mut Batch) -> io::Result<Filled> {
        let mut first_line: Option<Instant> = None;
        loop {
            if self.cutter.full(batch) {
                return Ok(Filled::Full);
            }
            let wait = match first_line {
                None if self.cutter.has_lines() => {
                    first_line = Some(Instant::now());
                    Some(self.sizes.hold)
                }
                None => None,
                Some(since) => match self.sizes.hold.checked_sub(since.elapsed()) {
                    Some(left) if !left.is_zero() => Some(left),
                    _ => return Ok(Filled::Full),
                },
            };
            let Some(wait) = self.bounded(wait) else { return Ok(Filled::Stopped) };
            match source.read(self.cutter.room(batch), wait)? {
                Read::Bytes(n) => self.cutter.commit(batch, n),
                Read::Idle => {}
                Read::End => return Ok(Filled::End),
            }
        }
    }

    /// Returns `wait`, limited by the drain deadline, or `None` if no time is left.
    fn bounded(&self, wait: Option<Duration>) -> Option<Option<Duration>> {
        match self.shutdown.phase() {
            Phase::Running => Some(wait),
            Phase::Draining { left } => Some(Some(wait.map_or(left, |wait| wait.min(left)))),
            Phase::Stopped { .. } | Phase::GivenUp => None,
        }
    }

    fn stopped(&self) -> bool {
        matches!(self.shutdown.phase(), Phase::Stopped { .. } | Phase::GivenUp)
    }
}

impl Intake<Batch> for Reader {
    /// If an input fails, the next ones are still read.
    fn read(&mut self, batch: &mut Batch) -> bool {
        loop {
            let Some((index, mut input)) = self.current.take().or_else(|| self.open_next()) else {
                return false;
            };
            batch.recycle();
            (batch.input, batch.name) = (index, input.name.as_str().into());
            self.cutter.begin(batch);
            self.ledger.hold(0);
            match self.fill(&mut *input.source, batch) {
                Ok(Filled::Full) => {
                    self.cutter.cut(batch);
                    self.ledger.hold(self.cutter.carries().into());
                    self.current = Some((index, input));
                }
                Ok(Filled::End) => {
                    self.cutter.finish(batch);
                    batch.ends = Some(InputEnd::Read);
                    self.ledger.input_over(input.finite);
                }
                // The input is not over, and the rest of the current line was not read.
                Ok(Filled::Stopped) if input.finite => self.cutter.abandon(batch),
                // That beginning of a line is judged by itself.
                Ok(Filled::Stopped)
                    if self.cutter.has_any_lines() && self.cutter.has_begun(batch) =>
                {
                    self.cutter.part(batch);
                    self.ledger.hold(1);
                    self.current = Some((index, input));
                }
                Ok(Filled::Stopped) => {
                    batch.cut = self.cutter.has_begun(batch);
                    self.cutter.finish(batch);
                    batch.ends = Some(InputEnd::Read);
                    self.ledger.input_over(input.finite);
                }
                Err(error) => {
                    // What was read before an error is valid.
                    self.cutter.finish(batch);
                    batch.ends = Some(InputEnd::Failed);
                    self.ledger.input_failed();
                    self.ledger.input_over(input.finite);
                    self.observer.input_failed(&input.name, &error);
                }
            }
            // The end of an input is reported even if there is no line left to report it with.
            if !batch.chunk.data().is_empty() || batch.ends.is_some() {
                batch.seq = self.seq;
                self.seq += 1;
                return true;
            }
        }
    }
}
