//! Callbacks of librdkafka: partitions that are assigned and revoked.

use std::{
    collections::BTreeSet,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Offset, Statistics, TopicPartitionList,
    client::OAuthToken,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};

use super::{
    membership::{Gone, Membership},
    shared::{Position, Shared, Start},
    start::{Begun, Known, Starts},
};
use crate::{
    kafka::{Client, Fault, Rebalance, Reporter, about, is_gone, topic_ids},
    shutdown::{Phase, Shutdown},
};

/// How long a partition that is revoked may wait for the delivery of what was read. The rest is
/// read again by its next member.
const DELIVERED_WITHIN: Duration = Duration::from_secs(10);

/// How long the cluster may take to return topic ids.
const IDENTIFIED: Duration = Duration::from_secs(2);

/// The callbacks of the consumer.
pub(super) struct ClientCallbacks {
    pub(super) shared: Arc<Shared>,
    pub(super) reporter: Reporter,
    pub(super) shutdown: Shutdown,
    /// Whether offsets are committed in the sink's transactions.
    pub(super) in_transactions: bool,
    pub(super) starts: Starts,
    /// The group and name of the member.
    pub(super) membership: Membership,
    /// Whether another client has replaced this one, so that its partitions no longer matter.
    pub(super) retired: AtomicBool,
}

impl ClientContext for ClientCallbacks {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, about: &str, line: &str) {
        self.reporter.log_line(about, line);
        self.shared.poke();
    }

    fn stats(&self, statistics: Statistics) {
        self.reporter.member_status.update(Client::Source, &statistics);
        self.shared.poke();
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.shared.poke();
        if self.retired.load(Relaxed) {
            return;
        }
        match error.rdkafka_error_code() {
            // A fatal error is also returned by the consumer.
            Some(code) if Fault::of(code) == Fault::Lasting => return,
            // The end of a partition is also returned by its queue.
            Some(RDKafkaErrorCode::PartitionEOF) => return,
            code if code.map(Fault::of) != Some(Fault::Topic) => {
                return self.reporter.fault(&error);
            }
            _ => {}
        }
        // The error of a partition that is read is also returned by its queue.
        if let Some((topic, why)) = reason
            .strip_prefix("Subscribed topic not available: ")
            .and_then(|rest| rest.split_once(": "))
        {
            let gone = error.rdkafka_error_code().is_some_and(is_gone);
            self.shared.broke(topic, why, gone);
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.reporter.token()
    }
}

impl ConsumerContext for ClientCallbacks {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.retired.load(Relaxed) {
            let _ = consumer.unassign();
            return;
        }
        self.shared.poke();
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let done = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let (starts, pinned) = self.starts(consumer, partitions);
                for (element, pinned) in starts.elements().iter().zip(pinned) {
                    let (topic, partition) = (element.topic(), element.partition());
                    self.shared.assigned(topic, partition, element.offset(), pinned);
                }
                let waited = self.reporter.member_status.rebalanced(Rebalance::Assigned);
                self.membership.assigned(&self.reporter, &starts, waited);
                match cooperative {
                    true => consumer.incremental_assign(&starts),
                    false => consumer.assign(&starts),
                }
            }
            _ => {
                self.leave(consumer, partitions);
                match cooperative {
                    true => consumer.incremental_unassign(partitions),
                    false => consumer.unassign(),
                }
            }
        };
        if let Err(error) = done {
            self.reporter.fault(&error);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.shared.poke();
        self.reporter.member_status.committed(result.is_ok());
        let Err(error) = result else { return };
        let code = error.rdkafka_error_code();
        if code.is_some_and(is_gone) {
            self.shared.doubt();
        }
        match code.map(Fault::of) {
            Some(Fault::Lasting) if self.retired.load(Relaxed) || code.is_some_and(is_fatal) => {}
            // The commit would fail again and again, and nothing would ever count as delivered.
            Some(Fault::Lasting) => {
                self.reporter.member_status.count_error(Fault::Lasting);
                self.shared.refuse(about("kafka: the offsets are not committed", &error));
            }
            _ => self.reporter.fault(&error),
        }
    }
}

impl ClientCallbacks {
    /// Returns where partitions begin, and which of these offsets are to be committed soon.
    fn starts(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &TopicPartitionList,
    ) -> (TopicPartitionList, Vec<bool>) {
        let as_they_are = || (partitions.clone(), vec![false; partitions.count()]);
        // Nothing is read of these partitions. A member that is leaving its group would get no
        // answer, and delay all other members.
        let over = self.shared.is_over() || self.shutdown.phase() != Phase::Running;
        if over || partitions.count() == 0 {
            return as_they_are();
        }
        // The topic ids are read first, so that they are not newer than the committed offsets.
        let elements = partitions.elements();
        self.identify(consumer, elements.iter().map(|element| element.topic().into()).collect());
        let ask = || consumer.committed_offsets(partitions.clone(), Duration::from_secs(5));
        let Some(committed) = self.patiently(ask) else {
            // librdkafka asks itself, and reports if there is no offset.
            return as_they_are();
        };
        let (mut starts, mut pinned) = (TopicPartitionList::new(), Vec::new());
        let mut known = Known::new();
        for element in committed.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            let begun = match self.shared.is_fresh(topic) {
                true => Some(Begun { at: Offset::Beginning, pinned: false }),
                false => self.begin(consumer, (topic, partition), element.offset(), &mut known),
            };
            let Some(begun) = begun else { continue };
            match starts.add_partition_offset(topic, partition, begun.at) {
                Ok(()) => pinned.push(begun.pinned),
                Err(error) => self.reporter.fault(&error),
            }
        }
        (starts, pinned)
    }

    /// Asks for the ids of these topics, to detect recreated ones.
    pub(super) fn identify(
        &self,
        consumer: &BaseConsumer<Self>,
        topics: BTreeSet<Arc<str>>,
    ) -> bool {
        // If the last request had no answer, this one would only cause delay.
        if self.shared.is_mute() {
            return false;
        }
        self.shared.identify(&topics, |names| topic_ids(consumer.client(), names, IDENTIFIED).ok())
    }

    /// Returns what is to be committed of these partitions: their progress, unless transactions
    /// commit it, and the beginning of recreated topics.
    pub(super) fn reached(&self, consumer: &BaseConsumer<Self>, ids: &[u64]) -> TopicPartitionList {
        self.identify(consumer, self.shared.topics());
        let mut reached = self.shared.begins(|_, id| ids.contains(&id));
        if !self.in_transactions {
            reached.extend(self.shared.positions(ids));
        }
        list(&reached)
    }

    /// Delivers what was read of revoked partitions, and commits it, unless the partitions are
    /// lost. Transactions commit what they delivered themselves, and abort the rest when they find
    /// that the partitions are gone.
    fn leave(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let elements = partitions.elements();
        let ids = elements.iter().map(|p| self.shared.id(p.topic(), p.partition()));
        let ids: Vec<u64> = ids.flatten().collect();
        let lost = consumer.assignment_lost();
        self.reporter.member_status.rebalanced(if lost {
            Rebalance::Lost
        } else {
            Rebalance::Revoked
        });
        if lost && self.shutdown.phase() == Phase::Running {
            self.membership.awaited(&self.reporter);
        }
        if !lost {
            let until = Instant::now() + DELIVERED_WITHIN;
            let given_up = || self.shutdown.phase() == Phase::GivenUp;
            self.shared.delivered(&ids, until, &given_up);
            let reached = self.reached(consumer, &ids);
            if reached.count() > 0
                && let Err(error) = keep(consumer, &reached)
            {
                self.reporter.fault(&error);
            }
        }
        let why = match lost {
            true => Gone::Lost,
            false if self.shared.is_over() => Gone::Ended,
            false => Gone::Rebalanced,
        };
        self.membership.revoked(&self.reporter, partitions, &self.shared.positions(&ids), why);
        self.shared.revoked(&ids);
    }
}

/// Returns whether the error makes a consumer unusable. The consumer also reports the reason
/// itself.
fn is_fatal(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Fatal | RDKafkaErrorCode::FencedInstanceId)
}

/// Commits offsets immediately. They are stored first, because librdkafka commits stored offsets
/// when partitions are revoked, and would otherwise go back to older ones.
pub(super) fn keep(
    consumer: &BaseConsumer<ClientCallbacks>,
    reached: &TopicPartitionList,
) -> KafkaResult<()> {
    // An offset that cannot be stored is of a partition that is no longer assigned.
    let _ = consumer.store_offsets(reached);
    consumer.commit(reached, CommitMode::Sync)
}

/// Converts positions for librdkafka.
pub(super) fn list(positions: &[Position]) -> TopicPartitionList {
    let starts = positions.iter();
    let starts = starts.map(|(topic, partition, at)| (&**topic, *partition, Offset::Offset(*at)));
    listed(starts)
}

/// Converts starts for librdkafka.
pub(super) fn list_of(starts: &[Start]) -> TopicPartitionList {
    listed(starts.iter().map(|(topic, partition, at)| (&**topic, *partition, *at)))
}

fn listed<'a>(all: impl Iterator<Item = (&'a str, i32, Offset)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition, at) in all {
        // Only negative offsets are refused.
        let _ = list.add_partition_offset(topic, partition, at);
    }
    list
}
