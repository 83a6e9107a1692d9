//! The reader: one input after another through the cutter, and the timer of the idle flush.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender},
    },
    time::{Duration, Instant},
};

use super::{
    batch::Batch,
    budget::Sizes,
    cutter::Cutter,
    delivery::Ledger,
    ports::{Input, Observer, Read, Source},
};
use crate::shutdown::{Phase, Shutdown};

/// The reader's side of a pipeline.
pub(super) struct Reader {
    sizes: Sizes,
    free: Receiver<Batch>,
    work: SyncSender<Batch>,
    shutdown: Shutdown,
    ledger: Arc<Ledger>,
    cutter: Cutter,
    /// A batch that the last input did not need.
    spare: Option<Batch>,
    seq: u64,
}

/// Why a batch was handed on.
enum Filled {
    /// It is full, or its lines have waited long enough.
    Full,
    /// The input, or the time to read it, is over.
    End,
}

/// The other threads are gone.
struct Gone;

impl Reader {
    pub(super) fn new(
        sizes: Sizes,
        free: Receiver<Batch>,
        work: SyncSender<Batch>,
        shutdown: Shutdown,
        ledger: Arc<Ledger>,
    ) -> Self {
        let cutter = Cutter::new(sizes);
        Self { sizes, free, work, shutdown, ledger, cutter, spare: None, seq: 0 }
    }

    /// Reads everything. An input that fails does not keep the next ones from being read.
    pub(super) fn run(mut self, inputs: Vec<Input>, observer: &dyn Observer) {
        for (index, Input { name, mut source }) in inputs.into_iter().enumerate() {
            if self.stopped() {
                return;
            }
            match self.read_input(index, &mut *source) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    self.ledger.input_failed();
                    observer.input_failed(&name, &error);
                }
                Err(Gone) => return,
            }
        }
    }

    fn read_input(
        &mut self,
        input: usize,
        source: &mut dyn Source,
    ) -> Result<io::Result<()>, Gone> {
        self.cutter.start_input();
        loop {
            let mut batch = self.next_batch(input)?;
            let filled = self.fill(source, &mut batch);
            match filled {
                Ok(Filled::Full) => self.cutter.cut(&mut batch),
                // What was read before an error is as good as any.
                Ok(Filled::End) | Err(_) => self.cutter.finish(&mut batch),
            }
            self.hand_on(batch)?;
            match filled {
                Ok(Filled::Full) => {}
                Ok(Filled::End) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// A free batch, which a slow sink makes us wait for.
    fn next_batch(&mut self, input: usize) -> Result<Batch, Gone> {
        let mut batch = match self.spare.take() {
            Some(batch) => batch,
            None => {
                self.ledger.hold(self.cutter.carries().into());
                let batch = self.free.recv().map_err(|_| Gone)?;
                self.ledger.hold(0);
                batch
            }
        };
        batch.recycle(&self.sizes);
        batch.input = input;
        self.cutter.begin(&mut batch);
        Ok(batch)
    }

    fn hand_on(&mut self, mut batch: Batch) -> Result<(), Gone> {
        if batch.chunk.data().is_empty() {
            self.spare = Some(batch);
            return Ok(());
        }
        batch.seq = self.seq;
        self.seq += 1;
        self.work.send(batch).map_err(|_| Gone)
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
            let Some(wait) = self.bounded(wait) else { return Ok(Filled::End) };
            match source.read(self.cutter.room(batch), wait)? {
                Read::Bytes(n) => self.cutter.commit(batch, n),
                Read::Idle => {}
                Read::End => return Ok(Filled::End),
            }
        }
    }

    /// `wait` within the drain deadline; `None` when there is no time left.
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
