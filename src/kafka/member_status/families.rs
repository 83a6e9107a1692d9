//! The metrics by name. Label values are words of this program, topics that are read, and partition
//! numbers, as many as are assigned.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{MemberStatus, Retries, State, now};
use crate::metrics::{Family, Histogram, Kind, Sample};

impl MemberStatus {
    /// Returns all metrics of a member.
    pub fn families(&self) -> Vec<Family> {
        let state = self.state();
        let mut all = lag(&state);
        all.extend(self.group(&state));
        all.extend(self.faults(&state));
        all.extend(queues(&state));
        all
    }

    fn group(&self, state: &State) -> Vec<Family> {
        vec![
            Family::gauge(
                "tamis_kafka_assigned_partitions",
                "Partitions assigned to this member.",
                &[],
                vec![Sample::of(&[], state.partitions.len() as f64)],
            ),
            Family::counter(
                "tamis_kafka_rebalances",
                "Rebalances: partitions were assigned, revoked after a last commit, or lost.",
                &["event"],
                counts(&["assigned", "revoked", "lost"], &self.rebalances),
            ),
            histogram(
                "tamis_kafka_commit_seconds",
                "Time from the first acknowledgement that a commit covers to the broker's \
                 response, `auto.commit.interval.ms` included.",
                &self.commit,
            ),
            Family::counter(
                "tamis_kafka_commit_failures",
                "Commits that failed; the next commit covers the same offsets.",
                &[],
                vec![Sample::of(&[], self.commit_failures.load(Relaxed) as f64)],
            ),
            histogram(
                "tamis_kafka_event_age_seconds",
                "Age of the oldest record of each partition in a chunk when it was acknowledged, \
                 by its timestamp.",
                &self.age,
            ),
        ]
    }

    fn faults(&self, state: &State) -> Vec<Family> {
        let retries = ["source", "sink"].iter().zip(state.retries.map(Retries::all));
        let retries = retries.map(|(client, n)| Sample::of(&[client], n as f64));
        let paused = state.faults.keys().map(|topic| Sample::of(&[topic, "fault"], 1.0));
        let by_hand: BTreeSet<_> = state.orders.paused.iter().map(|(topic, _)| topic).collect();
        let by_hand = by_hand.into_iter().map(|topic| Sample::of(&[topic, "hand"], 1.0));
        let stalled = state.stalled.keys();
        let stalled = stalled.map(|(topic, n)| Sample::of(&[topic, &n.to_string()], 1.0));
        vec![
            Family::counter(
                "tamis_kafka_errors",
                "Errors by class: of a record, a topic, the run (its group or this program) or \
                 the cluster.",
                &["class"],
                counts(&["record", "topic", "run", "cluster"], &self.errors),
            ),
            Family::counter(
                "tamis_kafka_retries",
                "Requests that were retried.",
                &["client"],
                retries.collect(),
            ),
            Family::gauge(
                "tamis_kafka_topic_paused",
                "1 for each topic that is paused, or of which a partition is, because of a fault \
                 or by an operator (`hand`).",
                &["topic", "by"],
                paused.chain(by_hand).collect(),
            ),
            Family::gauge(
                "tamis_kafka_partition_stalled",
                "1 for each partition that has not advanced for 20 s although there is more to \
                 read.",
                &["topic", "partition"],
                stalled.collect(),
            ),
            Family::counter(
                "tamis_offsets_skipped",
                "Offsets that were skipped, by reason.",
                &["reason"],
                counts(&["out_of_range", "latest", "by_hand", "poison"], &self.skipped),
            ),
        ]
    }
}

fn lag(state: &State) -> Vec<Family> {
    let now = now();
    let all = state.partitions.values();
    let records = all.clone().filter_map(|p| Some((p, p.lag()? as f64)));
    let seconds = all.filter_map(|p| Some((p, p.lag_time(now)? as f64 / 1e3)));
    let samples = |values: Vec<(&super::Partition, f64)>| -> Vec<Sample> {
        let sample = |(p, value): (&super::Partition, f64)| {
            Sample::of(&[&p.topic, &p.partition.to_string()], value)
        };
        values.into_iter().map(sample).collect()
    };
    vec![
        Family::gauge(
            "tamis_kafka_lag_records",
            "Offsets of a partition that are not yet delivered.",
            &["topic", "partition"],
            samples(records.collect()),
        ),
        Family::gauge(
            "tamis_kafka_lag_seconds",
            "Age of the oldest undelivered record of a partition, by its timestamp.",
            &["topic", "partition"],
            samples(seconds.collect()),
        ),
    ]
}

fn queues(state: &State) -> Vec<Family> {
    let [ahead, producer] = state.waiting;
    let both = |ahead: u64, producer: u64| {
        vec![Sample::of(&["ahead"], ahead as f64), Sample::of(&["producer"], producer as f64)]
    };
    vec![
        Family::gauge(
            "tamis_kafka_queue_messages",
            "Records queued in librdkafka: fetched ahead, or waiting to be sent.",
            &["queue"],
            both(ahead.messages, producer.messages),
        ),
        Family::gauge(
            "tamis_kafka_queue_bytes",
            "Bytes of the records queued in librdkafka.",
            &["queue"],
            both(ahead.bytes, producer.bytes),
        ),
    ]
}

fn counts(words: &[&str], counts: &[AtomicU64]) -> Vec<Sample> {
    let all = words.iter().zip(counts);
    all.map(|(word, count)| Sample::of(&[word], count.load(Relaxed) as f64)).collect()
}

fn histogram(name: &'static str, help: &'static str, histogram: &Histogram) -> Family {
    let samples = vec![Sample::histogram(&[], histogram)];
    Family { name, kind: Kind::Histogram, help, labels: &[], samples }
}
