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
    block::{Block, Place},
    hops::HOP,
    judged::{Body, Counts, Fate, Judged, Key},
    letter::{self, Sent},
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
        Self { sink, offsets, keeps, observer, shutdown, ledger, meters, flying, reports, end }
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
            sent: block.records().iter().zip(&judged.verdicts).map(Sent::of).collect(),
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
        match &verdict.fate {
            Fate::Blank => Ok(()),
            Fate::Rejected(reject) => self.reject(at, *reject, key, judged),
            Fate::Forwarded(how, body) => {
                let body = body.as_ref();
                self.forward(block, judged, at, key, body, Counts::of(*how))
            }
            Fate::Lines(lines) => {
                if let Some(body) = &lines.value {
                    self.forward(block, judged, at, key, Some(body), lines.counts)?;
                }
                for reject in lines.rejects.clone() {
                    // A report is about one thing that was sent.
                    let Some(flight) = self.flying.back_mut() else { return Ok(()) };
                    let line = Some(judged.output.rejects[reject].line);
                    flight.sent.push(Sent { line, ..Sent::of((record, verdict)) });
                    let at = flight.sent.len() - 1;
                    self.reject(at, reject, key, judged)?;
                }
                Ok(())
            }
        }
    }

    fn forward(
        &mut self,
        block: &Block,
        judged: &Judged,
        at: usize,
        key: Option<&[u8]>,
        body: Option<&Body>,
        counts: Counts,
    ) -> Result<(), End> {
        let (record, verdict) = (&block.records()[at], &judged.verdicts[at]);
        let mut value = body.map(|body| match body {
            Body::Clean(range) => &judged.output.clean[range.clone()],
            Body::Chunk(range) => &block.chunk().data()[range.clone()],
            Body::Kept(range) => block.bytes(range),
            Body::Arena(range) => &judged.arena[range.clone()],
        });
        let whole: Vec<u8>;
        if let (Some(text), None, false) = (value, &record.packed, record.prefix.is_empty()) {
            whole = [block.bytes(&record.prefix), text].concat();
            value = Some(&whole);
        }
        let (arena, all) = match &verdict.headers {
            None => (None, block.headers(record)),
            Some(range) => (Some(&judged.arena), &judged.headers[range.clone()]),
        };
        let bytes = |range: &std::ops::Range<usize>| match arena {
            None => block.bytes(range),
            Some(arena) => &arena[range.clone()],
        };
        let hop = verdict.hop.map(|hop| hop.to_string());
        let mut headers: Vec<_> = all
            .iter()
            .filter(|header| hop.is_none() || bytes(&header.name) != HOP.as_bytes())
            .map(|header| {
                let name = str::from_utf8(bytes(&header.name)).unwrap_or_default();
                (name, header.value.as_ref().map(bytes))
            })
            .collect();
        headers.extend(hop.as_ref().map(|hop| (HOP, Some(hop.as_bytes()))));
        let outgoing = Outgoing {
            dead: false,
            topic: &block.places()[record.place].topic,
            partition: block.places()[record.place].partition,
            key,
            value,
            timestamp: record.timestamp,
            headers: &headers,
        };
        let Some(flight) = self.flying.back_mut() else { return Ok(()) };
        flight.sent[at].counts = Some(counts);
        match self.sink.send(Ticket { batch: flight.seq, record: at as u32 }, &outgoing) {
            Ok(()) => {
                flight.outstanding += 1;
                Ok(())
            }
            Err(Refusal::Record(reason)) => self.refused(self.flying.len() - 1, at, reason),
            Err(Refusal::Sink(error)) => Err(End::Failed(Failure::Sink(error))),
        }
    }

    /// A record of the last flight, or a line of one, is not forwarded.
    fn reject(
        &mut self,
        at: usize,
        reject: usize,
        key: Option<&[u8]>,
        judged: &Judged,
    ) -> Result<(), End> {
        let last = self.flying.len() - 1;
        let reject = &judged.output.rejects[reject];
        let schema = judged.output.schema.as_deref();
        let body = &judged.output.bodies[reject.body.clone()];
        self.letter(last, at, reject, key, body, schema)
    }

    /// The sink does not take a record: its count moves, and of it only the place is kept.
    fn refused(&mut self, flight: usize, at: usize, reason: Reason) -> Result<(), End> {
        let Flight { tally, sent, .. } = &mut self.flying[flight];
        let Some(counts) = sent[at].counts else {
            let what = format!("the dead letter topic refuses a letter ({})", reason.word());
            return Err(End::Failed(Failure::DeadLetter(io::Error::other(what))));
        };
        tally.rejected[reason.index()] += counts.withdraw(tally);
        let reject = Reject::of(reason, at as u32);
        self.letter(flight, at, &reject, None, b"", None)
    }

    /// Tells of a reject, and keeps it where it is wanted.
    fn letter(
        &mut self,
        flight: usize,
        at: usize,
        reject: &Reject,
        key: Option<&[u8]>,
        body: &[u8],
        schema: Option<&str>,
    ) -> Result<(), End> {
        let kept = (self.keeps)(reject.reason);
        let Flight { seq, outstanding, places, sent, .. } = &mut self.flying[flight];
        let sent = &mut sent[at];
        sent.counts = None;
        let place = &places[sent.place];
        let (input, line) = letter::place(place, sent);
        let told = ports::Place { input: &input, line, offset: 0, length: reject.len.into() };
        self.observer.rejected(&told, reject, kept);
        if !kept {
            return Ok(());
        }
        let said = letter::headers(place, sent, reject, schema);
        let headers: Vec<_> =
            said.iter().map(|(name, value)| (*name, Some(value.as_bytes()))).collect();
        let letter = Outgoing {
            dead: true,
            topic: &place.topic,
            partition: place.partition,
            key,
            value: Some(body),
            timestamp: None,
            headers: &headers,
        };
        match self.sink.send(Ticket { batch: *seq, record: at as u32 }, &letter) {
            Ok(()) => {
                *outstanding += 1;
                Ok(())
            }
            // What cannot be kept whole is kept as its place.
            Err(Refusal::Record(_)) if !body.is_empty() => {
                let bare = Reject { payload: Payload::None, ..reject.clone() };
                self.letter(flight, at, &bare, None, b"", schema)
            }
            Err(Refusal::Record(reason)) => self.refused(flight, at, reason),
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
            sent.counts.and(sent.timestamp)
        });
        let mut outcome = Ok(());
        for (ticket, refused) in reports.drain(..) {
            let Some(found) = find(&self.flying, ticket) else { continue };
            self.flying[found].outstanding -= 1;
            if let Some(reason) = refused {
                outcome = outcome.and(self.refused(found, ticket.record as usize, reason));
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
