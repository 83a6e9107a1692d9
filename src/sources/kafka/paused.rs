//! What is not read: topics with an error of their own, what an operator paused, and records that
//! are skipped.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    poison::Notes,
    reader::Reader,
    rebalance::{keep, list, list_of},
    shared::{Position, Start},
};
use crate::{
    journal::{Event, Value},
    kafka::{Backoff, Fault, Skip, is_gone},
    pipeline::{Reason, records::Place},
};

/// The delay before a topic with an error is retried: the first and the maximum.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MOST_WAIT: Duration = Duration::from_secs(60);
/// The minimum delay, so that such a topic is not read in a busy loop.
const LEAST_WAIT: Duration = Duration::from_millis(250);
/// How long a topic without records must be retried before it counts as working.
const QUIET: Duration = Duration::from_secs(10);
/// How long seeking may take.
const SEEK: Duration = Duration::from_secs(5);

/// The paused topics and partitions, and the skipped records.
#[derive(Default)]
pub(super) struct PausedPartitions {
    broken: BTreeMap<String, Broken>,
    /// What an operator paused.
    by_hand: BTreeSet<(String, Option<i32>)>,
    /// Records that are skipped, and why, until they are delivered as skipped.
    skips: BTreeMap<(String, i32, i64), Reason>,
    /// The partitions that are paused in librdkafka.
    paused_in_client: BTreeSet<(String, i32)>,
    /// Seeks that are not done yet. Until then these partitions are not read.
    seeks: Vec<Start>,
    /// Seeks of partitions that librdkafka stopped reading, which need a new assignment.
    stopped: Vec<Start>,
}

/// A topic with an error.
struct Broken {
    backoff: Backoff,
    /// When it is retried; `None` while it is being retried.
    until: Option<Instant>,
    tried: Instant,
    /// How far it was delivered when it was retried.
    reached: i64,
}

impl PausedPartitions {
    fn is_paused(&self, place: &Place) -> bool {
        self.waits(&place.topic)
            || begins(&self.seeks, place)
            || begins(&self.stopped, place)
            || self.by_hand.iter().any(|(topic, partition)| {
                **topic == *place.topic && partition.is_none_or(|number| number == place.partition)
            })
    }

    /// Returns whether a topic with an error is waiting for its retry.
    fn waits(&self, topic: &str) -> bool {
        self.broken.get(topic).is_some_and(|broken| broken.until.is_some())
    }

    /// Takes the seeks of partitions that are to be assigned again now, if they are in `places`.
    /// Others are no longer assigned to this member.
    pub(super) fn due(&mut self, places: &[Place]) -> Vec<Start> {
        let mut stopped = std::mem::take(&mut self.stopped);
        stopped.retain(|start| is_of(start, places));
        let (due, later) = stopped.into_iter().partition(|(topic, ..)| !self.waits(topic));
        self.stopped = later;
        due
    }

    /// Returns seeks that were not assigned.
    pub(super) fn stay(&mut self, stopped: Vec<Start>) {
        self.stopped.extend(stopped);
    }

    /// Forgets seeks that an assignment has done, and returns those of its partitions that are
    /// paused.
    pub(super) fn begin(&mut self, starts: &[Start]) -> TopicPartitionList {
        let is_one = |topic: &str, partition: i32| {
            starts.iter().any(|(known, number, _)| **known == *topic && *number == partition)
        };
        for waiting in [&mut self.seeks, &mut self.stopped] {
            waiting.retain(|(topic, partition, _)| !is_one(topic, *partition));
        }
        let paused =
            self.paused_in_client.iter().filter(|(topic, partition)| is_one(topic, *partition));
        partitions(paused)
    }

    /// Skips quarantined records from the start.
    pub(super) fn quarantined(notes: Option<&Notes>) -> Self {
        let spots = notes.map(Notes::quarantined).unwrap_or_default();
        let skips = spots.into_iter().map(|spot| (spot, Reason::Poison)).collect();
        Self { skips, ..Self::default() }
    }

    /// Forgets the state of the old client, after the group was rejoined with a new one.
    pub(super) fn forget_client_state(&mut self) {
        self.paused_in_client.clear();
        self.seeks.clear();
        self.stopped.clear();
    }

    /// Returns which offsets of a partition are skipped, and why.
    pub(super) fn skips(&self, place: &Place) -> Vec<(i64, Reason)> {
        let of = self.skips.iter().filter(|((topic, number, _), _)| {
            **topic == *place.topic && *number == place.partition
        });
        of.map(|((.., offset), why)| (*offset, *why)).collect()
    }
}

impl Reader {
    /// Pauses topics with errors, retries them, and reports this.
    pub(super) fn serve_paused(&mut self) {
        // All topics are handled first, because they may include paused ones.
        if self.shared.is_taken_back() {
            let Some(committed) = self.committed() else { return };
            for topic in self.shared.set_back(&committed) {
                self.go_back(&topic, None);
            }
        }
        for (topic, why) in self.shared.broken() {
            self.broke(topic, &why);
        }
        self.try_again();
        let all = self.paused.broken.iter();
        let works = all.filter(|(topic, broken)| self.works(topic, broken));
        let works: Vec<String> = works.map(|(topic, _)| topic.clone()).collect();
        for topic in works {
            self.paused.broken.remove(&topic);
            let reporter = &self.settings.cluster.reporter;
            if reporter.member_status.resumed(&topic) {
                let fields = [("topic", topic.as_str().into())];
                let what = format!("`{topic}` is resumed");
                reporter.tell_with(Event::TopicResumed, &what, &fields);
            }
        }
        self.follow_orders();
        self.assign_again();
        self.apply();
    }

    /// Retries topics whose delay is over, if it is known whether they were recreated.
    fn try_again(&mut self) {
        let now = Instant::now();
        let all = self.paused.broken.iter();
        let due = all.filter(|(_, broken)| broken.until.is_some_and(|until| until <= now));
        let due: Vec<String> = due.map(|(topic, _)| topic.clone()).collect();
        for topic in due {
            if !self.is_known(&topic) {
                continue;
            }
            // An offset that was committed for the old topic would be wrong for the new one.
            let begins = list(&self.shared.begins(|fresh, _| fresh == topic));
            let kept = if begins.count() > 0 { keep(&self.consumer, &begins) } else { Ok(()) };
            let Some(broken) = self.paused.broken.get_mut(&topic) else { continue };
            match kept {
                Err(error) if !error.rdkafka_error_code().is_some_and(is_gone) => {
                    self.settings.cluster.reporter.fault(&error);
                    broken.until = Some(now + broken.backoff.next_wait().max(LEAST_WAIT));
                }
                _ => {
                    self.shared.begun(&topic);
                    let progress = self.shared.progress(&topic);
                    broken.reached = progress.map_or(0, |(reached, _)| reached);
                    (broken.until, broken.tried) = (None, now);
                }
            }
        }
    }

    /// Executes the commands of an operator.
    fn follow_orders(&mut self) {
        let reporter = self.settings.cluster.reporter.clone();
        let wanted = reporter.member_status.paused_by_hand();
        if wanted != self.paused.by_hand {
            let shown = |(topic, partition): &(String, Option<i32>)| match partition {
                Some(number) => format!("`{topic}:{number}`"),
                None => format!("`{topic}`"),
            };
            for new in wanted.difference(&self.paused.by_hand) {
                let what = format!("{} is paused by an operator", shown(new));
                reporter.tell_with(Event::ReadingPaused, &what, &target(new));
            }
            for old in self.paused.by_hand.difference(&wanted) {
                let what = format!("{} is resumed by an operator", shown(old));
                reporter.tell_with(Event::ReadingResumed, &what, &target(old));
            }
            self.paused.by_hand = wanted;
        }
        for (topic, partition, offset) in reporter.member_status.new_skips() {
            let what = format!("{topic}[{partition}]:{offset}");
            let fields = [
                ("topic", topic.as_str().into()),
                ("partition", partition.into()),
                ("offset", offset.into()),
                ("reason", "skipped".into()),
            ];
            let reached = self.shared.reached(&topic, partition);
            if reached.is_some_and(|(_, delivered)| delivered > offset) {
                let what = format!("{what} is not skipped: it was already delivered");
                reporter.tell_with(Event::OffsetsSkipped, &what, &fields);
                reporter.member_status.skip_is_over(&(topic, partition, offset));
                continue;
            }
            let what = format!("{what} is skipped by an operator");
            reporter.tell_with(Event::OffsetsSkipped, &what, &fields);
            // Records that were already handed out are read again, without the skipped one.
            if reached.is_some_and(|(handed, _)| handed > offset) {
                self.go_back(&topic, Some(partition));
            }
            self.paused.skips.insert((topic, partition, offset), Reason::Skipped);
        }
        self.forget_skips();
    }

    /// Forgets skips that were delivered as skipped.
    fn forget_skips(&mut self) {
        let skips = self.paused.skips.iter();
        let over = skips.filter(|((topic, partition, offset), _)| {
            self.shared.reached(topic, *partition).is_some_and(|(_, reached)| reached > *offset)
        });
        let over: Vec<_> = over.map(|(spot, why)| (spot.clone(), *why)).collect();
        let member_status = self.settings.cluster.reporter.member_status.clone();
        for (spot, why) in over {
            self.paused.skips.remove(&spot);
            match (why, &self.settings.notes) {
                (Reason::Poison, Some(notes)) => {
                    member_status.skipped(Skip::Poison, 1);
                    notes.is_over(&spot);
                }
                _ => {
                    member_status.skipped(Skip::ByHand, 1);
                    member_status.skip_is_over(&spot);
                }
            }
        }
    }

    /// Returns whether a topic with an error works again, or is no longer read by this member.
    fn works(&self, topic: &str, broken: &Broken) -> bool {
        if broken.until.is_some() {
            return false;
        }
        let quiet = broken.tried.elapsed() >= QUIET;
        match self.shared.progress(topic) {
            Some((reached, owes)) => reached > broken.reached || quiet && !owes,
            // Another member reads it, or it was deleted. Topics named in the configuration are
            // waited for.
            None => quiet && !self.settings.topics.iter().any(|named| named == topic),
        }
    }

    fn broke(&mut self, topic: String, why: &str) {
        let reporter = &self.settings.cluster.reporter;
        reporter.member_status.count_error(Fault::Topic);
        // A recreated topic is always reported.
        if reporter.member_status.paused(&topic, why) || self.shared.is_fresh(&topic) {
            let what = "paused and retried; no record is lost, and other topics continue";
            let fields = [("topic", topic.as_str().into()), ("reason", why.into())];
            reporter.tell_with(Event::TopicPaused, &format!("`{topic}`: {why}: {what}"), &fields);
        }
        self.go_back(&topic, None);
        let now = Instant::now();
        let broken = self.paused.broken.entry(topic).or_insert_with(|| Broken {
            backoff: Backoff::new(FIRST_WAIT, MOST_WAIT),
            until: None,
            tried: now,
            reached: 0,
        });
        broken.until = Some(now + broken.backoff.next_wait().max(LEAST_WAIT));
    }

    /// Returns the committed offsets of all partitions, or `None` if they are not known, because a
    /// commit without a response may have succeeded.
    pub(super) fn committed(&self) -> Option<Vec<Position>> {
        let mut asked = TopicPartitionList::new();
        for place in self.shared.places() {
            asked.add_partition(&place.topic, place.partition);
        }
        if asked.count() == 0 {
            return Some(Vec::new());
        }
        match self.consumer.committed_offsets(asked, SEEK) {
            Err(error) => {
                self.settings.cluster.reporter.fault(&error);
                None
            }
            Ok(committed) => {
                let elements = committed.elements();
                let known = elements.iter().filter_map(|element| match element.offset() {
                    Offset::Offset(offset) => {
                        Some((element.topic().into(), element.partition(), offset))
                    }
                    _ => None,
                });
                Some(known.collect())
            }
        }
    }

    /// Reads a topic, or one of its partitions, again from its acknowledged offset.
    pub(super) fn go_back(&mut self, topic: &str, only: Option<i32>) {
        let is_meant = |number: i32| only.is_none_or(|partition| partition == number);
        let others = |(known, number, _): &Start| **known != *topic || !is_meant(*number);
        self.paused.seeks.retain(others);
        self.paused.stopped.retain(others);
        self.paused.seeks.extend(self.shared.rewind(topic, only));
    }

    /// Applies pauses and seeks to librdkafka.
    fn apply(&mut self) {
        let Self { paused, consumer, shared, .. } = self;
        let nothing = paused.broken.is_empty() && paused.by_hand.is_empty();
        if nothing && paused.paused_in_client.is_empty() && paused.seeks.is_empty() {
            return;
        }
        let places = shared.places();
        paused.seeks.retain(|start| is_of(start, &places));
        let key = |place: &Place| (place.topic.to_string(), place.partition);
        let held = |paused: &PausedPartitions, wanted: bool| -> Vec<(String, i32)> {
            let all = places.iter().filter(|place| paused.is_paused(place) == wanted);
            all.map(key).filter(|key| paused.paused_in_client.contains(key) != wanted).collect()
        };
        let pause = held(paused, true);
        if !pause.is_empty() && consumer.pause(&partitions(&pause)).is_ok() {
            paused.paused_in_client.extend(pause);
        }
        if !paused.seeks.is_empty() {
            let list = list_of(&paused.seeks);
            // A seek that fails is retried later, and its partition stays paused until then.
            if let Ok(done) = consumer.seek_partitions(list, SEEK) {
                let elements = done.elements();
                for start in std::mem::take(&mut paused.seeks) {
                    let found = elements.iter().find(|element| {
                        element.topic() == &*start.0 && element.partition() == start.1
                    });
                    match found.map(|element| element.error()) {
                        Some(Ok(())) => shared.member_status.seek_done(&start.0, start.1),
                        Some(Err(error)) if is_stopped(&error) => paused.stopped.push(start),
                        _ => paused.seeks.push(start),
                    }
                }
            }
        }
        let resume = held(paused, false);
        if !resume.is_empty() && consumer.resume(&partitions(&resume)).is_ok() {
            paused.paused_in_client.retain(|key| !resume.contains(key));
        }
    }
}

/// Returns the log fields for a topic or a partition.
fn target((topic, partition): &(String, Option<i32>)) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("topic", topic.as_str().into())];
    fields.extend(partition.map(|number| ("partition", number.into())));
    fields
}

/// Returns whether one of `starts` is for this partition.
pub(super) fn begins(starts: &[Start], place: &Place) -> bool {
    starts.iter().any(|(topic, partition, _)| place.is(topic, *partition))
}

/// Returns whether `places` contains the partition.
fn is_of((topic, partition, _): &Start, places: &[Place]) -> bool {
    places.iter().any(|place| place.is(topic, *partition))
}

/// Returns whether a seek failed because the partition is not being read.
fn is_stopped(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::State)
}

fn partitions<'a>(all: impl IntoIterator<Item = &'a (String, i32)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    all.into_iter().for_each(|(topic, partition)| _ = list.add_partition(topic, *partition));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_this_members_and_waits_no_more_is_assigned_again() {
        let place = |topic: &str, partition| Place { id: 1, topic: topic.into(), partition };
        let start = |topic: &str, partition| (topic.into(), partition, Offset::Offset(7));
        let broken = |until| Broken {
            backoff: Backoff::new(FIRST_WAIT, MOST_WAIT),
            until,
            tried: Instant::now(),
            reached: 0,
        };
        let mut paused = PausedPartitions {
            stopped: vec![start("works", 0), start("works", 1), start("waits", 0)],
            ..PausedPartitions::default()
        };
        paused.broken.insert("works".into(), broken(None));
        paused.broken.insert("waits".into(), broken(Some(Instant::now())));
        // The second one was assigned to another member.
        let places = [place("works", 0), place("waits", 0)];
        assert_eq!(paused.due(&places), [start("works", 0)]);
        assert_eq!(paused.stopped, [start("waits", 0)]);
        assert!(paused.is_paused(&places[1]) && !paused.is_paused(&places[0]));
        paused.broken.clear();
        assert_eq!(paused.due(&[]), []);
        assert!(paused.stopped.is_empty());
    }
}
