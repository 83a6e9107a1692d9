//! What a configuration says of topics, resolved, and whether a cluster has them.

mod connect;
mod fit;
mod reach;

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    config::{
        kafka::{DeliveryChoice, FramingChoice, PartitionChoice, SourceEntry, Streams},
        route::RouteEntry,
    },
    dead_letter::ReplayTerms,
    kafka::{self, Routes, TlsFiles, Written},
    pipeline::records::ValueFraming,
    records::Pseudonyms,
    seal::Seal,
};
use connect::{Link, secret_file};
pub(crate) use reach::Reach;

/// A record that was forwarded so often goes in a circle.
const HOPS: u32 = 8;

/// Topics, resolved.
pub(crate) struct Topics {
    /// How the cluster is reached, as librdkafka's properties.
    pub(super) properties: Vec<(String, String)>,
    /// Certificates and keys.
    pub(super) tls: TlsFiles,
    /// What this program is known by there.
    pub(super) login: Option<kafka::Login>,
    pub(super) source: SourceEntry,
    pub(super) framing: ValueFraming,
    pub(super) routes: Routes,
    pub(crate) has_dead_letter: bool,
    /// Whom the originals of dead letters are sealed to.
    pub(super) seal: Option<Seal>,
    pub(super) same_partition: bool,
    pub(super) pseudonyms: Option<Pseudonyms>,
    /// The name of this process: the same after a restart, and no other's.
    instance: Option<String>,
    /// Records arrive exactly once.
    exactly_once: bool,
    /// This process goes for good when it ends.
    leaves: bool,
    /// What is replayed, in the place of what is read.
    pub(super) replays: Option<ReplayTerms>,
    /// A record is forwarded so often at most; 0: nobody counts.
    pub(super) hops: u32,
    /// Where notes of what is being judged are kept.
    pub(super) data_dir: Option<PathBuf>,
}

/// Resolves and judges what is said of topics; `None` where nothing is.
pub(crate) fn resolve(
    streams: &Streams,
    own: &[RouteEntry],
    leaves: bool,
) -> Result<Option<Topics>> {
    let Streams { kafka: Some(kafka), source: Some(source), sink: Some(sink), .. } = streams else {
        return Ok(None);
    };
    let Link { properties, login, tls } = connect::link(kafka)?;
    let secret = sink.pseudonym_key_file.as_ref();
    let pseudonyms = secret.map(|said| {
        let secret = secret_file("sink.pseudonym_key_file", &said.value)?;
        let made = Pseudonyms::new(secret.as_bytes());
        made.with_context(|| format!("sink.pseudonym_key_file {}", said.value))
    });
    let seal = streams
        .dead_letter
        .as_ref()
        .and_then(|entry| entry.encrypt_to.as_ref())
        .map(|said| said.value.parse::<Seal>().context("dead_letter.encrypt_to"));
    Ok(Some(Topics {
        properties,
        login,
        tls,
        source: source.clone(),
        framing: match source.framing.as_ref().map(|said| said.value) {
            None | Some(FramingChoice::Event) => ValueFraming::Event,
            Some(FramingChoice::Ndjson) => ValueFraming::Lines,
            Some(FramingChoice::Otlp) => ValueFraming::Whole,
        },
        routes: Routes::resolve(source, sink, streams.dead_letter.as_ref(), own)
            .map_err(|what| anyhow!(what))?,
        has_dead_letter: streams.dead_letter.is_some(),
        seal: seal.transpose()?,
        same_partition: sink.partition.as_ref().map(|said| said.value)
            == Some(PartitionChoice::Same),
        pseudonyms: pseudonyms.transpose()?,
        instance: streams.instance.as_ref().map(|said| said.value.clone()),
        exactly_once: streams.delivery.as_ref().map(|said| said.value)
            == Some(DeliveryChoice::ExactlyOnce),
        leaves,
        replays: None,
        hops: sink.hops.as_ref().map_or(HOPS, |said| said.value),
        data_dir: kafka.data_dir.as_ref().map(|said| PathBuf::from(&said.value)),
    }))
}

/// What a cluster has of what is read and written.
pub(super) struct Known {
    /// How many partitions are read.
    pub(super) partitions: usize,
    /// All that is written.
    pub(super) written: BTreeSet<String>,
}

impl Topics {
    /// The name of transactions, where records arrive exactly once: no other group has it.
    pub(super) fn transactional_id(&self) -> Option<String> {
        let instance = self.instance.as_ref().filter(|_| self.exactly_once)?;
        Some(format!("{}-{instance}", self.source.group.value))
    }

    /// The name of this process in its group. A replay has none there: it ends by itself, and another
    /// one that found its partitions still taken would take them for done.
    pub(super) fn instance(&self) -> Option<&str> {
        self.instance.as_deref().filter(|_| self.replays.is_none())
    }

    /// Whether it says so when it goes. Without a name it does in any case.
    pub(super) fn leaves(&self) -> bool {
        self.leaves && self.instance().is_some()
    }

    /// Whether dead letters are replayed.
    pub(crate) fn replays(&self) -> bool {
        self.replays.is_some()
    }

    /// The same, to replay the dead letters that these write, as the group `group`.
    pub(super) fn replaying(mut self, terms: ReplayTerms, group: Option<String>) -> Result<Self> {
        let own = &self.source.group.value;
        let group = group.unwrap_or_else(|| format!("{own}.replay"));
        if group == *own {
            bail!(
                "--group {group}: [source] uses this group, and a replay would disturb it: choose \
                 another name"
            );
        }
        self.source.group.value = group;
        self.replays = Some(terms);
        Ok(self)
    }

    /// Whether a cluster has what is named, and nothing goes in a circle there.
    pub(super) fn check(&self, all: &kafka::Topics) -> Result<Known> {
        for topic in self.routes.named() {
            has(all, topic)?;
        }
        self.check_written(all, &[])
    }

    /// The same of what is written; `read` has dead letters, too.
    pub(super) fn check_written(&self, all: &kafka::Topics, read: &[String]) -> Result<Known> {
        let routes = &self.routes;
        let mut sinks: BTreeSet<_> = routes.fixed_sinks().map(str::to_owned).collect();
        let letters = routes.fixed_letters().map(str::to_owned);
        let mut letters: BTreeSet<_> = letters.chain(read.iter().cloned()).collect();
        for topic in sinks.iter().chain(&letters) {
            has(all, topic)?;
        }
        self.fit().judge(all)?;
        let mut read = 0;
        for (topic, partitions) in all.iter().filter(|(topic, _)| routes.covers(topic)) {
            let written: Vec<_> = routes.all_of(topic).collect();
            // What has no letters is not replayed.
            let has_letters = |written: &Written| {
                written.dead_letter.as_ref().is_none_or(|topic| all.contains_key(topic))
            };
            if self.replays() && !written.iter().any(has_letters) {
                continue;
            }
            read += partitions;
            for Written { sink, dead_letter } in written {
                has(all, &sink)?;
                sinks.insert(sink);
                if let Some(letter) = dead_letter.filter(|l| !self.replays() || all.contains_key(l))
                {
                    has(all, &letter)?;
                    letters.insert(letter);
                }
            }
        }
        if let Some(both) = sinks.intersection(&letters).next() {
            bail!(
                "kafka: `{both}` is both a sink topic and a dead letter topic: use separate topics"
            );
        }
        sinks.append(&mut letters);
        Ok(Known { partitions: read, written: sinks })
    }
}

/// A topic is not there, as far as the broker that was asked knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "kafka: topic `{0}` does not exist, or this user has no permission to see it: create it first"
)]
pub(super) struct Missing(pub(super) String);

/// A topic must be there.
pub(super) fn has(all: &kafka::Topics, topic: &str) -> Result<()> {
    if !all.contains_key(topic) {
        return Err(Missing(topic.to_owned()).into());
    }
    Ok(())
}
