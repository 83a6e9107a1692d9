//! `[kafka]`, `[source]`, `[sink]` and `[dead_letter]`: topics in place of files.

use clap::ValueEnum;
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{Said, Spot, reader::Reader};
use crate::kafka;

const KAFKA: &[&str] = &["brokers", "tls", "sasl", "properties"];
const TLS: &[&str] = &["ca", "certificate", "key"];
const SASL: &[&str] = &["mechanism", "user", "password_file"];
const SOURCE: &[&str] = &["topics", "group"];
const SINK: &[&str] = &["topic", "partition", "pseudonym_key_file"];
const DEAD_LETTER: &[&str] = &["topic"];
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

/// `[kafka]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaEntry {
    /// Where it stands.
    pub spot: Spot,
    /// Some of the cluster's brokers.
    pub brokers: Vec<Said<String>>,
    /// How they are known.
    pub tls: Option<TlsEntry>,
    /// How this program is known.
    pub sasl: Option<SaslEntry>,
    /// librdkafka's.
    pub properties: Vec<(String, Said<String>)>,
}

/// `kafka.tls`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsEntry {
    /// Who vouches for the brokers; by default, the system's.
    pub ca: Option<Said<String>>,
    /// This program's certificate.
    pub certificate: Option<Said<String>>,
    /// Its key.
    pub key: Option<Said<String>>,
}

/// `kafka.sasl`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslEntry {
    /// How.
    pub mechanism: Said<SaslChoice>,
    /// Who.
    pub user: Said<String>,
    /// Where the password is.
    pub password_file: Said<String>,
}

/// `kafka.sasl.mechanism`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SaslChoice {
    /// PLAIN
    #[value(name = "PLAIN")]
    Plain,
    /// SCRAM-SHA-256
    #[value(name = "SCRAM-SHA-256")]
    Scram256,
    /// SCRAM-SHA-512
    #[value(name = "SCRAM-SHA-512")]
    Scram512,
}

/// `[source]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// Where it stands.
    pub spot: Spot,
    /// Topics, or regular expressions with `^` in front.
    pub topics: Vec<Said<String>>,
    /// The consumer group.
    pub group: Said<String>,
}

/// `[sink]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkEntry {
    /// Where it stands.
    pub spot: Spot,
    /// The topic.
    pub topic: Said<String>,
    /// What decides about partitions.
    pub partition: Option<Said<PartitionChoice>>,
    /// Where the secret is that pseudonyms of keys are made with.
    pub pseudonym_key_file: Option<Said<String>>,
}

/// `sink.partition`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PartitionChoice {
    /// The key, as with the Java client
    #[default]
    Key,
    /// The partition that it came from
    Same,
}

/// `[dead_letter]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterEntry {
    /// Where it stands.
    pub spot: Spot,
    /// The topic.
    pub topic: Said<String>,
}

type Table<'v, 'd> = &'v DeTable<'d>;
type Key<'d> = Spanned<DeString<'d>>;

impl KafkaEntry {
    pub(super) fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let mut entry =
            Self { spot, brokers: Vec::new(), tls: None, sasl: None, properties: vec![] };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "brokers" => entry.brokers = r.one_or_more(value)?,
                "tls" => entry.tls = TlsEntry::read(r, value),
                "sasl" => entry.sasl = SaslEntry::read(r, value),
                "properties" => {
                    let (_, all) = r.entry(value)?;
                    for (key, value) in all {
                        entry.properties.extend(property(r, key, value));
                    }
                }
                _ => r.unknown(key, KAFKA),
            }
        }
        if entry.brokers.is_empty() {
            r.complain(spot, "`brokers` is missing: brokers = [\"host:9092\"]".into());
        }
        Some(entry)
    }
}

/// A property of librdkafka's that may be set.
fn property(
    r: &mut Reader<'_>,
    key: &Key<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Option<(String, Said<String>)> {
    let name = key.get_ref().to_string();
    if let Some(why) = kafka::kept(&name) {
        r.complain(r.spot(key.span().start), format!("`{name}` cannot be set: {why}"));
        return None;
    }
    Some((name, r.text(value)?))
}

impl TlsEntry {
    fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (_, table) = r.entry(value)?;
        let mut entry = Self::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "ca" => entry.ca = r.text(value),
                "certificate" => entry.certificate = r.text(value),
                "key" => entry.key = r.text(value),
                _ => r.unknown(key, TLS),
            }
        }
        Some(entry)
    }
}

impl SaslEntry {
    fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut mechanism, mut user, mut password_file) = (None, None, None);
        let complete = complete(r, spot, table, SASL);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "mechanism" => mechanism = r.choice(value),
                "user" => user = r.text(value),
                "password_file" => password_file = r.text(value),
                _ => r.unknown(key, SASL),
            }
        }
        complete.then_some(())?;
        Some(Self { mechanism: mechanism?, user: user?, password_file: password_file? })
    }
}

/// Complains of keys that are not there.
fn complete(r: &mut Reader<'_>, spot: Spot, table: Table<'_, '_>, wanted: &[&str]) -> bool {
    let there = |name: &&&str| table.iter().any(|(key, _)| key.get_ref().as_ref() == **name);
    let missing: Vec<_> = wanted.iter().filter(|name| !there(name)).collect();
    for name in &missing {
        r.complain(spot, format!("`{name}` is missing"));
    }
    missing.is_empty()
}

impl SourceEntry {
    pub(super) fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut topics, mut group) = (Vec::new(), None);
        let complete = complete(r, spot, table, SOURCE);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "topics" => topics = r.one_or_more(value)?,
                "group" => group = r.text(value),
                _ => r.unknown(key, SOURCE),
            }
        }
        for said in &topics {
            match said.value.starts_with('^') {
                true => {
                    if let Err(error) = regex::Regex::new(&said.value) {
                        let what = error.to_string();
                        let what = what.lines().last().unwrap_or_default().to_owned();
                        r.complain(said.spot, format!("`{}` is no regex: {what}", said.value));
                    }
                }
                false => named(r, said),
            }
        }
        complete.then_some(())?;
        Some(Self { spot, topics, group: group? })
    }

    /// Whether the group reads a topic of this name.
    pub fn covers(&self, topic: &str) -> bool {
        self.topics.iter().any(|said| match said.value.starts_with('^') {
            true => regex::Regex::new(&said.value).is_ok_and(|regex| regex.is_match(topic)),
            false => said.value == topic,
        })
    }
}

impl SinkEntry {
    pub(super) fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut topic, mut partition, mut pseudonym_key_file) = (None, None, None);
        let complete = complete(r, spot, table, &SINK[..1]);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "topic" => topic = topic_name(r, value),
                "partition" => partition = r.choice(value),
                "pseudonym_key_file" => pseudonym_key_file = r.text(value),
                _ => r.unknown(key, SINK),
            }
        }
        complete.then_some(())?;
        Some(Self { spot, topic: topic?, partition, pseudonym_key_file })
    }
}

impl LetterEntry {
    pub(super) fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let mut topic = None;
        let complete = complete(r, spot, table, DEAD_LETTER);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "topic" => topic = topic_name(r, value),
                _ => r.unknown(key, DEAD_LETTER),
            }
        }
        complete.then_some(())?;
        Some(Self { spot, topic: topic? })
    }
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
