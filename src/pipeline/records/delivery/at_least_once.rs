//! Acknowledges what is durable, batch by batch: a process that is killed reads what is not
//! acknowledged again.

use std::{mem, time::Instant};

use super::{
    Desk, LOOK_EVERY, Outbox, RecordDelivery,
    outbox::{find, timestamp},
};
use crate::pipeline::{
    crew::Deliver,
    records::{Reached, Ticket, Told, batch::RecordBatch},
    report::{End, Failure, Report},
};

/// So many batches may be on their way: those of which nothing is sent cost the sink nothing.
const MOST_FLYING: usize = 4096;

pub(in crate::pipeline::records) struct AtLeastOnce {
    outbox: Outbox,
    desk: Desk,
    reports: Vec<(Ticket, Told)>,
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
            self.end = end;
            self.desk.shutdown.stop();
        }
        self.desk.ledger.owe(!self.outbox.flying.is_empty());
    }
}

impl RecordDelivery for AtLeastOnce {
    /// Waits also after a failure that is not the sink's own.
    fn close(mut self) -> Report {
        let mut moved = Instant::now();
        while !self.outbox.flying.is_empty() && !matches!(self.end, End::Failed(Failure::Sink(_))) {
            let before = self.desk.ledger.writes();
            self.outbox.sink.wait(LOOK_EVERY);
            if let Err(end) = self.settle() {
                self.end = end;
                break;
            }
            if self.desk.ledger.writes() != before {
                moved = Instant::now();
            }
            if self.desk.stuck(moved) {
                if matches!(self.end, End::Complete) {
                    self.end = End::Stuck;
                }
                break;
            }
        }
        if let Err(error) = self.desk.offsets.finish() {
            self.outbox.observer.checkpoint_failed(&error);
        }
        self.desk.ledger.report(self.end)
    }
}

impl AtLeastOnce {
    pub(in crate::pipeline::records) fn new(outbox: Outbox, desk: Desk) -> Self {
        Self { outbox, desk, reports: Vec::new(), end: End::Complete }
    }

    fn write(&mut self, batch: &mut RecordBatch) -> Result<(), End> {
        if batch.block.records().is_empty() {
            return Ok(());
        }
        self.outbox.push(batch);
        for at in 0..batch.block.records().len() {
            self.outbox.send(&batch.block, &batch.judged, at, None)?;
        }
        let mut moved = Instant::now();
        while self.outbox.flying.len() > MOST_FLYING {
            let flying = self.outbox.flying.len();
            self.outbox.sink.wait(LOOK_EVERY);
            self.settle()?;
            if self.outbox.flying.len() < flying {
                moved = Instant::now();
            } else if self.desk.stuck(moved) {
                return Err(End::Stuck);
            }
        }
        Ok(())
    }

    /// Takes what the sink has to tell, and acknowledges what is done in the order of the input.
    fn settle(&mut self) -> Result<(), End> {
        let mut reports = mem::take(&mut self.reports);
        let Outbox { sink, flying, .. } = &mut self.outbox;
        let told = sink.reports(&mut reports, &|ticket| timestamp(flying, ticket));
        let mut outcome = Ok(());
        for (ticket, told) in reports.drain(..) {
            let Some(found) = find(&self.outbox.flying, ticket) else { continue };
            self.outbox.flying[found].outstanding -= 1;
            if let Told::Refused(reason) = told {
                let record = ticket.record as usize;
                outcome = outcome.and(self.outbox.refused(found, record, reason));
            }
        }
        self.reports = reports;
        outcome?;
        let mut reached: Vec<Reached> = Vec::new();
        while self.outbox.flying.front().is_some_and(|flight| flight.outstanding == 0) {
            let Some(flight) = self.outbox.flying.pop_front() else { break };
            self.desk.ledger.settle(&flight.tally, flight.tally.bytes_in);
            self.desk.ledger.wrote();
            self.desk.meters.acknowledged(flight.seq);
            reached.extend(flight.reached);
        }
        if !reached.is_empty() {
            self.desk.offsets.acknowledge(&reached);
        }
        told.map_err(|error| End::Failed(Failure::Sink(error)))
    }
}
