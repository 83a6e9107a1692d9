//! Resolves the settings of topics, and checks them against a cluster.

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

/// A record that was forwarded this often is in a loop.
const HOPS: u32 = 8;

/// The resolved settings of topics.
pub(crate) struct Topics {
    /// The properties of librdkafka that reach the cluster.
    pub(super) properties: Vec<(String, String)>,
    /// Certificates and keys.
    pub(super) tls: TlsFiles,
    /// The credentials of this program.
    pub(super) login: Option<kafka::Login>,
    pub(super) source: SourceEntry,
    pub(super) framing: ValueFraming,
    pub(super) routes: Routes,
    pub(crate) has_dead_letter: bool,
    /// The public key that the originals in dead letters are encrypted to.
    pub(super) seal: Option<Seal>,
    pub(super) same_partition: bool,
    pub(super) pseudonyms: Option<Pseudonyms>,
    /// The name of this process, which is unique and the same after a restart.
    instance: Option<String>,
    /// Whether delivery is exactly once.
    exactly_once: bool,
    /// Whether this process leaves its group when it ends.
    leaves: bool,
    /// How dead letters are replayed, if they are read in place of the source topics.
    pub(super) replays: Option<ReplayTerms>,
    /// The maximum number of times that a record is forwarded; 0 means no limit.
    pub(super) hops: u32,
    /// The folder for notes about records that are being judged.
    pub(super) data_dir: Option<PathBuf>,
}

/// Resolves and checks the settings of topics; `None` if there are none.
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

/// What a cluster has of the topics that are read and written.
pub(super) struct Known {
    /// The number of partitions that are read.
    pub(super) partitions: usize,
    /// All topics that are written.
    pub(super) written: BTreeSet<String>,
}

impl Topics {
    /// Returns the transactional id if delivery is exactly once. No other group has it.
    pub(super) fn transactional_id(&self) -> Option<String> {
        let instance = self.instance.as_ref().filter(|_| self.exactly_once)?;
        Some(format!("{}-{instance}", self.source.group.value))
    }

    /// Returns the name of this process in its group. A replay has none: it ends by itself, and a
    /// later replay must not wait for a static member that is gone.
    pub(super) fn instance(&self) -> Option<&str> {
        self.instance.as_deref().filter(|_| self.replays.is_none())
    }

    /// Returns whether a static member leaves its group explicitly at the end. A dynamic member
    /// always does.
    pub(super) fn leaves(&self) -> bool {
        self.leaves && self.instance().is_some()
    }

    /// Returns whether dead letters are replayed.
    pub(crate) fn replays(&self) -> bool {
        self.replays.is_some()
    }

    /// Converts the settings for a replay of dead letters, with the consumer group `group`.
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

    /// Checks that the cluster has the named topics, and that there is no loop.
    pub(super) fn check(&self, all: &kafka::Topics) -> Result<Known> {
        for topic in self.routes.named() {
            has(all, topic)?;
        }
        self.check_written(all, &[])
    }

    /// Checks the topics that are written; `read` contains dead letter topics that are read.
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
            // A topic without dead letters is not replayed.
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

/// A topic does not exist, according to the broker that was asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "kafka: topic `{0}` does not exist, or this user has no permission to see it: create it first"
)]
pub(super) struct Missing(pub(super) String);

/// Checks that a topic exists.
pub(super) fn has(all: &kafka::Topics, topic: &str) -> Result<()> {
    if !all.contains_key(topic) {
        return Err(Missing(topic.to_owned()).into());
    }
    Ok(())
}
