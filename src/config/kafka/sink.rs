//! `[sink]` and `[dead_letter]`: which topics are written.

use clap::ValueEnum;
use toml::{Spanned, de::DeValue};

use super::{complete, topic_name};
use crate::config::{Said, Spot, reader::Reader};

const SINK: &[&str] = &["topic", "partition", "pseudonym_key_file"];
const DEAD_LETTER: &[&str] = &["topic", "encrypt_to"];

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
    /// A public key of age's: originals are sealed to it.
    pub encrypt_to: Option<Said<String>>,
}

impl SinkEntry {
    pub(in crate::config) fn read(
        r: &mut Reader<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Self> {
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
    pub(in crate::config) fn read(
        r: &mut Reader<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut topic, mut encrypt_to) = (None, None);
        let complete = complete(r, spot, table, &DEAD_LETTER[..1]);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "topic" => topic = topic_name(r, value),
                "encrypt_to" => encrypt_to = r.text(value),
                _ => r.unknown(key, DEAD_LETTER),
            }
        }
        complete.then_some(())?;
        Some(Self { spot, topic: topic?, encrypt_to })
    }
}
