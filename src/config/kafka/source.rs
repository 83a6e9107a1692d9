//! `[source]`: which topics are read.

use toml::{Spanned, de::DeValue};

use super::{StartEntry, complete, named};
use crate::config::{Said, Spot, reader::Reader};

const SOURCE: &[&str] = &["topics", "group", "no_offset", "new_partition", "out_of_range"];

/// `[source]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// Where it stands.
    pub spot: Spot,
    /// Topics, or regular expressions with `^` in front.
    pub topics: Vec<Said<String>>,
    /// The consumer group.
    pub group: Said<String>,
    /// Where partitions begin.
    pub start: StartEntry,
}

impl SourceEntry {
    pub(in crate::config) fn read(
        r: &mut Reader<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut topics, mut group) = (Vec::new(), None);
        let mut start = StartEntry::default();
        let complete = complete(r, spot, table, &SOURCE[..2]);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "topics" => topics = r.one_or_more(value)?,
                "group" => group = r.text(value),
                other if StartEntry::KEYS.contains(&other) => start.read(r, other, value),
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
        Some(Self { spot, topics, group: group?, start })
    }

    /// Whether the group reads a topic of this name.
    pub fn covers(&self, topic: &str) -> bool {
        self.topics.iter().any(|said| match said.value.starts_with('^') {
            true => regex::Regex::new(&said.value).is_ok_and(|regex| regex.is_match(topic)),
            false => said.value == topic,
        })
    }
}
