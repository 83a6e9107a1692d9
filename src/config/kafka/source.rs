//! `[source]`: which topics are read.

use clap::ValueEnum;
use toml::{Spanned, de::DeValue};

use super::{StartEntry, complete, named};
use crate::{
    config::{Said, Spot, reader::Reader},
    kafka::check_pattern,
};

const SOURCE: &[&str] =
    &["topics", "group", "framing", "no_offset", "new_partition", "out_of_range"];

/// `[source]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// Its position.
    pub spot: Spot,
    /// Topics, or regular expressions that begin with `^`.
    pub topics: Vec<Said<String>>,
    /// The consumer group.
    pub group: Said<String>,
    /// The content of a value.
    pub framing: Option<Said<FramingChoice>>,
    /// Where to start reading a partition.
    pub start: StartEntry,
}

/// `source.framing`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FramingChoice {
    /// One event, which may have several lines
    #[default]
    Event,
    /// Lines, each of which is an event
    Ndjson,
    /// OTLP logs as JSON: each log record is an event
    Otlp,
}

impl SourceEntry {
    pub(in crate::config) fn read(
        r: &mut Reader<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut topics, mut group, mut framing) = (Vec::new(), None, None);
        let mut start = StartEntry::default();
        let complete = complete(r, spot, table, &SOURCE[..2]);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "topics" => topics = r.one_or_more(value)?,
                "group" => group = r.text(value),
                "framing" => framing = r.choice(value),
                other if StartEntry::KEYS.contains(&other) => start.read(r, other, value),
                _ => r.unknown(key, SOURCE),
            }
        }
        for said in &topics {
            pattern(r, said);
        }
        complete.then_some(())?;
        Some(Self { spot, topics, group: group?, framing, start })
    }
}

/// The name of a topic, or a regular expression for names that begins with `^`.
pub(in crate::config) fn pattern(r: &mut Reader<'_>, said: &Said<String>) {
    if !said.value.starts_with('^') {
        return named(r, said);
    }
    if let Err(what) = check_pattern(&said.value) {
        r.complain(said.spot, what);
    }
}
