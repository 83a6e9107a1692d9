//! What is sent, and what a dead letter says of it.

use super::{
    block::{Place, Record},
    hops::HOP,
    judged::{Counts, Verdict},
};
use crate::engine::{Payload, Reason, Reject};

/// What a report can be about.
pub(super) struct Sent {
    pub(super) place: usize,
    pub(super) offset: i64,
    pub(super) timestamp: Option<i64>,
    pub(super) hop: Option<u32>,
    /// A line of the value, from 1, where it is a dead letter of that alone.
    pub(super) line: Option<u32>,
    /// What of it is forwarded; `None`: it is a dead letter.
    pub(super) counts: Option<Counts>,
    /// Why it is not, and for how many lines that stands.
    pub(super) reason: Option<Reason>,
    pub(super) stands_for: u64,
}

impl Sent {
    pub(super) fn of((record, verdict): (&Record, &Verdict)) -> Self {
        let &Record { place, offset, timestamp, .. } = record;
        let (hop, line, counts, reason) = (verdict.hop, None, None, None);
        Self { place, offset, timestamp, hop, line, counts, reason, stands_for: 1 }
    }
}

/// Where something stood, for who is told of it: `topic[partition]` and the offset, or, of a line of a
/// value, that and the line.
pub(super) fn place(place: &Place, sent: &Sent) -> (String, u64) {
    let partition = format!("{}[{}]", place.topic, place.partition);
    match sent.line {
        None => (partition, u64::try_from(sent.offset).unwrap_or_default()),
        Some(line) => (format!("{partition}:{}", sent.offset), line.into()),
    }
}

/// A dead letter's headers.
pub(super) fn headers(
    place: &Place,
    sent: &Sent,
    reject: &Reject,
    schema: Option<&str>,
) -> Vec<(&'static str, String)> {
    let payload = match reject.payload {
        Payload::None => None,
        Payload::Shape => Some("shape"),
        Payload::Redacted if matches!(reject.reason, Reason::Text | Reason::NotJson) => {
            Some("text")
        }
        Payload::Redacted => Some("event"),
    };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let all = [
        ("__tamis.errors.reason", text(reject.reason.word())),
        ("__tamis.errors.topic", text(&place.topic)),
        ("__tamis.errors.partition", Some(place.partition.to_string())),
        ("__tamis.errors.offset", Some(sent.offset.to_string())),
        ("__tamis.errors.line", sent.line.map(|line| line.to_string())),
        ("__tamis.errors.timestamp", sent.timestamp.map(|timestamp| timestamp.to_string())),
        ("__tamis.errors.schema", schema.filter(|_| reject.reason.is_violation()).and_then(text)),
        ("__tamis.errors.pointer", text(&reject.pointer)),
        ("__tamis.errors.missing", text(&reject.missing)),
        ("__tamis.errors.payload", payload.and_then(text)),
        (HOP, sent.hop.map(|hop| hop.to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
