//! What is on its way to the sink: records and dead letters, batch by batch.

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

/// A record that has no more headers costs no room of its own for them.
const MOST_HEADERS: usize = 8;

/// Sends what became of batches.
pub(in crate::pipeline::records) struct Outbox {
    pub(super) sink: Box<dyn RecordSink>,
    pub(super) keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
    /// Whom the originals of dead letters are sealed to.
    pub(super) seal: Option<Seal>,
    /// What tells values apart that are not kept.
    pub(super) digest: Option<Digest>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) desk: Desk,
    /// Batches whose records are not all told of, in the order of the input.
    pub(super) flying: VecDeque<Flight>,
    /// The transaction that records were sent in does not hold any more.
    pub(super) undone: bool,
    /// A topic showed a fault of its own since this was looked at.
    pub(super) topic_broke: bool,
    /// Something of the last batch is read again although it was sent and is durable.
    pub(super) repeats: bool,
}

/// A batch on its way.
pub(super) struct Flight {
    pub(super) seq: u64,
    /// What was sent and not told of.
    pub(super) outstanding: usize,
    pub(super) tally: Tally,
    /// The routes of the plan that it was judged by.
    pub(super) routes: Arc<[RouteInfo]>,
    pub(super) reached: Vec<Reached>,
    pub(super) places: Vec<Place>,
    pub(super) sent: Vec<Sent>,
}

/// A record of a block, and what became of it.
#[derive(Clone, Copy)]
pub(super) struct One<'a> {
    pub(super) block: &'a Block,
    pub(super) judged: &'a Judged,
    pub(super) at: usize,
    /// Its key, as far as it may be seen.
    pub(super) key: Option<&'a [u8]>,
    /// The sink is known not to take it.
    pub(super) refused: Option<Refused>,
}

/// What is known of a record that the sink does not take.
#[derive(Clone, Copy)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    /// Nor does it take a dead letter that holds more than its place.
    pub(super) bare: bool,
}

/// A header of a record, as it is sent.
pub(super) type Own<'a> = (&'a str, Option<&'a [u8]>);

impl<'a> One<'a> {
    pub(super) fn record(&self) -> &'a Record {
        &self.block.records()[self.at]
    }

    /// Its headers, as far as they may be seen.
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
    /// Nothing is on its way yet.
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

    /// A batch goes on its way.
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

    /// Sends a record of the batch that was pushed last, or what is kept of it. `refused`: the sink is
    /// known not to take it.
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
                    // A report is about one thing that was sent.
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

/// The topic and the partition that a record is of, wherever it was read.
pub(super) fn home<'a>(place: &'a Place, origin: Option<&'a Origin>) -> (&'a str, i32) {
    match origin {
        None => (&place.topic, place.partition),
        Some(origin) => (&origin.topic, origin.partition),
    }
}

/// The flight that a ticket is of.
pub(super) fn find(flying: &VecDeque<Flight>, ticket: Ticket) -> Option<usize> {
    flying.binary_search_by_key(&ticket.batch, |flight| flight.seq).ok()
}

/// With which timestamp a ticket's record was sent; a dead letter has the time at which it is written.
pub(super) fn timestamp(flying: &VecDeque<Flight>, ticket: Ticket) -> Option<i64> {
    let sent = &flying[find(flying, ticket)?].sent[ticket.record as usize];
    sent.counts.and(sent.timestamp)
}
