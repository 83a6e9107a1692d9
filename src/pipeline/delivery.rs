//! Delivery: clean events go to the sink, the rest to the dead letter, and all counts to the
//! ledger.

use std::{collections::BTreeMap, io, mem::take, sync::Arc, time::Instant};

use super::{
    acknowledge::Acknowledgements,
    batch::{Batch, InputEnd},
    crew::Deliver,
    growing::Caution,
    ledger::Ledger,
    outcome::{Reject, Tally},
    ports::{Letter, Observer, Outlets, Place},
    reason::EngineReason,
    report::{End, Failure, Report},
    taken::Taken,
};
use crate::{engine::KeyBlock, metrics::Meters, seal::Seal, shutdown::Shutdown};

/// The size of the pieces that a sink gets, so that a slow one shows progress.
const PIECE: usize = 64 << 10;

/// Delivers batches. Only one thread at a time calls it.
pub(super) struct Delivery {
    outlets: Outlets,
    /// For inputs that grow.
    acknowledgements: Option<Acknowledgements>,
    observer: Arc<dyn Observer>,
    shutdown: Shutdown,
    ledger: Arc<Ledger>,
    meters: Arc<Meters>,
    /// The last batch that was delivered.
    last: Option<u64>,
    /// The counts of the current input so far.
    input: Tally,
    /// The number of lines of the input that was delivered last.
    lines: u64,
    /// The private key that is open at the end of each input that is not over.
    key_blocks: BTreeMap<usize, KeyBlock>,
    /// How much of a batch's output was taken before the sink failed.
    taken: Option<Taken>,
    end: End,
}

impl Deliver<Batch> for Delivery {
    fn continues(&mut self, batch: &mut Batch) -> bool {
        let before = self.key_blocks.get(&batch.input).copied();
        let before = before.unwrap_or(batch.key_block_before);
        if !before.is_open() {
            return false;
        }
        let empty = batch.chunk.data().is_empty();
        let judged = !batch.failed && !empty && batch.caution != Caution::Quarantined;
        match judged {
            true => batch.chunk.continue_key_block(before),
            false => batch.output.key_block = before,
        }
        judged
    }

    /// Delivers the next batch in order. After a failure, batches pass through without being
    /// counted as settled: the ledger reports the difference as unwritten.
    fn deliver(&mut self, batch: &mut Batch) {
        if !matches!(self.end, End::Complete) {
            return;
        }
        match self.write(batch) {
            Ok(()) => self.settle(batch),
            Err(end) => return self.fail(end),
        }
        self.last = Some(batch.seq);
        if self.acknowledgements.is_none() {
            // Without acknowledgements, a successful write is all that is known.
            self.meters.acknowledged(batch.seq);
        }
        if self.acknowledgements.as_ref().is_some_and(|acks| acks.due(batch.idle))
            && let Err(end) = self.acknowledge()
        {
            self.fail(end);
        }
    }

    fn taken(&mut self) -> Option<Taken> {
        self.taken.take()
    }

    fn deliver_part(&mut self, batch: &mut Batch) {
        if batch.output.tally.read > 0 {
            // The run has already failed. What is not kept is not settled.
            let _ = self.reject_or_leave(batch);
            self.input += &batch.output.tally;
            self.lines = self.input.read;
            self.settle(batch);
        }
    }

    fn give_up(&mut self) {
        // It was abandoned meanwhile, so its result does not count.
        self.end = End::Stuck;
        if let Some(letters) = &mut self.outlets.dead_letter {
            // The run has already failed, and this error adds nothing to it.
            let _ = letters.finish();
        }
        self.outlets.sink.abort();
    }
}

impl Delivery {
    pub(super) fn new(
        outlets: Outlets,
        acknowledgements: Option<Acknowledgements>,
        observer: Arc<dyn Observer>,
        shutdown: Shutdown,
        ledger: Arc<Ledger>,
        meters: Arc<Meters>,
    ) -> Self {
        Self {
            outlets,
            acknowledgements,
            observer,
            shutdown,
            ledger,
            meters,
            last: None,
            input: Tally::default(),
            lines: 0,
            key_blocks: BTreeMap::new(),
            taken: None,
            end: End::Complete,
        }
    }

    /// Counts the lines of a batch as settled.
    fn settle(&self, batch: &Batch) {
        let output = &batch.output;
        self.ledger.settle(&output.tally, batch.source_bytes, &output.routes);
        if output.tally.read > 0 {
            self.ledger.reached(&batch.name, self.lines, batch.end);
        }
    }

    fn fail(&mut self, end: End) {
        self.end = end;
        self.shutdown.stop();
    }

    /// Makes everything written durable before positions advance.
    fn acknowledge(&mut self) -> Result<(), End> {
        let Some(acks) = &mut self.acknowledgements else { return Ok(()) };
        let begun = Instant::now();
        if let Some(letters) = &mut self.outlets.dead_letter {
            letters.sync().map_err(dead_letter_end)?;
        }
        self.outlets.sink.sync().map_err(sink_end)?;
        let (owed, told) = (self.ledger.owes(), acks.tell());
        self.ledger.owe(told.is_err());
        if told.is_ok() {
            self.last.into_iter().for_each(|last| self.meters.acknowledged(last));
        }
        match told {
            Err(error) if !owed => self.observer.checkpoint_failed(&error),
            Ok(()) if owed => self.observer.checkpoint_kept(),
            _ => {}
        }
        self.meters.acknowledge.observe(begun.elapsed());
        Ok(())
    }

    /// Makes everything durable, the dead letter first: if the output is in place, everything else
    /// is, too.
    pub(super) fn close(mut self) -> Report {
        let closed = self.outlets.dead_letter.as_mut().map_or(Ok(()), |letters| letters.finish());
        if let (Err(error), End::Complete) = (closed, &self.end) {
            self.end = End::Failed(Failure::DeadLetter(error));
        }
        if let (Some(acks), End::Complete) = (&self.acknowledgements, &self.end)
            && acks.due(true)
            && let Err(end) = self.acknowledge()
        {
            self.end = end;
        }
        let mut report = self.ledger.report(self.end);
        if let (End::Complete, Some(end)) =
            (&report.end, self.ledger.unfinished(&self.shutdown, None))
        {
            report.end = end;
        }
        // An output is complete when all inputs were read to their end. With followed files it is
        // appended to.
        let whole = self.acknowledgements.is_some() || report.failed_inputs == 0;
        if !matches!(report.end, End::Complete) || !whole {
            self.outlets.sink.abort();
        } else if let Err(error) = self.outlets.sink.finish() {
            report.end = sink_end(error);
        }
        report
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), End> {
        if batch.failed {
            return Err(End::Failed(Failure::Worker));
        }
        for (number, piece) in batch.output.clean.chunks(PIECE).enumerate() {
            if let Err(error) = self.outlets.sink.write(piece) {
                // Whole lines of it are written.
                self.taken = Some(self.taken_of(&batch.output.clean, number * PIECE));
                return Err(sink_end(error));
            }
            self.ledger.wrote();
        }
        if let Err(error) = self.reject_or_leave(batch) {
            // All the others are where they belong.
            self.settle(batch);
            return Err(dead_letter_end(error));
        }
        self.input += &batch.output.tally;
        self.lines = self.input.read;
        match batch.ends {
            Some(_) => self.key_blocks.remove(&batch.input),
            None => self.key_blocks.insert(batch.input, batch.output.key_block),
        };
        if let Some(acks) = &mut self.acknowledgements {
            acks.note(batch);
        }
        batch.ends.map_or(Ok(()), |end| self.end_input(end))
    }

    /// Returns how much of this output, whose bytes begin at `from`, the sink took before the write
    /// failed.
    fn taken_of(&self, clean: &[u8], from: usize) -> Taken {
        let sink = &self.outlets.sink;
        let Some(lines) = sink.taken_lines() else { return Taken::Bytes(from + sink.taken()) };
        let mut all = vec![true; memchr::memchr_iter(b'\n', &clean[..from]).count()];
        all.extend(lines);
        Taken::Lines(all)
    }

    /// The output of one input is finished in the same order as that of the run: the dead letter
    /// first.
    fn end_input(&mut self, end: InputEnd) -> Result<(), End> {
        let tally = take(&mut self.input);
        let Outlets { sink, dead_letter } = &mut self.outlets;
        if !sink.is_for_each_input() {
            return Ok(());
        }
        // An input that could not be read to its end has no complete output.
        let keep = end == InputEnd::Read;
        if keep && tally.read > tally.forwarded() + tally.blank {
            let closed = dead_letter.as_mut().map_or(Ok(()), |letters| letters.finish());
            closed.map_err(dead_letter_end)?;
        }
        sink.end_input(keep).map_err(sink_end)
    }

    /// Handles the rejects. If the dead letter fails, those that it should have kept are not
    /// counted, because it is not known which of them it has.
    fn reject_or_leave(&mut self, batch: &mut Batch) -> io::Result<()> {
        let rejected = self.reject_all(batch);
        if let (Err(_), Some(letters)) = (&rejected, &self.outlets.dead_letter) {
            let output = &mut batch.output;
            for reject in output.rejects.iter().filter(|reject| letters.takes(reject)) {
                output.tally.take_back(reject.route, reject.reason, 1);
                output.tally.read -= 1;
            }
        }
        rejected
    }

    fn reject_all(&mut self, batch: &Batch) -> io::Result<()> {
        let output = &batch.output;
        let before = self.acknowledgements.as_ref().map(|acks| acks.lines_before(batch));
        let (input, line) = (&*batch.name, before.unwrap_or(self.input.read) + 1);
        for reject in &output.rejects {
            let place = place(input, line, batch, reject);
            let kept = match &mut self.outlets.dead_letter {
                Some(dead_letter) if dead_letter.takes(reject) => {
                    let body = &output.bodies[reject.body.clone()];
                    let schema = output.schema_of(reject.route);
                    let route = output.route(reject.route);
                    // Nothing is kept of a line that is too long, however much of it was read.
                    let whole =
                        batch.discarded.is_none() && reject.reason != EngineReason::Oversize;
                    let sealed = match dead_letter.seal() {
                        Some(seal) if whole => Some(sealed(seal, batch, reject)?),
                        _ => None,
                    };
                    let sealed = sealed.as_deref();
                    dead_letter.write(&Letter {
                        place,
                        reject,
                        body,
                        schema,
                        route,
                        sealed,
                        attempts: 0,
                    })?;
                    self.ledger.wrote();
                    true
                }
                _ => false,
            };
            self.observer.rejected(&place, reject, kept);
        }
        match &mut self.outlets.dead_letter {
            Some(dead_letter) if !output.rejects.is_empty() => dead_letter.flush(),
            _ => Ok(()),
        }
    }
}

/// Seals the original line, with the lines that were joined to it.
fn sealed(seal: &Seal, batch: &Batch, reject: &Reject) -> io::Result<Vec<u8>> {
    let data = batch.chunk.data();
    let (from, len) = (reject.offset as usize, reject.len as usize);
    let first = &data[from..from + len];
    if reject.joined.is_empty() {
        return seal.seal(first).map_err(io::Error::other);
    }
    let mut whole = first.to_vec();
    for line in &reject.joined {
        whole.push(b'\n');
        whole.extend_from_slice(&data[line.start as usize..line.end as usize]);
    }
    seal.seal(&whole).map_err(io::Error::other)
}

/// If its line was cut, a batch contains only that line. The line consists of what the batch
/// contains, including a `\r` at the cut, and of what was discarded.
fn place<'a>(input: &'a str, first_line: u64, batch: &Batch, reject: &Reject) -> Place<'a> {
    let length = match batch.discarded {
        Some(discarded) => batch.chunk.data().len() as u64 - 1 + discarded,
        None => u64::from(reject.len),
    };
    Place {
        input,
        line: first_line + u64::from(reject.line),
        offset: batch.offset + u64::from(reject.offset),
        length,
    }
}

fn dead_letter_end(error: io::Error) -> End {
    End::Failed(Failure::DeadLetter(error))
}

fn sink_end(error: io::Error) -> End {
    match error.kind() {
        io::ErrorKind::BrokenPipe => End::Closed,
        _ => End::Failed(Failure::Sink(error)),
    }
}
