//! What a configuration says of topics, resolved, and whether a cluster has them.

use anyhow::{Context as _, Result, bail};

use super::connect::{self, secret_file};
use crate::{
    config::kafka::{DeliveryChoice, PartitionChoice, SourceEntry, Streams},
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
    /// The name of transactions, where records arrive exactly once.
    pub(super) transactional_id: Option<String>,
}

/// Resolves and judges what is said of topics; `None` where nothing is.
pub(crate) fn resolve(streams: &Streams) -> Result<Option<Topics>> {
    let Streams { kafka: Some(kafka), source: Some(source), sink: Some(sink), .. } = streams else {
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
        dead_letter: streams.dead_letter.as_ref().map(|entry| entry.topic.value.clone()),
        same_partition: sink.partition.as_ref().map(|said| said.value)
            == Some(PartitionChoice::Same),
        pseudonyms: pseudonyms.transpose()?,
        transactional_id: transactional_id(streams, &source.group.value),
    }))
}

fn transactional_id(streams: &Streams, group: &str) -> Option<String> {
    let exactly_once =
        streams.delivery.as_ref().is_some_and(|said| said.value == DeliveryChoice::ExactlyOnce);
    let instance = streams.instance.as_ref().filter(|_| exactly_once)?;
    Some(format!("{group}-{}", instance.value))
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
        let read: Vec<_> = all.iter().filter(|(topic, _)| self.source.covers(topic)).collect();
        if self.same_partition {
            let wanted = all.get(&self.sink).copied().unwrap_or_default();
            for (topic, has) in &read {
                if **has != wanted {
                    bail!(
                        "kafka: partition = \"same\" needs as many partitions on both sides: \
                         `{topic}` has {has}, `{}` has {wanted}",
                        self.sink
                    );
                }
            }
        }
        Ok(read.iter().map(|(_, partitions)| **partitions).sum())
    }
}
