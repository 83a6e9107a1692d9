//! What goes wrong where records are read: for a while, with a topic, or for good.

use std::{collections::BTreeSet, io};

use rdkafka::{
    consumer::{Consumer as _, RebalanceProtocol},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    hold::begins,
    membership::Membership,
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
    /// An error came, of a partition where one is given.
    pub(super) fn told(&mut self, error: &KafkaError, place: Option<&Place>) {
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        // What made it so says more.
        let cause = self.consumer.client().fatal_error().filter(|_| fatal);
        let code = cause.map(|(code, _)| code).or(error.rdkafka_error_code());
        if code == Some(RDKafkaErrorCode::FencedInstanceId) {
            self.shared.vitals.oust();
        }
        if !fatal && code.is_some_and(is_nowhere) {
            return self.is_nowhere(place);
        }
        match code.map_or(Fault::Cluster, Fault::of) {
            Fault::Cluster if !fatal => return self.settings.cluster.voice.fault(error),
            Fault::Topic if !fatal => {
                // What is of no partition was told with the topic's name.
                if let Some(place) = place {
                    let (why, gone) =
                        (about(&named(place), error).to_string(), code.is_some_and(is_gone));
                    self.shared.broke(&place.topic, &why, gone);
                }
                return;
            }
            fault => self.settings.cluster.voice.vitals.erred(fault),
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

    /// librdkafka knows no offset to go on from. It says so, too, where it could not ask for one: the leader
    /// of a topic that was made a moment ago may not know it yet. So whoever leads the partition is
    /// asked, and only what is really gone ends the run.
    fn is_nowhere(&mut self, place: Option<&Place>) {
        let Some(place) = place else {
            // It is one of those of which nothing is on its way; where it is, is seen by its lane.
            for place in self.shared.idle() {
                self.go_back(&place.topic, Some(place.partition));
            }
            return;
        };
        let Some(where_it_is) = self.deleted(place) else {
            // It is read from there again, after a while.
            let why = format!("{}: its leader did not return its first offset", named(place));
            return self.shared.broke(&place.topic, &why, false);
        };
        let topic = BTreeSet::from([place.topic.clone()]);
        self.consumer.context().identify(&self.consumer, topic);
        if self.shared.is_fresh(&place.topic) {
            // It was made anew: that is told, and it is read from its begin.
            return;
        }
        self.settings.cluster.voice.vitals.erred(Fault::Lasting);
        let mend = "the records were deleted, or the topic was recreated; to choose where to \
                    continue, set the group's offset (kafka-consumer-groups.sh --reset-offsets), \
                    or source.out_of_range, and restart";
        let what = format!(
            "{}: the committed offset does not exist ({where_it_is}): {mend}",
            named(place)
        );
        let fields = [
            ("topic", (&*place.topic).into()),
            ("partition", place.partition.into()),
            ("offset", self.shared.next_offset(place.id).into()),
            ("reason", "out_of_range".into()),
        ];
        self.settings.cluster.voice.tell_with(Event::PartitionFailed, &what, &fields);
        self.end(Some(io::Error::other(what)));
    }

    /// Which offset is to be read next, and which there are, where it is known to be none of these.
    fn deleted(&self, place: &Place) -> Option<String> {
        let next = self.shared.next_offset(place.id)?;
        match self.consumer.fetch_watermarks(&place.topic, place.partition, ASK) {
            Ok((low, high)) if (low..=high).contains(&next) => None,
            Ok((low, high)) => Some(format!("{next}; existing: {low} to {high}")),
            Err(error) => {
                self.settings.cluster.voice.fault(&error);
                None
            }
        }
    }

    /// Whether it is known where a topic that was not there begins.
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

    /// Assigns those again that librdkafka has stopped to read, from where they are delivered.
    pub(super) fn assign_again(&mut self) {
        let places = self.shared.places();
        let due = self.holds.due(&places);
        if due.is_empty() {
            return;
        }
        let consumer = self.consumer.clone();
        let (done, starts) = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                let starts = list_of(&due);
                // What is not assigned any more needs only the second.
                let _ = consumer.incremental_unassign(&starts);
                (consumer.incremental_assign(&starts), due)
            }
            // There it is all or nothing.
            _ => {
                let topics: BTreeSet<_> = places.into_iter().map(|place| place.topic).collect();
                let rewound = topics.iter().flat_map(|topic| self.shared.rewind(topic, None));
                let starts: Vec<Start> = rewound.collect();
                (consumer.assign(&list_of(&starts)), starts)
            }
        };
        // Their queues are others now.
        self.lanes.retain(|lane| !begins(&starts, &lane.place));
        match done {
            Ok(()) => {
                for (topic, partition, _) in &starts {
                    self.shared.vitals.sought(topic, *partition);
                }
                // What was paused stays so, until it is to be read.
                let paused = self.holds.begin(&starts);
                if let Err(error) = consumer.pause(&paused) {
                    self.settings.cluster.voice.fault(&error);
                }
            }
            // The group is sharing its partitions out anew.
            Err(error) => {
                self.settings.cluster.voice.fault(&error);
                self.holds.stay(starts);
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
