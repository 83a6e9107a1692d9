//! Commits batches together with their offsets, or aborts the transaction. Consumers that only read
//! committed records see every record once.
//!
//! After an abort, the source returns to the committed offsets, and records that were read earlier
//! and still arrive are skipped.

use std::{
    collections::BTreeMap,
    mem,
    time::{Duration, Instant},
};

use super::{
    LOOK_EVERY, Outbox, RecordDelivery,
    letters::letter_refused,
    outbox::{Flight, Refused, find, timestamp},
    suspects::{Held, Suspects},
};
use crate::pipeline::{
    crew::Deliver,
    records::{Reached, Ticket, Told, Transactions, Undone, batch::RecordBatch},
    report::{End, Failure, Report},
};

/// How long a transaction collects records.
const COLLECTS: Duration = Duration::from_millis(100);

/// Why a batch is not processed further.
enum Stop {
    /// The transaction must be aborted.
    Back,
    /// The run is over.
    End(End),
}

pub(in crate::pipeline::records) struct ExactlyOnce {
    outbox: Outbox,
    reports: Vec<(Ticket, Told)>,
    suspects: Suspects,
    /// What is sent by itself: the number of a batch, the index of the place, and the offset.
    alone: Option<(u64, usize, i64)>,
    /// When the current transaction began.
    open: Option<Instant>,
    end: End,
}

impl Deliver<RecordBatch> for ExactlyOnce {
    fn deliver(&mut self, batch: &mut RecordBatch) {
        if !matches!(self.end, End::Complete) {
            return;
        }
        let done = match batch.failed.take() {
            Some(failure) => Err(Stop::End(End::Failed(failure))),
            None => self.take(batch).and_then(|()| self.look()),
        };
        let done = match done {
            Err(Stop::Back) => self.back().map_err(Stop::End),
            done => done,
        };
        if let Err(Stop::End(end)) = done {
            self.end = end;
            self.outbox.desk.offsets.over();
            self.outbox.desk.shutdown.stop();
        }
        self.outbox.desk.ledger.owe(self.open.is_some());
    }
}

impl RecordDelivery for ExactlyOnce {
    /// Commits what can be committed, and aborts the rest, which the next run reads again.
    fn close(mut self) -> Report {
        if matches!(self.end, End::Complete) && self.open.is_some() {
            match self.commit() {
                Ok(()) => {}
                Err(Stop::Back) => self.end = End::Stuck,
                Err(Stop::End(end)) => self.end = end,
            }
        }
        let broken = matches!(self.end, End::Failed(Failure::Sink(_)));
        if self.open.is_some()
            && !broken
            && let Some(transactions) = self.outbox.sink.transactions()
        {
            // If this fails, the coordinator aborts it at its timeout.
            let _ = transactions.abort();
        }
        if let Err(error) = self.outbox.desk.offsets.finish() {
            self.outbox.observer.offsets_failed(&error);
        }
        self.outbox.desk.ledger.report(self.end)
    }
}

impl ExactlyOnce {
    pub(in crate::pipeline::records) fn new(outbox: Outbox) -> Self {
        Self {
            outbox,
            reports: Vec::new(),
            suspects: Suspects::default(),
            alone: None,
            open: None,
            end: End::Complete,
        }
    }

    /// Sends a batch within the transaction.
    fn take(&mut self, batch: &RecordBatch) -> Result<(), Stop> {
        let RecordBatch { block, judged, seq, .. } = batch;
        if block.records().is_empty() {
            return Ok(());
        }
        // Records that are not needed any more are not sent, and do not advance their partition.
        let held = self.outbox.held(block);
        if !held.contains(&true) {
            self.outbox.desk.ledger.give_back(judged.output.tally.read);
            return Ok(());
        }
        self.begin()?;
        self.outbox.push(batch);
        if let Some(flight) = self.outbox.flying.back_mut() {
            let mut of = held.iter();
            flight.reached.retain(|_| of.next() == Some(&true));
        }
        for (at, record) in block.records().iter().enumerate() {
            if !held[record.place] {
                self.outbox.pass_over(block, judged, at);
                continue;
            }
            let held = self.suspects.about(&block.places()[record.place], record.offset);
            if held.is_some() {
                self.all_told()?;
                self.alone = Some((*seq, record.place, record.offset));
            }
            let refused = match held {
                Some(Held::Guilty(reason)) => Some(Refused { reason, bare: false }),
                Some(Held::Bare(reason)) => Some(Refused { reason, bare: true }),
                Some(Held::Suspected) | None => None,
            };
            self.outbox.send(block, judged, at, refused).map_err(Stop::End)?;
            if self.outbox.topic_broke {
                return Err(Stop::Back);
            }
            if self.alone.is_some() {
                self.all_told()?;
                self.alone = None;
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Stop> {
        if self.open.is_none() {
            self.open = Some(Instant::now());
            self.call(|transactions| transactions.begin())?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: impl FnOnce(&mut dyn Transactions) -> Result<(), Undone>,
    ) -> Result<(), Stop> {
        let Some(transactions) = self.outbox.sink.transactions() else { return Ok(()) };
        call(transactions).map_err(|undone| match undone {
            Undone::Abort => Stop::Back,
            Undone::Failed(error) => Stop::End(End::Failed(Failure::Sink(error))),
        })
    }

    /// Takes the sink's reports, and commits when it is time.
    fn look(&mut self) -> Result<(), Stop> {
        let Some(open) = self.open else {
            return self.call(|transactions| transactions.idle().map_err(Undone::Failed));
        };
        self.hear()?;
        if open.elapsed() < COLLECTS {
            return Ok(());
        }
        self.commit()
    }

    fn commit(&mut self) -> Result<(), Stop> {
        self.all_told()?;
        let begun = Instant::now();
        let mut furthest: BTreeMap<u64, i64> = BTreeMap::new();
        for Reached { id, offset } in self.outbox.flying.iter().flat_map(|f| &f.reached) {
            let known = furthest.entry(*id).or_insert(*offset);
            *known = (*known).max(*offset);
        }
        let reached: Vec<_> =
            furthest.into_iter().map(|(id, offset)| Reached { id, offset }).collect();
        self.call(|transactions| transactions.commit(&reached))?;
        self.open = None;
        for flight in mem::take(&mut self.outbox.flying) {
            let tally = &flight.tally;
            self.outbox.desk.ledger.settle(tally, tally.bytes_in, &flight.routes);
            self.outbox.desk.ledger.wrote();
            self.outbox.desk.meters.acknowledged(flight.seq);
            let Flight { places, reached, .. } = flight;
            for Reached { id, offset } in reached {
                if let Some(place) = places.iter().find(|place| place.id == id) {
                    self.suspects.acquit(place, offset);
                }
            }
        }
        self.outbox.desk.offsets.acknowledge(&reached);
        self.outbox.desk.meters.acknowledge.observe(begun.elapsed());
        Ok(())
    }

    /// Aborts the transaction, and makes the source return to the committed offsets.
    fn back(&mut self) -> Result<(), End> {
        let aborted = self.outbox.sink.transactions().map_or(Ok(()), |t| t.abort());
        aborted.map_err(|error| End::Failed(Failure::Sink(error)))?;
        // Reports about other records of the batch that was refused.
        if let Err(Stop::End(end)) = self.hear() {
            return Err(end);
        }
        (self.open, self.alone) = (None, None);
        (self.outbox.undone, self.outbox.topic_broke) = (false, false);
        self.outbox.desk.offsets.take_back();
        for flight in mem::take(&mut self.outbox.flying) {
            self.outbox.desk.ledger.give_back(flight.tally.read);
            self.outbox.desk.meters.acknowledged(flight.seq);
        }
        Ok(())
    }

    /// Waits for the reports of everything that was sent.
    fn all_told(&mut self) -> Result<(), Stop> {
        let outstanding =
            |outbox: &Outbox| outbox.flying.iter().map(|flight| flight.outstanding).sum::<usize>();
        let (mut left, mut moved) = (usize::MAX, Instant::now());
        loop {
            self.hear()?;
            let now = outstanding(&self.outbox);
            if now == 0 {
                return Ok(());
            }
            if now < left {
                (left, moved) = (now, Instant::now());
            } else if self.outbox.desk.stuck(moved) {
                return Err(Stop::End(End::Stuck));
            }
            self.outbox.sink.wait(LOOK_EVERY);
        }
    }

    /// Takes the sink's reports.
    fn hear(&mut self) -> Result<(), Stop> {
        let mut reports = mem::take(&mut self.reports);
        let Outbox { sink, flying, .. } = &mut self.outbox;
        let heard = sink.reports(&mut reports, &|ticket| timestamp(flying, ticket));
        let (mut holds, mut given_up) = (!self.outbox.undone, None);
        for (ticket, told) in reports.drain(..) {
            let Some(found) = find(&self.outbox.flying, ticket) else { continue };
            let flight = &mut self.outbox.flying[found];
            flight.outstanding -= 1;
            holds &= told == Told::Durable;
            let Told::Refused(reason, _) = told else { continue };
            let sent = &flight.sent[ticket.record as usize];
            let place = &flight.places[sent.place];
            let alone = self.alone == Some((flight.seq, sent.place, sent.offset));
            match self.suspects.about(place, sent.offset) {
                Some(Held::Bare(_)) if alone => given_up = Some(reason),
                Some(Held::Guilty(first)) if alone => {
                    self.suspects.hold(place, sent.offset, Held::Bare(first));
                }
                _ if alone => self.suspects.hold(place, sent.offset, Held::Guilty(reason)),
                _ => self.suspects.hold(place, sent.offset, Held::Suspected),
            }
        }
        self.reports = reports;
        heard.map_err(|error| Stop::End(End::Failed(Failure::Sink(error))))?;
        if let Some(reason) = given_up {
            return Err(Stop::End(letter_refused(reason)));
        }
        holds &= !self.outbox.take_unsent();
        if holds { Ok(()) } else { Err(Stop::Back) }
    }
}
