//! Partitions that come and go.

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
    kafka::{Client, Fault, Rebalance, Voice, about, is_gone, topic_ids},
    shutdown::{Phase, Shutdown},
};

/// How long a partition that goes may wait for what was read of it to be delivered. What is not by
/// then is read again by whoever has it next.
const DELIVERED_WITHIN: Duration = Duration::from_secs(10);

/// How long the cluster may take to tell which topics these are.
const IDENTIFIED: Duration = Duration::from_secs(2);

/// What librdkafka tells of.
pub(super) struct Ear {
    pub(super) shared: Arc<Shared>,
    pub(super) voice: Voice,
    pub(super) shutdown: Shutdown,
    /// Offsets are committed in transactions, not here.
    pub(super) in_transactions: bool,
    pub(super) starts: Starts,
    /// Whose member it is.
    pub(super) membership: Membership,
    /// Another member is in its place: what becomes of its partitions is nobody's concern.
    pub(super) retired: AtomicBool,
}

impl ClientContext for Ear {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, about: &str, line: &str) {
        self.voice.heard(about, line);
        self.shared.poke();
    }

    fn stats(&self, statistics: Statistics) {
        self.voice.vitals.told(Client::Source, &statistics);
        self.shared.poke();
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.shared.poke();
        if self.retired.load(Relaxed) {
            return;
        }
        match error.rdkafka_error_code() {
            // What ends the run comes as an error of the consumer's, too.
            Some(code) if Fault::of(code) == Fault::Lasting => return,
            // Where a replay ends comes with its partition's records, too.
            Some(RDKafkaErrorCode::PartitionEOF) => return,
            code if code.map(Fault::of) != Some(Fault::Topic) => return self.voice.fault(&error),
            _ => {}
        }
        // That of a partition that is read comes with its records.
        if let Some((topic, why)) = reason
            .strip_prefix("Subscribed topic not available: ")
            .and_then(|rest| rest.split_once(": "))
        {
            let gone = error.rdkafka_error_code().is_some_and(is_gone);
            self.shared.broke(topic, why, gone);
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.voice.token()
    }
}

impl ConsumerContext for Ear {
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
                let waited = self.voice.vitals.rebalanced(Rebalance::Assigned);
                self.membership.assigned(&self.voice, &starts, waited);
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
            self.voice.fault(&error);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.shared.poke();
        self.voice.vitals.committed(result.is_ok());
        let Err(error) = result else { return };
        let code = error.rdkafka_error_code();
        if code.is_some_and(is_gone) {
            self.shared.doubt();
        }
        match code.map(Fault::of) {
            Some(Fault::Lasting) if self.retired.load(Relaxed) || code.is_some_and(is_fatal) => {}
            // It would be refused again and again, and what is read would never count as delivered.
            Some(Fault::Lasting) => {
                self.voice.vitals.erred(Fault::Lasting);
                self.shared.refuse(about("kafka: the offsets are not committed", &error));
            }
            _ => self.voice.fault(&error),
        }
    }
}

impl Ear {
    /// Where to begin, and which of these offsets are to be committed soon.
    fn starts(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &TopicPartitionList,
    ) -> (TopicPartitionList, Vec<bool>) {
        let as_they_are = || (partitions.clone(), vec![false; partitions.count()]);
        // Of these nothing is read. A member that is leaving its group would have no answer, and keep all
        // others waiting meanwhile.
        let over = self.shared.is_over() || self.shutdown.phase() != Phase::Running;
        if over || partitions.count() == 0 {
            return as_they_are();
        }
        // First which topics these are: what is committed is of those or of later ones.
        let elements = partitions.elements();
        self.identify(consumer, elements.iter().map(|element| element.topic().into()).collect());
        let ask = || consumer.committed_offsets(partitions.clone(), Duration::from_secs(5));
        let Some(committed) = self.patiently(ask) else {
            // librdkafka asks itself, and where there is none says so.
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
                Err(error) => self.voice.fault(&error),
            }
        }
        (starts, pinned)
    }

    /// Asks for the ids of these topics, for whoever must know whether they were made anew.
    pub(super) fn identify(
        &self,
        consumer: &BaseConsumer<Self>,
        topics: BTreeSet<Arc<str>>,
    ) -> bool {
        // Nobody waits again for whoever did not answer.
        if self.shared.is_mute() {
            return false;
        }
        self.shared.identify(&topics, |names| topic_ids(consumer.client(), names, IDENTIFIED).ok())
    }

    /// What is to be committed of these partitions: how far they are delivered, unless transactions do that,
    /// and where those begin that were made anew.
    pub(super) fn reached(&self, consumer: &BaseConsumer<Self>, ids: &[u64]) -> TopicPartitionList {
        self.identify(consumer, self.shared.topics());
        let mut reached = self.shared.begins(|_, id| ids.contains(&id));
        if !self.in_transactions {
            reached.extend(self.shared.positions(ids));
        }
        list(&reached)
    }

    /// Delivers what was read of partitions that go, and commits that, unless they are gone already.
    /// Transactions commit themselves what was delivered; what is not by then they take back, when
    /// they find that the partitions are gone.
    fn leave(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let elements = partitions.elements();
        let ids = elements.iter().map(|p| self.shared.id(p.topic(), p.partition()));
        let ids: Vec<u64> = ids.flatten().collect();
        let lost = consumer.assignment_lost();
        self.voice.vitals.rebalanced(if lost { Rebalance::Lost } else { Rebalance::Revoked });
        if lost && self.shutdown.phase() == Phase::Running {
            self.membership.awaited(&self.voice);
        }
        if !lost {
            let until = Instant::now() + DELIVERED_WITHIN;
            let given_up = || self.shutdown.phase() == Phase::GivenUp;
            self.shared.delivered(&ids, until, &given_up);
            let reached = self.reached(consumer, &ids);
            if reached.count() > 0
                && let Err(error) = keep(consumer, &reached)
            {
                self.voice.fault(&error);
            }
        }
        let why = match lost {
            true => Gone::Lost,
            false if self.shared.is_over() => Gone::Ended,
            false => Gone::Rebalanced,
        };
        self.membership.revoked(&self.voice, partitions, &self.shared.positions(&ids), why);
        self.shared.revoked(&ids);
    }
}

/// Whether a consumer is of no use after that. It says so itself, too, and why.
fn is_fatal(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Fatal | RDKafkaErrorCode::FencedInstanceId)
}

/// Commits positions at once. Stored they are first: when partitions go, librdkafka commits what is stored
/// by itself, and would go back to what was stored before.
pub(super) fn keep(consumer: &BaseConsumer<Ear>, reached: &TopicPartitionList) -> KafkaResult<()> {
    // What cannot be stored is another's by now.
    let _ = consumer.store_offsets(reached);
    consumer.commit(reached, CommitMode::Sync)
}

/// Positions as librdkafka takes them.
pub(super) fn list(positions: &[Position]) -> TopicPartitionList {
    let starts = positions.iter();
    let starts = starts.map(|(topic, partition, at)| (&**topic, *partition, Offset::Offset(*at)));
    listed(starts)
}

/// Where to begin, as librdkafka takes it.
pub(super) fn list_of(starts: &[Start]) -> TopicPartitionList {
    listed(starts.iter().map(|(topic, partition, at)| (&**topic, *partition, *at)))
}

fn listed<'a>(all: impl Iterator<Item = (&'a str, i32, Offset)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition, at) in all {
        // Only offsets below zero are refused, and none of these is.
        let _ = list.add_partition_offset(topic, partition, at);
    }
    list
}
