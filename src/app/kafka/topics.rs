//! What a configuration says of topics, resolved, and whether a cluster has them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::connect::{self, secret_file};
use crate::{
    config::kafka::{PartitionChoice, SourceEntry, Streams},
    kafka,
    records::Pseudonyms,
};

/// Topics, resolved.
pub(crate) struct Topics {
    /// How the cluster is reached, as librdkafka's properties.
    pub(super) properties: Vec<(String, String)>,
    pub(super) source: SourceEntry,
    pub(super) sink: String,
    pub(crate) dead_letter: Option<String>,
    pub(super) same_partition: bool,
    pub(super) pseudonyms: Option<Pseudonyms>,
    /// Where notes of what is being judged are kept.
    pub(super) data_dir: Option<PathBuf>,
}

/// Resolves and judges what is said of topics; `None` where nothing is.
pub(crate) fn resolve(streams: &Streams) -> Result<Option<Topics>> {
    let Streams { kafka: Some(kafka), source: Some(source), sink: Some(sink), dead_letter } =
        streams
    else {
        return Ok(None);
    };
    let properties = connect::properties(kafka)?;
    let secret = sink.pseudonym_key_file.as_ref();
    let pseudonyms = secret.map(|said| {
        let secret = secret_file("sink.pseudonym_key_file", &said.value)?;
        let made = Pseudonyms::new(secret.as_bytes());
        made.with_context(|| format!("sink.pseudonym_key_file {}", said.value))
    });
    Ok(Some(Topics {
        properties,
        source: source.clone(),
        sink: sink.topic.value.clone(),
        dead_letter: dead_letter.as_ref().map(|entry| entry.topic.value.clone()),
        same_partition: sink.partition.as_ref().map(|said| said.value)
            == Some(PartitionChoice::Same),
        pseudonyms: pseudonyms.transpose()?,
        data_dir: kafka.data_dir.as_ref().map(|said| PathBuf::from(&said.value)),
    }))
}

impl Topics {
    /// Whether a cluster has what is named; how many partitions the source has.
    pub(super) fn check(&self, all: &kafka::Topics) -> Result<usize> {
        let written = [Some(&self.sink), self.dead_letter.as_ref()];
        let named = self.source.topics.iter().map(|said| &said.value);
        let named = named.filter(|topic| !topic.starts_with('^'));
        for topic in written.into_iter().flatten().chain(named) {
            if !all.contains_key(topic) {
                bail!("kafka: no topic `{topic}`, or none that this user may see: make it first");
            }
        }
        self.fit().judge(all)?;
        let read = all.iter().filter(|(topic, _)| self.source.covers(topic));
        Ok(read.map(|(_, partitions)| *partitions).sum())
    }
}
