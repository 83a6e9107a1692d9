//! Delivery of records: to the sink or the dead letter; what the sink acknowledged is counted, and
//! acknowledged to the source, in the order in which it was read.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Offsets, Outgoing, Reached, RecordSink, Refusal, Ticket,
    batch::RecordBatch,
    block::{Block, Place, Record},
    judged::{Fate, How, Judged, Key},
    original::original,
};
use crate::{
    engine::{Payload, Reason, Reject, Tally},
    metrics::Meters,
    pipeline::{
        STUCK_AFTER,
        crew::Deliver,
        ledger::Ledger,
        ports::{self, Observer},
        report::{End, Failure, Report},
    },
    seal::Seal,
    shutdown::{Phase, Shutdown},
};

/// So many batches may be on their way: those of which nothing is sent cost the sink nothing.
const MOST_FLYING: usize = 4096;
/// How long to wait for a report before looking whether somebody wants the end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) struct RecordDelivery {
    sink: Box<dyn RecordSink>,
    offsets: Box<dyn Offsets>,
    keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
    /// Whom the originals of dead letters are sealed to.
    pub(super) seal: Option<Seal>,
    observer: Arc<dyn Observer>,
    shutdown: Shutdown,
    ledger: Arc<Ledger>,
    meters: Arc<Meters>,
    flying: VecDeque<Flight>,
    reports: Vec<(Ticket, Option<Reason>)>,
    end: End,
}

/// A batch on its way.
struct Flight {
    seq: u64,
    /// What was sent and not told of.
    outstanding: usize,
    tally: Tally,
    reached: Vec<Reached>,
    places: Vec<Place>,
    sent: Vec<Sent>,
}

/// What a report can be about.
struct Sent {
    place: usize,
    offset: i64,
    timestamp: Option<i64>,
    /// `None`: it is a dead letter.
    how: Option<How>,
}

/// What is kept of a record that is not forwarded.
#[derive(Default, Clone, Copy)]
struct Kept<'a> {
    key: Option<&'a [u8]>,
    body: &'a [u8],
    schema: Option<&'a str>,
    sealed: Option<&'a [u8]>,
}

impl Deliver<RecordBatch> for RecordDelivery {
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
            self.shutdown.stop();
        }
        self.ledger.owe(!self.flying.is_empty());
    }
}

impl RecordDelivery {
    pub(super) fn new(
        sink: Box<dyn RecordSink>,
        offsets: Box<dyn Offsets>,
        keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
        observer: Arc<dyn Observer>,
        shutdown: Shutdown,
        ledger: Arc<Ledger>,
        meters: Arc<Meters>,
    ) -> Self {
        let (flying, reports, end) = (VecDeque::new(), Vec::new(), End::Complete);
        let seal = None;
        Self {
            sink,
            offsets,
            keeps,
            seal,
            observer,
            shutdown,
            ledger,
            meters,
            flying,
            reports,
            end,
        }
    }

    /// Waits for what is on its way, also after a failure that is not the sink's own.
    pub(super) fn close(mut self) -> Report {
        let mut moved = Instant::now();
        while !self.flying.is_empty() && !matches!(self.end, End::Failed(Failure::Sink(_))) {
            let before = self.ledger.writes();
            self.sink.wait(LOOK_EVERY);
            if let Err(end) = self.settle() {
                self.end = end;
                break;
            }
            if self.ledger.writes() != before {
                moved = Instant::now();
            }
            if self.stuck(moved) {
                if matches!(self.end, End::Complete) {
                    self.end = End::Stuck;
                }
                break;
            }
        }
        if let Err(error) = self.offsets.finish() {
            self.observer.checkpoint_failed(&error);
        }
        self.ledger.report(self.end)
    }

    fn stuck(&self, moved: Instant) -> bool {
        match self.shutdown.phase() {
            Phase::GivenUp => true,
            Phase::Stopped { since } => moved.max(since).elapsed() >= STUCK_AFTER,
            Phase::Running | Phase::Draining { .. } => false,
        }
    }

    fn write(&mut self, batch: &mut RecordBatch) -> Result<(), End> {
        let RecordBatch { seq, block, judged, .. } = batch;
        if block.records().is_empty() {
            return Ok(());
        }
        self.flying.push_back(Flight {
            seq: *seq,
            outstanding: 0,
            tally: judged.output.tally.clone(),
            reached: block.reaches(),
            places: block.places().to_vec(),
            sent: block.records().iter().map(Sent::of).collect(),
        });
        for at in 0..block.records().len() {
            self.send(block, judged, at)?;
        }
        let mut moved = Instant::now();
        while self.flying.len() > MOST_FLYING {
            let flying = self.flying.len();
            self.sink.wait(LOOK_EVERY);
            self.settle()?;
            if self.flying.len() < flying {
                moved = Instant::now();
            } else if self.stuck(moved) {
                return Err(End::Stuck);
            }
        }
        Ok(())
    }

    fn send(&mut self, block: &Block, judged: &Judged, at: usize) -> Result<(), End> {
        let (record, verdict) = (&block.records()[at], &judged.verdicts[at]);
        let key = match &verdict.key {
            Key::Same => record.key.as_ref().map(|key| block.bytes(key)),
            Key::Changed(range) => Some(&judged.arena[range.clone()]),
            Key::Withheld => None,
        };
        let (how, value) = match &verdict.fate {
            Fate::Blank => return Ok(()),
            Fate::Rejected(reject) => {
                let reject = &judged.output.rejects[*reject];
                let schema = judged.output.schema.as_deref();
                let body = &judged.output.bodies[reject.body.clone()];
                let sealed = self.sealed(block, record, reject.reason)?;
                let kept = Kept { key, body, schema, sealed: sealed.as_deref() };
                return self.letter(self.flying.len() - 1, at, reject, &kept);
            }
            Fate::Forwarded(how, value) => (how, value),
        };
        let (arena, all) = match &verdict.headers {
            None => (None, block.headers(record)),
            Some(range) => (Some(&judged.arena), &judged.headers[range.clone()]),
        };
        let bytes = |range: &std::ops::Range<usize>| match arena {
            None => block.bytes(range),
            Some(arena) => &arena[range.clone()],
        };
        let headers: Vec<_> = all
            .iter()
            .map(|header| {
                let name = str::from_utf8(bytes(&header.name)).unwrap_or_default();
                (name, header.value.as_ref().map(bytes))
            })
            .collect();
        let outgoing = Outgoing {
            dead: false,
            partition: block.places()[record.place].partition,
            key,
            value: value.as_ref().map(|range| &judged.output.clean[range.clone()]),
            timestamp: record.timestamp,
            headers: &headers,
        };
        let Some(flight) = self.flying.back_mut() else { return Ok(()) };
        flight.sent[at].how = Some(*how);
        match self.sink.send(Ticket { batch: flight.seq, record: at as u32 }, &outgoing) {
            Ok(()) => {
                flight.outstanding += 1;
                Ok(())
            }
            Err(Refusal::Record(reason)) => {
                let sealed = self.sealed(block, record, reason)?;
                self.refused(self.flying.len() - 1, at, reason, sealed.as_deref())
            }
            Err(Refusal::Sink(error)) => Err(End::Failed(Failure::Sink(error))),
        }
    }

    /// The record as it came, sealed, where its dead letter is kept.
    fn sealed(
        &self,
        block: &Block,
        record: &Record,
        reason: Reason,
    ) -> Result<Option<Vec<u8>>, End> {
        let Some(seal) = self.seal.as_ref().filter(|_| (self.keeps)(reason)) else {
            return Ok(None);
        };
        let sealed = original(block, record).map(|original| seal.seal(&original)).transpose();
        sealed.map_err(|error| End::Failed(Failure::DeadLetter(io::Error::other(error))))
    }

    /// The sink does not take a record: its count moves, and of it only the place is kept.
    fn refused(
        &mut self,
        flight: usize,
        at: usize,
        reason: Reason,
        sealed: Option<&[u8]>,
    ) -> Result<(), End> {
        let Flight { tally, sent, .. } = &mut self.flying[flight];
        match sent[at].how {
            Some(How::Clean) => tally.clean -= 1,
            Some(How::Redacted) => tally.redacted -= 1,
            Some(How::Wrapped) => tally.wrapped -= 1,
            Some(How::Tombstone) => tally.tombstones -= 1,
            None => {
                let what = format!("the dead letter topic refuses a letter ({})", reason.word());
                return Err(End::Failed(Failure::DeadLetter(io::Error::other(what))));
            }
        }
        tally.rejected[reason.index()] += 1;
        let reject = Reject::of(reason, at as u32);
        self.letter(flight, at, &reject, &Kept { sealed, ..Kept::default() })
    }

    /// Tells of a reject, and keeps it where it is wanted.
    fn letter(
        &mut self,
        flight: usize,
        at: usize,
        reject: &Reject,
        parts: &Kept<'_>,
    ) -> Result<(), End> {
        let &Kept { key, body, schema, sealed } = parts;
        let kept = (self.keeps)(reject.reason);
        let Flight { seq, outstanding, places, sent, .. } = &mut self.flying[flight];
        let Sent { place, offset, timestamp, how } = &mut sent[at];
        *how = None;
        let place = &places[*place];
        let input = format!("{}[{}]", place.topic, place.partition);
        let line = u64::try_from(*offset).unwrap_or_default();
        let told = ports::Place { input: &input, line, offset: 0, length: reject.len.into() };
        self.observer.rejected(&told, reject, kept);
        if !kept {
            return Ok(());
        }
        let (partition, offset) = (place.partition.to_string(), offset.to_string());
        let timestamp = timestamp.map(|timestamp| timestamp.to_string());
        let payload = match reject.payload {
            Payload::None => None,
            Payload::Shape => Some("shape"),
            Payload::Redacted if matches!(reject.reason, Reason::Text | Reason::NotJson) => {
                Some("text")
            }
            Payload::Redacted => Some("event"),
        };
        let said = |text: &'static str, value| (text, value);
        let headers = [
            said("__tamis.errors.reason", Some(reject.reason.word())),
            said("__tamis.errors.topic", Some(&*place.topic)),
            said("__tamis.errors.partition", Some(&partition)),
            said("__tamis.errors.offset", Some(&offset)),
            said("__tamis.errors.timestamp", timestamp.as_deref()),
            said("__tamis.errors.schema", schema.filter(|_| reject.reason.is_violation())),
            said("__tamis.errors.pointer", Some(&*reject.pointer).filter(|text| !text.is_empty())),
            said("__tamis.errors.missing", Some(&*reject.missing).filter(|text| !text.is_empty())),
            said("__tamis.errors.payload", payload),
        ];
        let mut headers: Vec<_> = headers
            .iter()
            .filter_map(|(name, value)| Some((*name, Some(value.as_ref()?.as_bytes()))))
            .collect();
        headers.extend(sealed.map(|sealed| ("__tamis.sealed", Some(sealed))));
        let partition = place.partition;
        let value = Some(body);
        let letter =
            Outgoing { dead: true, partition, key, value, timestamp: None, headers: &headers };
        match self.sink.send(Ticket { batch: *seq, record: at as u32 }, &letter) {
            Ok(()) => {
                *outstanding += 1;
                Ok(())
            }
            // What cannot be kept whole is kept as its sealed original, or else as its place.
            Err(Refusal::Record(_)) if !body.is_empty() => {
                let bare = Reject { payload: Payload::None, ..reject.clone() };
                self.letter(flight, at, &bare, &Kept { key: None, body: b"", ..*parts })
            }
            Err(Refusal::Record(_)) if sealed.is_some() => {
                self.letter(flight, at, reject, &Kept { sealed: None, ..*parts })
            }
            Err(Refusal::Record(reason)) => self.refused(flight, at, reason, None),
            Err(Refusal::Sink(error)) => Err(End::Failed(Failure::Sink(error))),
        }
    }

    /// Takes what the sink has to tell, and acknowledges what is done in the order of the input.
    fn settle(&mut self) -> Result<(), End> {
        let mut reports = std::mem::take(&mut self.reports);
        let flying = &self.flying;
        let told = self.sink.reports(&mut reports, &|ticket| {
            let sent = &flying[find(flying, ticket)?].sent[ticket.record as usize];
            // A dead letter has the time at which it is written.
            sent.how.and(sent.timestamp)
        });
        let mut outcome = Ok(());
        for (ticket, refused) in reports.drain(..) {
            let Some(found) = find(&self.flying, ticket) else { continue };
            self.flying[found].outstanding -= 1;
            if let Some(reason) = refused {
                outcome = outcome.and(self.refused(found, ticket.record as usize, reason, None));
            }
        }
        self.reports = reports;
        outcome?;
        let mut reached: Vec<Reached> = Vec::new();
        while self.flying.front().is_some_and(|flight| flight.outstanding == 0) {
            let Some(flight) = self.flying.pop_front() else { break };
            self.ledger.settle(&flight.tally, flight.tally.bytes_in);
            self.ledger.wrote();
            self.meters.acknowledged(flight.seq);
            reached.extend(flight.reached);
        }
        if !reached.is_empty() {
            self.offsets.acknowledge(&reached);
        }
        told.map_err(|error| End::Failed(Failure::Sink(error)))
    }
}

/// The flight that a ticket is of.
fn find(flying: &VecDeque<Flight>, ticket: Ticket) -> Option<usize> {
    flying.binary_search_by_key(&ticket.batch, |flight| flight.seq).ok()
}

impl Sent {
    fn of(record: &Record) -> Self {
        let &Record { place, offset, timestamp, .. } = record;
        Self { place, offset, timestamp, how: None }
    }
}
