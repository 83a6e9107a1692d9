//! The content of what is sent, and of dead letters.

use std::sync::Arc;

use super::{
    Back, Digest, Piece,
    block::{Place, Record},
    hops::HOP,
    judged::{Counts, Fate, Judged, Key, Verdict},
    names,
    origin::Origin,
    value::Value,
};
use crate::pipeline::{Payload, Reason, Reject};

/// The most lines with letters of their own that a record's letter lists.
const MOST_OTHERS: usize = 100;

/// What a report can be about.
pub(super) struct Sent {
    pub(super) place: usize,
    pub(super) offset: i64,
    /// Its first position, if it is replayed.
    pub(super) origin: Option<Arc<Origin>>,
    pub(super) timestamp: Option<i64>,
    pub(super) hop: Option<u32>,
    /// The number of a line of the value, from 1, if it is the dead letter of that line alone.
    pub(super) line: Option<u32>,
    /// The counts of what is forwarded; `None`: it is a dead letter.
    pub(super) counts: Option<Counts>,
    /// The reason why it is not forwarded, and the number of lines.
    pub(super) reason: Option<Reason>,
    pub(super) stands_for: u64,
    /// It is about the record itself, and not about a line of it.
    pub(super) own: bool,
    /// It was not sent: it is read again, or was sent before.
    pub(super) gone: bool,
    /// The route that it took.
    pub(super) route: u16,
}

impl Sent {
    pub(super) fn of((record, verdict): (&Record, &Verdict)) -> Self {
        let &Record { place, offset, timestamp, .. } = record;
        let origin = record.origin.clone();
        let (hop, route, line, counts, reason) = (verdict.hop, verdict.route, None, None, None);
        let (stands_for, own, gone) = (1, true, false);
        Self {
            place,
            offset,
            origin,
            timestamp,
            hop,
            line,
            counts,
            reason,
            stands_for,
            own,
            gone,
            route,
        }
    }

    /// Returns which part of the record it is about, or `None` for a line that cannot be
    /// identified.
    pub(super) fn piece(&self) -> Option<Piece> {
        let piece = Piece { offset: self.offset, line: self.line };
        (self.own || self.line.is_some()).then_some(piece)
    }

    /// Topic, partition, offset and line, as in notifications.
    fn spot<'a>(&'a self, place: &'a Place) -> (&'a str, i32, i64, Option<u32>) {
        match self.origin.as_deref() {
            None => (&place.topic, place.partition, self.offset, self.line),
            Some(Origin { topic, partition, offset, line, .. }) => {
                (topic, *partition, *offset, line.or(self.line))
            }
        }
    }
}

/// The position for messages: `topic[partition]` and the offset, and the line, for a line of a
/// value.
pub(super) fn place(place: &Place, sent: &Sent) -> (String, u64) {
    let (topic, partition, offset, line) = sent.spot(place);
    let partition = format!("{topic}[{partition}]");
    match line {
        None => (partition, u64::try_from(offset).unwrap_or_default()),
        Some(line) => (format!("{partition}:{offset}"), line.into()),
    }
}

/// The headers of a dead letter.
pub(super) fn headers(
    place: &Place,
    sent: &Sent,
    reject: &Reject,
    (schema, route): (Option<&str>, Option<&str>),
) -> Vec<(&'static str, String)> {
    let payload = match reject.payload {
        Payload::None => None,
        Payload::Shape => Some("shape"),
        Payload::Redacted if reject.reason.is_text() => Some("text"),
        Payload::Redacted => Some("event"),
    };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (topic, partition, offset, line) = sent.spot(place);
    let again = sent.origin.as_ref().map(|origin| origin.attempts.saturating_add(1));
    let all = [
        (names::REASON, text(reject.reason.word())),
        (names::TOPIC, text(topic)),
        (names::PARTITION, Some(partition.to_string())),
        (names::OFFSET, Some(offset.to_string())),
        (names::LINE, line.map(|line| line.to_string())),
        (names::TIMESTAMP, sent.timestamp.map(|timestamp| timestamp.to_string())),
        (names::SCHEMA, schema.filter(|_| reject.reason.is_violation()).and_then(text)),
        (names::ROUTE, route.and_then(text)),
        (names::POINTER, text(&reject.pointer)),
        (names::MISSING, text(&reject.missing)),
        (names::PAYLOAD, payload.and_then(text)),
        (names::ATTEMPTS, again.map(|attempts| attempts.to_string())),
        (HOP, sent.hop.map(|hop| hop.to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Returns what the letter lacks of a record, although it has the whole event. The record cannot be
/// rebuilt from it.
pub(super) fn lacks(record: &Record, verdict: &Verdict, reject: &Reject) -> String {
    let is_whole = reject.payload == Payload::Redacted && !reject.reason.is_text()
        || matches!(record.value, Value::Tombstone);
    if !is_whole {
        return String::new();
    }
    let all = [
        ("key", matches!(verdict.key, Key::Withheld)),
        ("prefix", !record.prefix.is_empty()),
        ("compression", record.packed.is_some()),
        ("resource", matches!(record.value, Value::Whole(_))),
    ];
    let lacks: Vec<_> = all.iter().filter(|(_, lacks)| *lacks).map(|(word, _)| *word).collect();
    lacks.join(",")
}

/// Returns which lines of a record have letters of their own, besides the letter for those that the
/// sink does not take; `None`: too many.
pub(super) fn others(judged: &Judged, at: usize) -> Option<String> {
    let Fate::Lines(lines) = &judged.verdicts[at].fate else { return Some(String::new()) };
    if lines.rejects.len() > MOST_OTHERS {
        return None;
    }
    let rejects = &judged.output.rejects[lines.rejects.clone()];
    let numbers: Vec<_> = rejects.iter().map(|reject| reject.line.to_string()).collect();
    Some(numbers.join(","))
}

/// Returns a letter without its long parts: without those of the record, or else without the sealed
/// original; `None`: there are none left.
pub(super) fn shorter(mut letter: Back, digest: Option<&Digest>) -> Option<Back> {
    let value = letter.value.take().filter(|value| !value.is_empty());
    let (key, all) = (letter.key.take(), letter.headers.len());
    letter.headers.retain(|(name, _)| name.starts_with(names::OURS));
    let sealed = letter.headers.iter().any(|(name, _)| name == names::SEALED);
    if value.is_some() || key.is_some() || letter.headers.len() < all {
        letter.headers.retain(|(name, _)| name != names::PAYLOAD);
        // The digest identifies a value that is not kept anywhere.
        if let Some((digest, value)) = digest.filter(|_| !sealed).zip(value) {
            letter.headers.push((names::DIGEST.to_owned(), Some(digest(&value).into_bytes())));
        }
    } else if sealed {
        letter.headers.retain(|(name, _)| name != names::SEALED);
    } else {
        return None;
    }
    Some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_grows_shorter_until_it_is_no_more_than_a_place() {
        let header = |name: &str| (name.to_owned(), Some(b"x".to_vec()));
        let names = |letter: &Back| -> Vec<_> {
            letter.headers.iter().map(|(name, _)| name.clone()).collect()
        };
        let headers =
            vec![header("__tamis.errors.offset"), header(names::PAYLOAD), header(names::SEALED)];
        let whole = Back { key: Some(b"k".to_vec()), value: Some(b"{}".to_vec()), headers };
        let digest: Digest = std::sync::Arc::new(|value| format!("<{}>", value.len()));
        let first = shorter(whole.clone(), Some(&digest)).unwrap();
        assert_eq!((&first.key, &first.value), (&None, &None));
        assert_eq!(names(&first), ["__tamis.errors.offset", names::SEALED]);
        let second = shorter(first, Some(&digest)).unwrap();
        assert_eq!(names(&second), ["__tamis.errors.offset"]);
        assert_eq!(shorter(second, Some(&digest)), None);
        // A key or a header of the record itself may be the part that is too long.
        let own = vec![header("__tamis.errors.offset"), header(names::PAYLOAD), header("mine")];
        let bare = Back { key: Some(b"k".to_vec()), value: Some(Vec::new()), headers: own };
        let bare = shorter(bare, Some(&digest)).unwrap();
        assert_eq!((&bare.key, names(&bare)), (&None, vec!["__tamis.errors.offset".to_owned()]));
        assert_eq!(shorter(bare, Some(&digest)), None);
        let open = Back { headers: vec![header("__tamis.errors.offset")], ..whole };
        let bare = shorter(open, Some(&digest)).unwrap();
        assert_eq!(bare.headers[1], (names::DIGEST.to_owned(), Some(b"<2>".to_vec())));
    }
}
