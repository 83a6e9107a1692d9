//! Dead letters of records that are not forwarded.

use std::{borrow::Cow, io};

use super::{
    Outbox,
    outbox::{Flight, One, Own, home},
};
use crate::pipeline::{
    Payload, Reason, Reject, ports,
    records::{
        Back, Outgoing, Refusal, Ticket, letter, names,
        original::{original, value},
        value::Value,
    },
    report::{End, Failure},
};

/// The header for a record without a value.
const TOMBSTONE: Own<'static> = (names::PAYLOAD, Some(names::TOMBSTONE.as_bytes()));

/// What is kept of a record that is not forwarded.
#[derive(Default, Clone, Copy)]
pub(super) struct Kept<'a> {
    key: Option<&'a [u8]>,
    body: &'a [u8],
    /// The record's own headers, as far as they may be shown.
    headers: &'a [Own<'a>],
    schema: Option<&'a str>,
    sealed: Option<&'a [u8]>,
    /// One additional header.
    more: Option<Own<'a>>,
    /// The record.
    was: Was<'a>,
}

/// A record that is not forwarded, as far as its bytes are available.
#[derive(Default, Clone, Copy)]
pub(super) enum Was<'a> {
    #[default]
    Gone,
    /// As it was read.
    Read(One<'a>),
    /// As it was sent.
    Sent(&'a [u8]),
}

impl<'a> Kept<'a> {
    /// What would have been forwarded.
    pub(super) fn of_forwarded(
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: &'a [Own<'a>],
        was: Was<'a>,
    ) -> Self {
        let (body, more) = (value.unwrap_or_default(), value.is_none().then_some(TOMBSTONE));
        Self { key, body, headers, more, was, ..Self::default() }
    }

    /// What was sent, and came back.
    fn of(back: &'a Back, headers: &'a [Own<'a>]) -> Self {
        let (key, value) = (back.key.as_deref(), back.value.as_deref());
        let was = value.map_or(Was::Gone, Was::Sent);
        Self::of_forwarded(key, value, headers, was)
    }

    /// Returns whether it contains more than its position and its original.
    fn is_long(&self) -> bool {
        self.key.is_some() || !self.body.is_empty() || !self.headers.is_empty()
    }

    /// Keeps only its position and its original.
    pub(super) fn short(self) -> Self {
        let more = self.more.filter(|more| *more != TOMBSTONE);
        Self { key: None, body: b"", headers: &[], more, ..self }
    }
}

impl<'a> Was<'a> {
    fn value(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Gone => None,
            Self::Read(one) => value(one.block, one.record()).map(Cow::Owned),
            Self::Sent(value) => Some(Cow::Borrowed(value)),
        }
    }
}

impl Outbox {
    /// A record of the last batch, or a line of one, is not forwarded. Its dead letter is `letter`
    /// among what was sent. For a record that was refused as it was, only the position is kept.
    pub(super) fn reject(&mut self, one: One<'_>, letter: usize, reject: usize) -> Result<(), End> {
        let One { judged, at, key, refused, .. } = one;
        let last = self.flying.len() - 1;
        let reject = &judged.output.rejects[reject];
        let schema = judged.output.schema_of(reject.route);
        let was = Was::Read(one);
        if refused.is_some() {
            let bare = Reject { payload: Payload::None, ..reject.clone() };
            return self.letter(last, letter, &bare, &Kept { schema, was, ..Kept::default() });
        }
        let body = &judged.output.bodies[reject.body.clone()];
        // A letter for lines that cannot be identified would bring back other lines, too.
        let nameless = letter != at && self.flying[last].sent[letter].line.is_none();
        let sealed = if nameless { None } else { self.sealed(one, reject.reason)? };
        let sealed = sealed.as_deref();
        let lacks = match sealed {
            Some(_) => String::new(),
            None => letter::lacks(one.record(), &judged.verdicts[at], reject),
        };
        let more = match &one.record().value {
            _ if !lacks.is_empty() => Some((names::LACKS, Some(lacks.as_bytes()))),
            Value::Tombstone => Some(TOMBSTONE),
            _ => None,
        };
        let headers = &one.headers();
        self.letter(last, letter, reject, &Kept { key, body, headers, schema, sealed, more, was })
    }

    /// Seals the original record, if its dead letter is kept.
    fn sealed(&self, one: One<'_>, reason: Reason) -> Result<Option<Vec<u8>>, End> {
        let Some(seal) = self.seal.as_ref().filter(|_| (self.keeps)(reason)) else {
            return Ok(None);
        };
        let sealed =
            original(one.block, one.record()).map(|original| seal.seal(&original)).transpose();
        sealed.map_err(|error| End::Failed(Failure::DeadLetter(io::Error::other(error))))
    }

    /// The sink does not take a record: its count changes, and what would have been forwarded is
    /// kept.
    pub(super) fn refused(
        &mut self,
        (flight, at): (usize, usize),
        reason: Reason,
        kept: Kept<'_>,
    ) -> Result<(), End> {
        let Flight { tally, sent, .. } = &mut self.flying[flight];
        let Some(counts) = sent[at].counts else {
            return Err(letter_refused(reason));
        };
        let route = sent[at].route;
        sent[at].stands_for = counts.withdraw(tally, route);
        tally.reject(route, reason, sent[at].stands_for);
        let payload = if kept.body.is_empty() { Payload::None } else { Payload::Redacted };
        let reject = Reject { payload, route, ..Reject::of(reason, at as u32) };
        // Lines that have letters of their own are replayed from those.
        let (sealed, others) = match kept.was {
            Was::Read(one) => match letter::others(one.judged, one.at) {
                Some(others) => (self.sealed(one, reason)?, others),
                None => (None, String::new()),
            },
            Was::Gone | Was::Sent(_) => (None, String::new()),
        };
        let sealed = sealed.as_deref();
        let others = Some(others.as_str()).filter(|others| sealed.is_some() && !others.is_empty());
        let more = others.map(|others| (names::OTHERS, Some(others.as_bytes()))).or(kept.more);
        self.letter(flight, at, &reject, &Kept { sealed, more, ..kept })
    }

    /// The sink does not take what was sent. A dead letter is sent again without its long parts:
    /// first without its value, and then without the sealed original.
    pub(super) fn refused_later(
        &mut self,
        (flight, at): (usize, usize),
        reason: Reason,
        back: Option<Back>,
    ) -> Result<(), End> {
        if self.flying[flight].sent[at].counts.is_some() {
            let headers = back.as_ref().map(own).unwrap_or_default();
            let kept = back.as_ref().map(|back| Kept::of(back, &headers)).unwrap_or_default();
            return self.refused((flight, at), reason, kept);
        }
        let Some(letter) = back.and_then(|back| letter::shorter(back, self.digest.as_ref())) else {
            return Err(letter_refused(reason));
        };
        match self.post((flight, at), None, b"", &own(&letter))? {
            None => Ok(()),
            Some(reason) => self.refused_later((flight, at), reason, Some(letter)),
        }
    }

    /// Reports a reject, and keeps it if that is wanted.
    fn letter(
        &mut self,
        flight: usize,
        at: usize,
        reject: &Reject,
        parts: &Kept<'_>,
    ) -> Result<(), End> {
        let kept = (self.keeps)(reject.reason);
        let sent = &mut self.flying[flight].sent[at];
        (sent.counts, sent.reason) = (None, Some(reject.reason));
        if self.repeats && flight + 1 == self.flying.len() && self.was_sent(at) {
            return Ok(());
        }
        let Flight { places, sent, .. } = &self.flying[flight];
        let sent = &sent[at];
        let (input, line) = letter::place(&places[sent.place], sent);
        let told = ports::Place { input: &input, line, offset: 0, length: reject.len.into() };
        self.observer.rejected(&told, reject, kept);
        if kept { self.keep((flight, at), reject, parts) } else { Ok(()) }
    }

    /// Sends a dead letter. What cannot be kept whole is kept as its sealed original, or else as
    /// its position.
    fn keep(
        &mut self,
        (flight, at): (usize, usize),
        reject: &Reject,
        parts: &Kept<'_>,
    ) -> Result<(), End> {
        let &Kept { key, body, headers: own, schema, sealed, more, was } = parts;
        // The digest identifies a value that is not kept anywhere.
        let told_apart = body.is_empty() && sealed.is_none();
        let digest = self.digest.as_ref().filter(|_| told_apart).zip(was.value());
        let digest = digest.map(|(digest, value)| digest(&value));
        let Flight { places, sent, routes, .. } = &self.flying[flight];
        let route = routes.get(usize::from(sent[at].route)).filter(|_| routes.len() > 1);
        let rules = (schema, route.map(|route| &*route.name));
        let said = letter::headers(&places[sent[at].place], &sent[at], reject, rules);
        // Like Kafka Connect: the record's own headers come first.
        let mut headers: Vec<Own<'_>> =
            own.iter().filter(|(name, _)| !name.starts_with(names::OURS)).copied().collect();
        headers.extend(said.iter().map(|(name, value)| (*name, Some(value.as_bytes()))));
        headers.extend(more);
        headers.extend(sealed.map(|sealed| (names::SEALED, Some(sealed))));
        let digest = digest.as_ref().map(|digest| (names::DIGEST, Some(digest.as_bytes())));
        headers.extend(digest);
        match self.post((flight, at), key, body, &headers)? {
            None => Ok(()),
            Some(_) if parts.is_long() => {
                let bare = Reject { payload: Payload::None, ..reject.clone() };
                self.keep((flight, at), &bare, &parts.short())
            }
            Some(_) if sealed.is_some() => {
                self.keep((flight, at), reject, &Kept { sealed: None, ..*parts })
            }
            Some(reason) => Err(letter_refused(reason)),
        }
    }

    /// Sends a letter. Returns the reason if it is not taken.
    fn post(
        &mut self,
        (flight, at): (usize, usize),
        key: Option<&[u8]>,
        value: &[u8],
        headers: &[Own<'_>],
    ) -> Result<Option<Reason>, End> {
        let Flight { seq, outstanding, places, sent, routes, .. } = &mut self.flying[flight];
        let route = routes.get(usize::from(sent[at].route)).filter(|_| routes.len() > 1);
        let (topic, partition) = home(&places[sent[at].place], sent[at].origin.as_deref());
        let letter = Outgoing {
            dead: true,
            topic,
            route: route.map(|route| &*route.name),
            partition,
            key,
            value: Some(value),
            timestamp: None,
            headers,
        };
        match self.sink.send(Ticket { batch: *seq, record: at as u32 }, &letter) {
            Ok(()) => *outstanding += 1,
            Err(Refusal::Record(reason)) => return Ok(Some(reason)),
            Err(Refusal::Topic(why)) => self.unsent(flight, at, &why),
            Err(Refusal::Undone) => self.undone = true,
            Err(Refusal::Sink(error)) => return Err(End::Failed(Failure::Sink(error))),
        }
        Ok(None)
    }
}

/// The headers of what was sent.
fn own(back: &Back) -> Vec<Own<'_>> {
    back.headers.iter().map(|(name, value)| (&**name, value.as_deref())).collect()
}

/// A record that cannot be kept anywhere ends the run.
pub(super) fn letter_refused(reason: Reason) -> End {
    let what = format!("the dead letter topic rejected a dead letter ({})", reason.word());
    End::Failed(Failure::DeadLetter(io::Error::other(what)))
}
