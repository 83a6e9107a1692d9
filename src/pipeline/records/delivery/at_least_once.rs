//! Acknowledges durable records, batch by batch. After a process is killed, the next one reads
//! again what was not acknowledged.

use std::{collections::HashSet, mem, time::Instant};

use super::{
    LOOK_EVERY, Outbox, RecordDelivery,
    outbox::{find, timestamp},
};
use crate::pipeline::{
    crew::Deliver,
    records::{Place, Reached, Ticket, Told, batch::RecordBatch},
    report::{End, Failure, Report},
};

/// The most batches in flight. Batches of which nothing is sent need no resources of the sink.
const MOST_FLYING: usize = 4096;

/// The most places that are remembered. They are forgotten and learned again after that.
const MOST_KNOWN: usize = 1 << 16;

pub(in crate::pipeline::records) struct AtLeastOnce {
    outbox: Outbox,
    reports: Vec<(Ticket, Told)>,
    /// The ids of places that were seen.
    known: HashSet<u64>,
    end: End,
}

impl Deliver<RecordBatch> for AtLeastOnce {
    fn deliver(&mut self, batch: &mut RecordBatch) {
        if !matches!(self.end, End::Complete) {
            return;
        }
        let delivered = match batch.failed.take() {
            Some(failure) => Err(End::Failed(failure)),
            None => self.write(batch).and_then(|()| self.settle()),
        };
        if let Err(end) = delivered {
            // After a failure that is not the sink's, records in flight may still arrive.
            if matches!(end, End::Failed(Failure::Sink(_)) | End::Stuck) {
                self.outbox.desk.offsets.over();
            }
            self.end = end;
            self.outbox.desk.shutdown.stop();
        }
        self.outbox.desk.ledger.owe(!self.outbox.flying.is_empty());
    }
}

impl RecordDelivery for AtLeastOnce {
    /// Waits also after a failure that is not the sink's.
    fn close(mut self) -> Report {
        let mut moved = Instant::now();
        while !self.outbox.flying.is_empty() && !matches!(self.end, End::Failed(Failure::Sink(_))) {
            let before = self.outbox.desk.ledger.writes();
            self.outbox.sink.wait(LOOK_EVERY);
            if let Err(end) = self.settle() {
                self.end = end;
                break;
            }
            if self.outbox.desk.ledger.writes() != before {
                moved = Instant::now();
            }
            if self.outbox.desk.stuck(moved) {
                if matches!(self.end, End::Complete) {
                    self.end = End::Stuck;
                }
                break;
            }
        }
        if let Err(error) = self.outbox.desk.offsets.finish() {
            self.outbox.observer.offsets_failed(&error);
        }
        self.outbox.desk.ledger.report(self.end)
    }
}

impl AtLeastOnce {
    pub(in crate::pipeline::records) fn new(outbox: Outbox) -> Self {
        Self { outbox, reports: Vec::new(), known: HashSet::new(), end: End::Complete }
    }

    fn write(&mut self, batch: &mut RecordBatch) -> Result<(), End> {
        if batch.block.records().is_empty() {
            return Ok(());
        }
        for place in batch.block.places() {
            if !self.known.contains(&place.id) {
                self.learn(place)?;
            }
        }
        let offsets = &self.outbox.desk.offsets;
        let repeats = batch.block.places().iter().any(|place| offsets.has_sent(place.id));
        self.outbox.repeats = repeats;
        self.outbox.push(batch);
        let RecordBatch { block, judged, .. } = batch;
        let mut held = self.outbox.held(block);
        for (at, record) in block.records().iter().enumerate() {
            if !held[record.place] {
                self.outbox.pass_over(block, judged, at);
                continue;
            }
            self.outbox.send(block, judged, at, None)?;
            if mem::take(&mut self.outbox.topic_broke) {
                held = self.outbox.held(block);
            }
        }
        self.wait_while(|outbox| outbox.flying.len() > MOST_FLYING)
    }

    /// Settles until `waits` returns false.
    fn wait_while(&mut self, waits: impl Fn(&Outbox) -> bool) -> Result<(), End> {
        let mut moved = Instant::now();
        while waits(&self.outbox) {
            let flying = self.outbox.flying.len();
            self.outbox.sink.wait(LOOK_EVERY);
            self.settle()?;
            if self.outbox.flying.len() < flying {
                moved = Instant::now();
            } else if self.outbox.desk.stuck(moved) {
                return Err(End::Stuck);
            }
        }
        Ok(())
    }

    /// A new place may be a partition that is read again. Its records in flight under an earlier id
    /// are awaited, so that none is sent twice.
    fn learn(&mut self, place: &Place) -> Result<(), End> {
        let is_it = |other: &Place| other.id != place.id && other.is(&place.topic, place.partition);
        self.wait_while(|outbox| {
            outbox.flying.iter().any(|flight| flight.places.iter().any(is_it))
        })?;
        if self.known.len() == MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(place.id);
        Ok(())
    }

    /// Takes the sink's reports, and acknowledges what is done in the order of the input.
    fn settle(&mut self) -> Result<(), End> {
        let mut reports = mem::take(&mut self.reports);
        let Outbox { sink, flying, .. } = &mut self.outbox;
        let told = sink.reports(&mut reports, &|ticket| timestamp(flying, ticket));
        let mut outcome = Ok(());
        for (ticket, told) in reports.drain(..) {
            let Some(found) = find(&self.outbox.flying, ticket) else { continue };
            self.outbox.flying[found].outstanding -= 1;
            if let Told::Refused(reason, back) = told {
                let at = ticket.record as usize;
                outcome = outcome.and(self.outbox.refused_later((found, at), reason, back));
            }
        }
        self.reports = reports;
        outcome?;
        self.outbox.take_unsent();
        let (mut reached, mut done) = (Vec::<Reached>::new(), Vec::new());
        while self.outbox.flying.front().is_some_and(|flight| flight.outstanding == 0) {
            let Some(flight) = self.outbox.flying.pop_front() else { break };
            let tally = &flight.tally;
            self.outbox.desk.ledger.settle(tally, tally.bytes_in, &flight.routes);
            self.outbox.desk.ledger.wrote();
            self.outbox.desk.meters.acknowledged(flight.seq);
            reached.extend_from_slice(&flight.reached);
            done.push(flight);
        }
        if !reached.is_empty() {
            self.outbox.desk.offsets.acknowledge(&reached);
        }
        // Records after one that did not arrive are never acknowledged, but they are durable.
        done.iter().for_each(|flight| self.outbox.keep_sent(flight));
        told.map_err(|error| End::Failed(Failure::Sink(error)))
    }
}
