//! What is on its way to the sink: records and dead letters, batch by batch.

use std::{collections::VecDeque, io, sync::Arc};

use smallvec::SmallVec;

use super::Desk;
use crate::{
    engine::{Payload, Reason, Reject, Tally},
    pipeline::{
        ports::{self, Observer},
        records::{
            Digest, Outgoing, Reached, RecordSink, Refusal, Ticket,
            batch::RecordBatch,
            block::{Block, Place, Record},
            hops::{HOP, digits},
            judged::{Body, Counts, Fate, Judged, Key},
            letter::{self, Sent},
            origin::Origin,
            original::{original, value},
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
}

/// A batch on its way.
pub(super) struct Flight {
    pub(super) seq: u64,
    /// What was sent and not told of.
    pub(super) outstanding: usize,
    pub(super) tally: Tally,
    /// The schema that it was judged by, by name.
    pub(super) schema: Option<Arc<str>>,
    pub(super) reached: Vec<Reached>,
    pub(super) places: Vec<Place>,
    pub(super) sent: Vec<Sent>,
}

/// A record of a block, and what became of it.
#[derive(Clone, Copy)]
pub(super) struct One<'a> {
    block: &'a Block,
    judged: &'a Judged,
    at: usize,
    /// Its key, as far as it may be seen.
    key: Option<&'a [u8]>,
    /// The sink is known not to take it.
    refused: Option<Reason>,
}

/// What is kept of a record that is not forwarded.
#[derive(Default, Clone, Copy)]
struct Kept<'a> {
    key: Option<&'a [u8]>,
    body: &'a [u8],
    schema: Option<&'a str>,
    sealed: Option<&'a [u8]>,
    /// One header more.
    more: Option<(&'static str, &'a str)>,
    /// Where its bytes are, while they are at hand.
    from: Option<One<'a>>,
}

impl<'a> One<'a> {
    fn record(&self) -> &'a Record {
        &self.block.records()[self.at]
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
        let (flying, undone, topic_broke) = (VecDeque::new(), false, false);
        Self { sink, keeps, seal, digest, observer, desk, flying, undone, topic_broke }
    }

    /// A batch goes on its way.
    pub(super) fn push(&mut self, batch: &RecordBatch) {
        let RecordBatch { seq, block, judged, .. } = batch;
        self.flying.push_back(Flight {
            seq: *seq,
            outstanding: 0,
            tally: judged.output.tally.clone(),
            schema: judged.output.schema.clone(),
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
        refused: Option<Reason>,
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
                    flight.sent.push(Sent { line, ..Sent::of((record, verdict)) });
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
        let (arena, all) = match &verdict.headers {
            None => (None, block.headers(record)),
            Some(range) => (Some(&judged.arena), &judged.headers[range.clone()]),
        };
        let bytes = |range: &std::ops::Range<usize>| match arena {
            None => block.bytes(range),
            Some(arena) => &arena[range.clone()],
        };
        let hop = verdict.hop.map(digits);
        let mut headers: SmallVec<[_; MOST_HEADERS]> = all
            .iter()
            .filter(|header| hop.is_none() || bytes(&header.name) != HOP.as_bytes())
            .map(|header| {
                let name = str::from_utf8(bytes(&header.name)).unwrap_or_default();
                (name, header.value.as_ref().map(bytes))
            })
            .collect();
        headers.extend(hop.as_ref().map(|hop| (HOP, Some(hop.as_bytes()))));
        let (topic, partition) = home(&block.places()[record.place], record.origin.as_deref());
        let outgoing = Outgoing {
            dead: false,
            topic,
            partition,
            key,
            value,
            timestamp: record.timestamp,
            headers: &headers,
        };
        let Some(flight) = self.flying.back_mut() else { return Ok(()) };
        flight.sent[at].counts = Some(counts);
        if let Some(reason) = refused {
            return self.refused(self.flying.len() - 1, at, reason, Some(one));
        }
        match self.sink.send(Ticket { batch: flight.seq, record: at as u32 }, &outgoing) {
            Ok(()) => {
                flight.outstanding += 1;
                Ok(())
            }
            Err(Refusal::Record(reason)) => {
                self.refused(self.flying.len() - 1, at, reason, Some(one))
            }
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

    /// A record of the last flight, or a line of one, is not forwarded: that is `letter` among what was
    /// sent. One that was refused as it was is no more than its place.
    fn reject(&mut self, one: One<'_>, letter: usize, reject: usize) -> Result<(), End> {
        let One { judged, at, key, refused, .. } = one;
        let last = self.flying.len() - 1;
        let reject = &judged.output.rejects[reject];
        let schema = judged.output.schema.as_deref();
        let from = Some(one);
        if refused.is_some() {
            let bare = Reject { payload: Payload::None, ..reject.clone() };
            return self.letter(last, letter, &bare, &Kept { schema, from, ..Kept::default() });
        }
        let body = &judged.output.bodies[reject.body.clone()];
        // What stands for lines that cannot be told apart any more would bring back others.
        let nameless = letter != at && self.flying[last].sent[letter].line.is_none();
        let sealed = if nameless { None } else { self.sealed(one, reject.reason)? };
        let sealed = sealed.as_deref();
        let lacks = match sealed {
            Some(_) => String::new(),
            None => letter::lacks(one.record(), &judged.verdicts[at], reject),
        };
        let more = (!lacks.is_empty()).then_some(("__tamis.errors.lacks", lacks.as_str()));
        self.letter(last, letter, reject, &Kept { key, body, schema, sealed, more, from })
    }

    /// The record as it came, sealed, where its dead letter is kept.
    fn sealed(&self, one: One<'_>, reason: Reason) -> Result<Option<Vec<u8>>, End> {
        let Some(seal) = self.seal.as_ref().filter(|_| (self.keeps)(reason)) else {
            return Ok(None);
        };
        let sealed =
            original(one.block, one.record()).map(|original| seal.seal(&original)).transpose();
        sealed.map_err(|error| End::Failed(Failure::DeadLetter(io::Error::other(error))))
    }

    /// The sink does not take a record: its count moves, and of it only the place is kept.
    pub(super) fn refused(
        &mut self,
        flight: usize,
        at: usize,
        reason: Reason,
        from: Option<One<'_>>,
    ) -> Result<(), End> {
        let Flight { tally, sent, .. } = &mut self.flying[flight];
        let Some(counts) = sent[at].counts else {
            return Err(letter_refused(reason));
        };
        sent[at].stands_for = counts.withdraw(tally);
        tally.rejected[reason.index()] += sent[at].stands_for;
        let reject = Reject::of(reason, at as u32);
        // Lines that have letters of their own come back by these.
        let others = from.and_then(|one| letter::others(one.judged, one.at));
        let sealed = match from.filter(|_| others.is_some()) {
            Some(one) => self.sealed(one, reason)?,
            None => None,
        };
        let (sealed, others) = (sealed.as_deref(), others.as_deref().unwrap_or_default());
        let more = (!others.is_empty()).then_some(("__tamis.errors.others", others));
        self.letter(flight, at, &reject, &Kept { sealed, more, from, ..Kept::default() })
    }

    /// Tells of a reject, and keeps it where it is wanted.
    fn letter(
        &mut self,
        flight: usize,
        at: usize,
        reject: &Reject,
        parts: &Kept<'_>,
    ) -> Result<(), End> {
        let &Kept { key, body, schema, sealed, more, from } = parts;
        let kept = (self.keeps)(reject.reason);
        // What is nowhere else is told apart by that.
        let from = from.filter(|_| kept && body.is_empty() && sealed.is_none());
        let came = from.and_then(|one| value(one.block, one.record()));
        let digest = self.digest.as_ref().zip(came);
        let digest = digest.map(|(digest, value)| digest(&value));
        let Flight { seq, outstanding, places, sent, .. } = &mut self.flying[flight];
        let sent = &mut sent[at];
        (sent.counts, sent.reason) = (None, Some(reject.reason));
        let place = &places[sent.place];
        let (input, line) = letter::place(place, sent);
        let told = ports::Place { input: &input, line, offset: 0, length: reject.len.into() };
        self.observer.rejected(&told, reject, kept);
        if !kept {
            return Ok(());
        }
        let said = letter::headers(place, sent, reject, schema);
        let mut headers: Vec<_> =
            said.iter().map(|(name, value)| (*name, Some(value.as_bytes()))).collect();
        headers.extend(more.map(|(name, value)| (name, Some(value.as_bytes()))));
        headers.extend(sealed.map(|sealed| ("__tamis.sealed", Some(sealed))));
        let digest = digest.as_ref().map(|digest| ("__tamis.errors.digest", digest.as_bytes()));
        headers.extend(digest.map(|(name, digest)| (name, Some(digest))));
        let (topic, partition) = home(place, sent.origin.as_deref());
        let letter = Outgoing {
            dead: true,
            topic,
            partition,
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
            // What cannot be kept whole is kept as its sealed original, or else as its place.
            Err(Refusal::Record(_)) if !body.is_empty() => {
                let bare = Reject { payload: Payload::None, ..reject.clone() };
                self.letter(flight, at, &bare, &Kept { key: None, body: b"", ..*parts })
            }
            Err(Refusal::Record(_)) if sealed.is_some() => {
                self.letter(flight, at, reject, &Kept { sealed: None, ..*parts })
            }
            Err(Refusal::Record(reason)) => self.refused(flight, at, reason, None),
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

/// The topic and the partition that a record is of, wherever it was read.
fn home<'a>(place: &'a Place, origin: Option<&'a Origin>) -> (&'a str, i32) {
    match origin {
        None => (&place.topic, place.partition),
        Some(origin) => (&origin.topic, origin.partition),
    }
}

/// What cannot be kept anywhere ends the run.
pub(super) fn letter_refused(reason: Reason) -> End {
    let what = format!("the dead letter topic refuses a letter ({})", reason.word());
    End::Failed(Failure::DeadLetter(io::Error::other(what)))
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
