//! Where an assigned partition begins. Nothing is skipped without a request or without a report.

use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaResult,
};

use super::rebalance::ClientCallbacks;
use crate::{journal::Event, kafka::Skip, shutdown::Phase};

/// How long the cluster may take to answer, in total and per request.
const ASKED_WITHIN: Duration = Duration::from_secs(20);
pub(super) const ASK: Duration = Duration::from_secs(5);

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At the first existing record.
    Earliest,
    /// After the last record.
    Latest,
    /// Nowhere: the run ends.
    Stop,
}

/// Where partitions without a valid committed offset begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starts {
    /// If the group has no offset of the topic.
    pub no_offset: Begin,
    /// If the group has offsets of other partitions of the topic.
    pub new_partition: Begin,
    /// If the committed offset does not exist, or no longer exists.
    pub out_of_range: Begin,
}

impl Default for Starts {
    fn default() -> Self {
        let (no_offset, new_partition) = (Begin::Earliest, Begin::Earliest);
        Self { no_offset, new_partition, out_of_range: Begin::Stop }
    }
}

/// Where a partition begins. A pinned offset is committed soon, so that it also holds for later
/// starts.
pub(super) struct Begun {
    pub(super) at: Offset,
    pub(super) pinned: bool,
}

/// Whether the group has offsets of each topic.
pub(super) type Known = BTreeMap<String, Option<bool>>;

impl ClientCallbacks {
    /// Returns where a partition with this committed offset begins; `None` ends the run.
    pub(super) fn begin(
        &self,
        consumer: &BaseConsumer<Self>,
        place: (&str, i32),
        committed: Offset,
        known: &mut Known,
    ) -> Option<Begun> {
        let Offset::Offset(committed) = committed else {
            return self.without(consumer, place, known);
        };
        let as_it_is = Begun { at: Offset::Offset(committed), pinned: false };
        let policy = self.starts.out_of_range;
        if policy == Begin::Stop {
            // If it does not exist, librdkafka reports it.
            return Some(as_it_is);
        }
        let Some((low, high)) = self.watermarks(consumer, place) else { return Some(as_it_is) };
        if (low..=high).contains(&committed) {
            return Some(as_it_is);
        }
        let (at, word) = match policy {
            Begin::Latest => (high, "latest"),
            _ => (low, "earliest"),
        };
        let why = format!(
            "the committed offset {committed} does not exist (existing: {low} to {high}), and \
             source.out_of_range = \"{word}\""
        );
        // An offset after the end is from a topic that was recreated.
        let from = if committed > high { low } else { committed };
        Some(self.skip(place, Skip::OutOfRange, from, at, &why))
    }

    /// Returns where a partition without a committed offset begins.
    fn without(
        &self,
        consumer: &BaseConsumer<Self>,
        place: (&str, i32),
        known: &mut Known,
    ) -> Option<Begun> {
        let settings = self.starts;
        let (topic, partition) = place;
        let (policy, key) = if settings.no_offset == settings.new_partition {
            (settings.no_offset, "no_offset")
        } else {
            let known = known.entry(topic.to_owned());
            match known.or_insert_with(|| self.is_known(consumer, topic)) {
                Some(false) => (settings.no_offset, "no_offset"),
                Some(true) => (settings.new_partition, "new_partition"),
                // Without an answer, nothing is skipped.
                None => return Some(Begun { at: Offset::Beginning, pinned: false }),
            }
        };
        let all_earliest = [settings.no_offset, settings.new_partition] == [Begin::Earliest; 2];
        match policy {
            Begin::Stop => {
                let fix =
                    "set one (kafka-consumer-groups.sh --reset-offsets), or choose another value";
                let why = format!(
                    "{topic}[{partition}]: the group has no committed offset, and source.{key} = \
                     \"stop\": {fix}"
                );
                let fields = [
                    ("topic", topic.into()),
                    ("partition", partition.into()),
                    ("reason", "no_offset".into()),
                ];
                self.reporter.tell_with(Event::PartitionFailed, &why, &fields);
                self.shared.refuse(io::Error::other(why));
                None
            }
            Begin::Earliest if all_earliest => Some(Begun { at: Offset::Beginning, pinned: false }),
            Begin::Earliest => Some(match self.watermarks(consumer, place) {
                Some((low, _)) => Begun { at: Offset::Offset(low), pinned: true },
                None => Begun { at: Offset::Beginning, pinned: false },
            }),
            Begin::Latest => Some(match self.watermarks(consumer, place) {
                Some((low, high)) => {
                    let why =
                        format!("the group has no committed offset, and source.{key} = \"latest\"");
                    self.skip(place, Skip::Latest, low, high, &why)
                }
                None => Begun { at: Offset::Beginning, pinned: false },
            }),
        }
    }

    fn skip(&self, place: (&str, i32), skip: Skip, from: i64, at: i64, why: &str) -> Begun {
        let (topic, partition) = place;
        let skipped = (at - from).max(0);
        self.reporter.member_status.skipped(skip, skipped.unsigned_abs());
        if skipped > 0 || skip == Skip::OutOfRange {
            let what = format!("{skipped} offsets are skipped; reading begins at {at}");
            let reason = if skip == Skip::Latest { "latest" } else { "out_of_range" };
            let fields = [
                ("topic", topic.into()),
                ("partition", partition.into()),
                ("offset", at.into()),
                ("skipped", skipped.into()),
                ("reason", reason.into()),
            ];
            let what = format!("{topic}[{partition}]: {why}: {what}");
            self.reporter.tell_with(Event::OffsetsSkipped, &what, &fields);
        }
        Begun { at: Offset::Offset(at), pinned: true }
    }

    /// Returns whether the group has offsets of a topic; `None` without an answer.
    fn is_known(&self, consumer: &BaseConsumer<Self>, topic: &str) -> Option<bool> {
        let metadata = self.patiently(|| consumer.fetch_metadata(Some(topic), ASK))?;
        let mut all = TopicPartitionList::new();
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            all.add_partition(topic, partition.id());
        }
        let committed = self.patiently(|| consumer.committed_offsets(all.clone(), ASK))?;
        let mut elements = committed.elements().into_iter();
        Some(elements.any(|element| matches!(element.offset(), Offset::Offset(_))))
    }

    fn watermarks(
        &self,
        consumer: &BaseConsumer<Self>,
        (topic, partition): (&str, i32),
    ) -> Option<(i64, i64)> {
        self.patiently(|| consumer.fetch_watermarks(topic, partition, ASK))
    }

    /// Asks until there is an answer; `None` after the deadline, or if a shutdown was requested.
    pub(super) fn patiently<T>(&self, ask: impl Fn() -> KafkaResult<T>) -> Option<T> {
        let until = Instant::now() + ASKED_WITHIN;
        loop {
            match ask() {
                Ok(answer) => return Some(answer),
                Err(error) => self.reporter.fault(&error),
            }
            if Instant::now() >= until || self.shutdown.phase() != Phase::Running {
                return None;
            }
        }
    }
}
