//! `[kafka]`, `[source]`, `[sink]` and `[dead_letter]`: topics in place of files.

mod cluster;
mod sink;
mod source;
mod start;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Said, Spot, reader::Reader};
pub use cluster::{KafkaEntry, SaslChoice, SaslEntry, TlsEntry};
pub use sink::{LetterEntry, PartitionChoice, SinkEntry};
pub use source::SourceEntry;
pub use start::{StartChoice, StartEntry};

/// Kafka's own limit on names.
const LONGEST_NAME: usize = 249;

/// All that a file says of topics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streams {
    /// `[kafka]`
    pub kafka: Option<KafkaEntry>,
    /// `[source]`
    pub source: Option<SourceEntry>,
    /// `[sink]`
    pub sink: Option<SinkEntry>,
    /// `[dead_letter]`
    pub dead_letter: Option<LetterEntry>,
}

type Table<'v, 'd> = &'v DeTable<'d>;

/// Complains of keys that are not there.
fn complete(r: &mut Reader<'_>, spot: Spot, table: Table<'_, '_>, wanted: &[&str]) -> bool {
    let there = |name: &&&str| table.iter().any(|(key, _)| key.get_ref().as_ref() == **name);
    let missing: Vec<_> = wanted.iter().filter(|name| !there(name)).collect();
    for name in &missing {
        r.complain(spot, format!("`{name}` is missing"));
    }
    missing.is_empty()
}

fn topic_name(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Said<String>> {
    let said = r.text(value)?;
    named(r, &said);
    Some(said)
}

fn named(r: &mut Reader<'_>, said: &Said<String>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = &said.value;
    let wrong = name.is_empty() || name.len() > LONGEST_NAME || matches!(name.as_str(), "." | "..");
    if wrong || !name.chars().all(plain) {
        let mend = "letters, digits, `.`, `_` and `-`; templates are not there yet";
        r.complain(said.spot, format!("`{name}` is no topic's name: {mend}"));
    }
}

impl Streams {
    /// Whether there are topics.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What belongs together, and what would go in a circle.
    pub(super) fn check(&self, r: &mut Reader<'_>) {
        let Self { kafka, source, sink, dead_letter } = self;
        let spots = [
            kafka.as_ref().map(|entry| entry.spot),
            source.as_ref().map(|entry| entry.spot),
            sink.as_ref().map(|entry| entry.spot),
        ];
        let there = spots.iter().flatten().next();
        let there = there.or(dead_letter.as_ref().map(|entry| &entry.spot));
        if let (Some(spot), true) = (there, spots.iter().any(Option::is_none)) {
            let missing = spots.iter().zip(["[kafka]", "[source]", "[sink]"]);
            let missing: Vec<_> =
                missing.filter(|(spot, _)| spot.is_none()).map(|(_, name)| name).collect();
            if r.is_content() {
                r.complain(*spot, format!("topics need {}, too", missing.join(" and ")));
            }
        }
        let Some(source) = source else { return };
        let sink = sink.as_ref().map(|entry| &entry.topic);
        let letters = dead_letter.as_ref().map(|entry| &entry.topic);
        for said in [sink, letters].into_iter().flatten() {
            if source.covers(&said.value) {
                let what = "what is written there would be read again: [source] has this topic";
                r.complain(said.spot, format!("`{}`: {what}", said.value));
            }
        }
        if let (Some(sink), Some(letters)) = (sink, letters)
            && sink.value == letters.value
        {
            r.complain(letters.spot, "the dead letter needs a topic of its own".into());
        }
    }
}
