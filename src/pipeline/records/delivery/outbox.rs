//! The records and dead letters in flight, by batch.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use smallvec::SmallVec;

use super::{
    Desk,
    letters::{Kept, Was},
};
use crate::{
    engine::RouteInfo,
    pipeline::{
        Reason, Tally,
        ports::Observer,
        records::{
            Digest, Outgoing, Reached, RecordSink, Refusal, Ticket,
            batch::RecordBatch,
            block::{Block, Header, Place, Record},
            hops::{HOP, digits},
            judged::{Body, Counts, Fate, Judged, Key},
            letter::Sent,
            origin::Origin,
        },
        report::{End, Failure},
    },
    seal::Seal,
};

/// Records with at most this many headers need no allocation for them.
const MOST_HEADERS: usize = 8;

/// Sends the results of batches.
pub(in crate::pipeline::records) struct Outbox {
    pub(super) sink: Box<dyn RecordSink>,
    pub(super) keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
    /// The seal for the originals of dead letters.
    pub(super) seal: Option<Seal>,
    /// Distinguishes values that are not kept.
    pub(super) digest: Option<Digest>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) desk: Desk,
    /// Batches with unreported records, in the order of the input.
    pub(super) flying: VecDeque<Flight>,
    /// The transaction of the records was aborted.
    pub(super) undone: bool,
    /// A topic had an error since this was checked last.
    pub(super) topic_broke: bool,
    /// Something of the last batch is read again, although it was sent and is durable.
    pub(super) repeats: bool,
}

/// A batch in flight.
pub(super) struct Flight {
    pub(super) seq: u64,
    /// How many of its records and letters have no report yet.
    pub(super) outstanding: usize,
    pub(super) tally: Tally,
    /// The routes of the plan that it was judged by.
    pub(super) routes: Arc<[RouteInfo]>,
    pub(super) reached: Vec<Reached>,
    pub(super) places: Vec<Place>,
    pub(super) sent: Vec<Sent>,
}

/// A record of a block, and its result.
#[derive(Clone, Copy)]
pub(super) struct One<'a> {
    pub(super) block: &'a Block,
    pub(super) judged: &'a Judged,
    pub(super) at: usize,
    /// Its key, as far as it may be shown.
    pub(super) key: Option<&'a [u8]>,
    /// Set if it is known that the sink does not take the record.
    pub(super) refused: Option<Refused>,
}

/// What is known about a record that the sink does not take.
#[derive(Clone, Copy)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    /// The sink also refuses a dead letter with more than its position.
    pub(super) bare: bool,
}

/// A header of a record, as it is sent.
pub(super) type Own<'a> = (&'a str, Option<&'a [u8]>);

impl<'a> One<'a> {
    pub(super) fn record(&self) -> &'a Record {
        &self.block.records()[self.at]
    }

    /// Its headers, as far as they may be shown.
    pub(super) fn headers(&self) -> SmallVec<[Own<'a>; MOST_HEADERS]> {
        let Self { block, judged, .. } = *self;
        let (arena, all) = match &judged.verdicts[self.at].headers {
            None => (None, block.headers(self.record())),
            Some(range) => (Some(&judged.arena), &judged.headers[range.clone()]),
        };
        let bytes = |range: &Range<usize>| match arena {
            None => block.bytes(range),
            Some(arena) => &arena[range.clone()],
        };
        let header = |header: &'a Header| {
            let name = str::from_utf8(bytes(&header.name)).unwrap_or_default();
            (name, header.value.as_ref().map(bytes))
        };
        all.iter().map(header).collect()
    }
}

impl Outbox {
    /// Creates an outbox without records.
    pub(in crate::pipeline::records) fn new(
        sink: Box<dyn RecordSink>,
        keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
        (seal, digest): (Option<Seal>, Option<Digest>),
        observer: Arc<dyn Observer>,
        desk: Desk,
    ) -> Self {
        let flying = VecDeque::new();
        let (undone, topic_broke, repeats) = (false, false, false);
        Self { sink, keeps, seal, digest, observer, desk, flying, undone, topic_broke, repeats }
    }

    /// Adds a batch.
    pub(super) fn push(&mut self, batch: &RecordBatch) {
        let RecordBatch { seq, block, judged, .. } = batch;
        self.flying.push_back(Flight {
            seq: *seq,
            outstanding: 0,
            tally: judged.output.tally.clone(),
            routes: judged.output.routes.clone(),
            reached: block.reaches(),
            places: block.places().to_vec(),
            sent: block.records().iter().zip(&judged.verdicts).map(Sent::of).collect(),
        });
    }

    /// Sends a record of the batch that was added last, or what is kept of it. `refused`: it is
    /// known that the sink does not take it.
    pub(super) fn send(
        &mut self,
        block: &Block,
        judged: &Judged,
        at: usize,
        refused: Option<Refused>,
    ) -> Result<(), End> {
        let (record, verdict) = (&block.records()[at], &judged.verdicts[at]);
        let key = match &verdict.key {
            Key::Same => record.key.as_ref().map(|key| block.bytes(key)),
            Key::Changed(range) => Some(&judged.arena[range.clone()]),
            Key::Withheld => None,
        };
        let one = One { block, judged, at, key, refused };
        match &verdict.fate {
            Fate::Blank | Fate::Stays(_) => Ok(()),
            Fate::Rejected(reject) => self.reject(one, at, *reject),
            Fate::Forwarded(how, body) => {
                let counts = Counts::of(*how);
                self.forward(one, body.as_ref(), counts)
            }
            Fate::Lines(lines) => {
                if let Some(body) = &lines.value {
                    self.forward(one, Some(body), lines.counts)?;
                }
                for reject in lines.rejects.clone() {
                    // A report is about one item that was sent.
                    let Some(flight) = self.flying.back_mut() else { return Ok(()) };
                    let line = Some(judged.output.rejects[reject].line).filter(|line| *line > 0);
                    flight.sent.push(Sent { line, own: false, ..Sent::of((record, verdict)) });
                    let letter = flight.sent.len() - 1;
                    self.reject(one, letter, reject)?;
                }
                Ok(())
            }
        }
    }

    fn forward(&mut self, one: One<'_>, body: Option<&Body>, counts: Counts) -> Result<(), End> {
        let One { block, judged, at, key, refused } = one;
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
        let hop = verdict.hop.map(digits);
        let mut headers = one.headers();
        if let Some(hop) = &hop {
            headers.retain(|(name, _)| *name != HOP);
            headers.push((HOP, Some(hop.as_bytes())));
        }
        let (topic, partition) = home(&block.places()[record.place], record.origin.as_deref());
        let outgoing = Outgoing {
            dead: false,
            topic,
            route: judged.output.route(verdict.route),
            partition,
            key,
            value,
            timestamp: record.timestamp,
            headers: &headers,
        };
        let Some(flight) = self.flying.back_mut() else { return Ok(()) };
        flight.sent[at].counts = Some(counts);
        if self.repeats && self.was_sent(at) {
            return Ok(());
        }
        let Some(flight) = self.flying.back_mut() else { return Ok(()) };
        let was = Was::Read(one);
        let kept = Kept::of_forwarded(key, value, &headers, was);
        if let Some(Refused { reason, bare }) = refused {
            let kept = if bare { kept.short() } else { kept };
            return self.refused((self.flying.len() - 1, at), reason, kept);
        }
        match self.sink.send(Ticket { batch: flight.seq, record: at as u32 }, &outgoing) {
            Ok(()) => {
                flight.outstanding += 1;
                Ok(())
            }
            Err(Refusal::Record(reason)) => self.refused((self.flying.len() - 1, at), reason, kept),
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
}

/// The topic and the partition of a record; for a replay, the original ones.
pub(super) fn home<'a>(place: &'a Place, origin: Option<&'a Origin>) -> (&'a str, i32) {
    match origin {
        None => (&place.topic, place.partition),
        Some(origin) => (&origin.topic, origin.partition),
    }
}

/// Returns the batch of a ticket.
pub(super) fn find(flying: &VecDeque<Flight>, ticket: Ticket) -> Option<usize> {
    flying.binary_search_by_key(&ticket.batch, |flight| flight.seq).ok()
}

/// Returns the timestamp of a ticket's record. For a dead letter, it is the time when it is
/// written.
pub(super) fn timestamp(flying: &VecDeque<Flight>, ticket: Ticket) -> Option<i64> {
    let sent = &flying[find(flying, ticket)?].sent[ticket.record as usize];
    sent.counts.and(sent.timestamp)
}
