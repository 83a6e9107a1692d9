//! What is on its way to the sink: records and dead letters, batch by batch.

use std::{collections::VecDeque, io, sync::Arc};

use super::Desk;
use crate::{
    engine::{Payload, Reason, Reject, Tally},
    pipeline::{
        ports::{self, Observer},
        records::{
            Outgoing, Reached, RecordSink, Refusal, Ticket,
            batch::RecordBatch,
            block::{Block, Place, Record},
            judged::{Fate, How, Judged, Key},
        },
        report::{End, Failure},
    },
};

/// Sends what became of batches.
pub(in crate::pipeline::records) struct Outbox {
    pub(super) sink: Box<dyn RecordSink>,
    pub(super) keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) desk: Desk,
    /// Batches whose records are not all told of, in the order of the input.
    pub(super) flying: VecDeque<Flight>,
    /// The transaction that records were sent in does not hold any more.
    pub(super) undone: bool,
    /// A topic showed a fault of its own since this was looked at.
    pub(super) topic_broke: bool,
}

/// A batch on its way.
pub(super) struct Flight {
    pub(super) seq: u64,
    /// What was sent and not told of.
    pub(super) outstanding: usize,
    pub(super) tally: Tally,
    pub(super) reached: Vec<Reached>,
    pub(super) places: Vec<Place>,
    pub(super) sent: Vec<Sent>,
}

/// What a report can be about.
pub(super) struct Sent {
    pub(super) place: usize,
    pub(super) offset: i64,
    pub(super) timestamp: Option<i64>,
    /// `None`: it is a dead letter.
    pub(super) how: Option<How>,
    /// Why it was rejected, if it was.
    pub(super) reason: Option<Reason>,
}

impl Outbox {
    /// Nothing is on its way yet.
    pub(in crate::pipeline::records) fn new(
        sink: Box<dyn RecordSink>,
        keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
        observer: Arc<dyn Observer>,
        desk: Desk,
    ) -> Self {
        Self {
            sink,
            keeps,
            observer,
            desk,
            flying: VecDeque::new(),
            undone: false,
            topic_broke: false,
        }
    }

    /// A batch goes on its way.
    pub(super) fn push(&mut self, batch: &RecordBatch) {
        let RecordBatch { seq, block, judged, .. } = batch;
        self.flying.push_back(Flight {
            seq: *seq,
            outstanding: 0,
            tally: judged.output.tally.clone(),
            reached: block.reaches(),
            places: block.places().to_vec(),
            sent: block.records().iter().map(Sent::of).collect(),
        });
    }

    /// Sends a record of the batch that was pushed last, or what is kept of it. `refused`: the sink is
    /// known not to take it.
    pub(super) fn send(
        &mut self,
        block: &Block,
        judged: &Judged,
        at: usize,
        refused: Option<Reason>,
    ) -> Result<(), End> {
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
                if refused.is_some() {
                    // Nor the letter as it was: its place is enough.
                    let bare = Reject { payload: Payload::None, ..reject.clone() };
                    return self.reject(at, &bare, None, b"", schema);
                }
                let body = &judged.output.bodies[reject.body.clone()];
                return self.reject(at, reject, key, body, schema);
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
        if let Some(reason) = refused {
            return self.refused(self.flying.len() - 1, at, reason);
        }
        match self.sink.send(Ticket { batch: flight.seq, record: at as u32 }, &outgoing) {
            Ok(()) => {
                flight.outstanding += 1;
                Ok(())
            }
            Err(Refusal::Record(reason)) => self.refused(self.flying.len() - 1, at, reason),
            Err(Refusal::Topic(why)) => {
                self.unsent(self.flying.len() - 1, at, &why);
                Ok(())
            }
            Err(Refusal::Undone) => {
                self.undone = true;
                Ok(())
            }
            Err(Refusal::Sink(error)) => Err(End::Failed(Failure::Sink(error))),
        }
    }

    /// A record of the last flight is not forwarded.
    fn reject(
        &mut self,
        at: usize,
        reject: &Reject,
        key: Option<&[u8]>,
        body: &[u8],
        schema: Option<&str>,
    ) -> Result<(), End> {
        let last = self.flying.len() - 1;
        self.letter(last, at, reject, key, body, schema)
    }

    /// The sink does not take a record: its count moves, and of it only the place is kept.
    pub(super) fn refused(&mut self, flight: usize, at: usize, reason: Reason) -> Result<(), End> {
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
        let Sent { place, offset, timestamp, how, reason } = &mut sent[at];
        (*how, *reason) = (None, Some(reject.reason));
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
        let headers: Vec<_> = headers
            .iter()
            .filter_map(|(name, value)| Some((*name, Some(value.as_ref()?.as_bytes()))))
            .collect();
        let partition = place.partition;
        let value = Some(body);
        let letter =
            Outgoing { dead: true, partition, key, value, timestamp: None, headers: &headers };
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
            Err(Refusal::Topic(why)) => {
                self.unsent(flight, at, &why);
                Ok(())
            }
            Err(Refusal::Undone) => {
                self.undone = true;
                Ok(())
            }
            Err(Refusal::Sink(error)) => Err(End::Failed(Failure::Sink(error))),
        }
    }
}

/// The flight that a ticket is of.
pub(super) fn find(flying: &VecDeque<Flight>, ticket: Ticket) -> Option<usize> {
    flying.binary_search_by_key(&ticket.batch, |flight| flight.seq).ok()
}

/// With which timestamp a ticket's record was sent; a dead letter has the time at which it is written.
pub(super) fn timestamp(flying: &VecDeque<Flight>, ticket: Ticket) -> Option<i64> {
    let sent = &flying[find(flying, ticket)?].sent[ticket.record as usize];
    sent.how.and(sent.timestamp)
}

impl Sent {
    fn of(record: &Record) -> Self {
        let &Record { place, offset, timestamp, .. } = record;
        Self { place, offset, timestamp, how: None, reason: None }
    }
}
