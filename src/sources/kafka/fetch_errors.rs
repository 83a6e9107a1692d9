//! Handles errors while reading: temporary errors, errors of a topic, and fatal errors.

use std::{collections::BTreeSet, io};

use rdkafka::{
    consumer::{Consumer as _, RebalanceProtocol},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    membership::Membership,
    paused::begins,
    reader::Reader,
    rebalance::list_of,
    shared::{Doubted, Start},
    start::ASK,
};
use crate::{
    journal::Event,
    kafka::{Fault, about, is_gone},
    pipeline::records::Place,
};

impl Reader {
    /// Handles an error, of a partition if `place` is given.
    pub(super) fn handle_error(&mut self, error: &KafkaError, place: Option<&Place>) {
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        // The original error says more than "fatal".
        let cause = self.consumer.client().fatal_error().filter(|_| fatal);
        let code = cause.map(|(code, _)| code).or(error.rdkafka_error_code());
        if code == Some(RDKafkaErrorCode::FencedInstanceId) {
            self.shared.member_status.mark_replaced();
        }
        if !fatal && code.is_some_and(is_nowhere) {
            return self.is_nowhere(place);
        }
        match code.map_or(Fault::Cluster, Fault::of) {
            Fault::Cluster if !fatal => return self.settings.cluster.reporter.fault(error),
            Fault::Topic if !fatal => {
                // An error without a partition was already reported with the topic's name.
                if let Some(place) = place {
                    let (why, gone) =
                        (about(&named(place), error).to_string(), code.is_some_and(is_gone));
                    self.shared.broke(&place.topic, &why, gone);
                }
                return;
            }
            fault => self.settings.cluster.reporter.member_status.count_error(fault),
        }
        let what = place.map_or_else(|| "kafka".to_owned(), named);
        self.end(Some(match code {
            Some(RDKafkaErrorCode::FencedInstanceId) => {
                let Membership { group, instance, .. } =
                    &self.consumer.client().context().membership;
                let name = instance.as_deref().unwrap_or_default();
                io::Error::other(format!(
                    "kafka: fenced: another process runs as `{name}` in group `{group}` \
                     (`instance`) and will read again what was not committed"
                ))
            }
            Some(code) => io::Error::other(format!("{what}: {code}")),
            None => about(&what, error),
        }));
    }

    /// Handles the error that librdkafka has no offset to continue from. It also reports this if it
    /// could not ask for one, because the leader of a new topic may not know the topic yet. So the
    /// leader is asked, and the run only ends if the records are really gone.
    fn is_nowhere(&mut self, place: Option<&Place>) {
        let Some(place) = place else {
            // The partition is one of those without records in flight. Reading these again shows
            // the error in the queue of the partition.
            for place in self.shared.idle() {
                self.go_back(&place.topic, Some(place.partition));
            }
            return;
        };
        let Some(where_it_is) = self.deleted(place) else {
            // The partition is read from there again, after a delay.
            let why = format!("{}: its leader did not return its first offset", named(place));
            return self.shared.broke(&place.topic, &why, false);
        };
        let topic = BTreeSet::from([place.topic.clone()]);
        self.consumer.context().identify(&self.consumer, topic);
        if self.shared.is_fresh(&place.topic) {
            // The topic was recreated. This was reported, and the topic is read from its beginning.
            return;
        }
        self.settings.cluster.reporter.member_status.count_error(Fault::Lasting);
        let fix = "the records were deleted, or the topic was recreated; to choose where to \
                    continue, set the group's offset (kafka-consumer-groups.sh --reset-offsets), \
                    or source.out_of_range, and restart";
        let what =
            format!("{}: the committed offset does not exist ({where_it_is}): {fix}", named(place));
        let fields = [
            ("topic", (&*place.topic).into()),
            ("partition", place.partition.into()),
            ("offset", self.shared.next_offset(place.id).into()),
            ("reason", "out_of_range".into()),
        ];
        self.settings.cluster.reporter.tell_with(Event::PartitionFailed, &what, &fields);
        self.end(Some(io::Error::other(what)));
    }

    /// Returns the next offset and the existing offsets, if the next offset is known not to exist.
    fn deleted(&self, place: &Place) -> Option<String> {
        let next = self.shared.next_offset(place.id)?;
        match self.consumer.fetch_watermarks(&place.topic, place.partition, ASK) {
            Ok((low, high)) if (low..=high).contains(&next) => None,
            Ok((low, high)) => Some(format!("{next}; existing: {low} to {high}")),
            Err(error) => {
                self.settings.cluster.reporter.fault(&error);
                None
            }
        }
    }

    /// Returns whether it is known where a topic that did not exist begins.
    pub(super) fn is_known(&mut self, topic: &str) -> bool {
        match self.shared.doubted(topic) {
            Doubted::No => true,
            Doubted::Yes => false,
            Doubted::ForGood => {
                let Some(committed) = self.committed() else { return false };
                self.shared.fall_back(topic, &committed);
                self.go_back(topic, None);
                true
            }
        }
    }

    /// Assigns partitions again that librdkafka stopped reading, at the first offset that is not
    /// delivered.
    pub(super) fn assign_again(&mut self) {
        let places = self.shared.places();
        let due = self.paused.due(&places);
        if due.is_empty() {
            return;
        }
        let consumer = self.consumer.clone();
        let (done, starts) = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                let starts = list_of(&due);
                // A partition that is no longer assigned only needs the second call.
                let _ = consumer.incremental_unassign(&starts);
                (consumer.incremental_assign(&starts), due)
            }
            // The eager protocol can only assign all partitions at once.
            _ => {
                let topics: BTreeSet<_> = places.into_iter().map(|place| place.topic).collect();
                let rewound = topics.iter().flat_map(|topic| self.shared.rewind(topic, None));
                let starts: Vec<Start> = rewound.collect();
                (consumer.assign(&list_of(&starts)), starts)
            }
        };
        // Their old queues are no longer valid.
        self.queues.retain(|queue| !begins(&starts, &queue.place));
        match done {
            Ok(()) => {
                for (topic, partition, _) in &starts {
                    self.shared.member_status.seek_done(topic, *partition);
                }
                // Paused partitions stay paused until they are to be read.
                let paused = self.paused.begin(&starts);
                if let Err(error) = consumer.pause(&paused) {
                    self.settings.cluster.reporter.fault(&error);
                }
            }
            // The group is rebalancing.
            Err(error) => {
                self.settings.cluster.reporter.fault(&error);
                self.paused.stay(starts);
            }
        }
    }
}

fn is_nowhere(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
}

fn named(place: &Place) -> String {
    format!("{}[{}]", place.topic, place.partition)
}
