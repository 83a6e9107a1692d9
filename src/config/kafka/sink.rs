//! `[sink]` and `[dead_letter]`: which topics are written.

use clap::ValueEnum;
use toml::{Spanned, de::DeValue};

use super::{complete, source::pattern, template};
use crate::config::{Said, Spot, reader::Reader};

const SINK: &[&str] = &["topic", "routes", "partition", "hops", "pseudonym_key_file"];
/// More than any real chain of stages.
const MOST_HOPS: u32 = 1000;
const ROUTE: &[&str] = &["from", "topic"];
const DEAD_LETTER: &[&str] = &["topic", "encrypt_to"];

/// `[sink]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkEntry {
    /// Its position.
    pub spot: Spot,
    /// The topic. `{topic}` is replaced by the name of the topic that is read.
    pub topic: Said<String>,
    /// Other topics for some of the topics that are read. The first match counts.
    pub routes: Vec<RouteEntry>,
    /// How the partition is chosen.
    pub partition: Option<Said<PartitionChoice>>,
    /// The most times that a record is forwarded; 0: no limit.
    pub hops: Option<Said<u32>>,
    /// The file with the secret for pseudonyms of keys.
    pub pseudonym_key_file: Option<Said<String>>,
}

/// One of `sink.routes`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteEntry {
    /// The name of a topic that is read, or a regular expression that begins with `^`.
    pub from: Said<String>,
    /// The topic that its records go to.
    pub topic: Said<String>,
}

/// `sink.partition`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PartitionChoice {
    /// By the key, like the Java client
    #[default]
    Key,
    /// The partition that the record was read from
    Same,
}

/// `[dead_letter]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterEntry {
    /// Its position.
    pub spot: Spot,
    /// The topic. `{topic}` is replaced by the name of the topic that is read.
    pub topic: Said<String>,
    /// An age public key that original records are encrypted for.
    pub encrypt_to: Option<Said<String>>,
}

impl SinkEntry {
    pub(in crate::config) fn read(
        r: &mut Reader<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut topic, mut routes) = (None, Vec::new());
        let (mut partition, mut hops, mut pseudonym_key_file) = (None, None, None);
        let complete = complete(r, spot, table, &SINK[..1]);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "topic" => topic = template(r, value),
                "routes" => routes = r.tables("sink.routes", value, RouteEntry::read),
                "partition" => partition = r.choice(value),
                "hops" => hops = r.whole(value, 0..=MOST_HOPS),
                "pseudonym_key_file" => pseudonym_key_file = r.text(value),
                _ => r.unknown(key, SINK),
            }
        }
        complete.then_some(())?;
        Some(Self { spot, topic: topic?, routes, partition, hops, pseudonym_key_file })
    }
}

impl RouteEntry {
    fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut from, mut topic) = (None, None);
        let complete = complete(r, spot, table, ROUTE);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "from" => {
                    from = r.text(value);
                    from.iter().for_each(|said| pattern(r, said));
                }
                "topic" => topic = template(r, value),
                _ => r.unknown(key, ROUTE),
            }
        }
        complete.then_some(())?;
        Some(Self { from: from?, topic: topic? })
    }
}

impl LetterEntry {
    pub(in crate::config) fn read(
        r: &mut Reader<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut topic, mut encrypt_to) = (None, None);
        let complete = complete(r, spot, table, &DEAD_LETTER[..1]);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "topic" => topic = template(r, value),
                "encrypt_to" => encrypt_to = r.text(value),
                _ => r.unknown(key, DEAD_LETTER),
            }
        }
        complete.then_some(())?;
        Some(Self { spot, topic: topic?, encrypt_to })
    }
}
