//! What is not read: topics with a fault of their own, what an operator paused, records to be skipped.

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

/// A topic that broke is tried again after so long at first, and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MOST_WAIT: Duration = Duration::from_secs(60);
/// No less, so that what broke is not read on a treadmill.
const LEAST_WAIT: Duration = Duration::from_millis(250);
/// A topic of which nothing comes works again when it was tried for so long.
const QUIET: Duration = Duration::from_secs(10);
/// How long a change of position may take.
const SEEK: Duration = Duration::from_secs(5);

/// What is not read.
#[derive(Default)]
pub(super) struct Holds {
    broken: BTreeMap<String, Broken>,
    /// What an operator paused.
    by_hand: BTreeSet<(String, Option<i32>)>,
    /// What is skipped, and why, until that is delivered.
    skips: BTreeMap<(String, i32, i64), Reason>,
    /// What librdkafka has paused.
    paused: BTreeSet<(String, i32)>,
    /// Positions that are not taken yet; until then nothing is read there.
    seeks: Vec<Start>,
    /// Those of partitions that librdkafka has stopped to read: it takes them with a new assignment alone.
    stopped: Vec<Start>,
}

/// A topic with a fault.
struct Broken {
    backoff: Backoff,
    /// It is tried again then; `None`: it is being tried.
    until: Option<Instant>,
    tried: Instant,
    /// How far it was delivered when it was tried.
    reached: i64,
}

impl Holds {
    fn holds(&self, place: &Place) -> bool {
        self.waits(&place.topic)
            || begins(&self.seeks, place)
            || begins(&self.stopped, place)
            || self.by_hand.iter().any(|(topic, partition)| {
                **topic == *place.topic && partition.is_none_or(|number| number == place.partition)
            })
    }

    /// Whether a topic with a fault is not to be tried again yet.
    fn waits(&self, topic: &str) -> bool {
        self.broken.get(topic).is_some_and(|broken| broken.until.is_some())
    }

    /// Takes the positions of partitions that are to be assigned again now; only of `places`, for what is
    /// another's by now is not this member's to read.
    pub(super) fn due(&mut self, places: &[Place]) -> Vec<Start> {
        let mut stopped = std::mem::take(&mut self.stopped);
        stopped.retain(|start| is_of(start, places));
        let (due, later) = stopped.into_iter().partition(|(topic, ..)| !self.waits(topic));
        self.stopped = later;
        due
    }

    /// Those were not assigned again.
    pub(super) fn stay(&mut self, stopped: Vec<Start>) {
        self.stopped.extend(stopped);
    }

    /// librdkafka begins partitions anew at these positions; which of them are paused.
    pub(super) fn begin(&mut self, starts: &[Start]) -> TopicPartitionList {
        let is_one = |topic: &str, partition: i32| {
            starts.iter().any(|(known, number, _)| **known == *topic && *number == partition)
        };
        for waiting in [&mut self.seeks, &mut self.stopped] {
            waiting.retain(|(topic, partition, _)| !is_one(topic, *partition));
        }
        let paused = self.paused.iter().filter(|(topic, partition)| is_one(topic, *partition));
        partitions(paused)
    }

    /// Those that runs died of, as a member has them from its start.
    pub(super) fn quarantined(notes: Option<&Notes>) -> Self {
        let spots = notes.map(Notes::quarantined).unwrap_or_default();
        let skips = spots.into_iter().map(|spot| (spot, Reason::Poison)).collect();
        Self { skips, ..Self::default() }
    }

    /// With a member that has paused nothing, and begins where its group is.
    pub(super) fn begin_anew(&mut self) {
        self.paused.clear();
        self.seeks.clear();
        self.stopped.clear();
    }

    /// Which offsets of a partition are skipped, and why.
    pub(super) fn skips(&self, place: &Place) -> Vec<(i64, Reason)> {
        let of = self.skips.iter().filter(|((topic, number, _), _)| {
            **topic == *place.topic && *number == place.partition
        });
        of.map(|((.., offset), why)| (*offset, *why)).collect()
    }
}

impl Reader {
    /// Pauses what broke, tries it again, and says so.
    pub(super) fn serve_holds(&mut self) {
        // First as a whole: what broke is paused then, too.
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
        let all = self.holds.broken.iter();
        let works = all.filter(|(topic, broken)| self.works(topic, broken));
        let works: Vec<String> = works.map(|(topic, _)| topic.clone()).collect();
        for topic in works {
            self.holds.broken.remove(&topic);
            let voice = &self.settings.cluster.voice;
            if voice.vitals.resumed(&topic) {
                let fields = [("topic", topic.as_str().into())];
                let what = format!("`{topic}` is resumed");
                voice.tell_with(Event::TopicResumed, &what, &fields);
            }
        }
        self.follow_orders();
        self.assign_again();
        self.apply();
    }

    /// Those that broke are tried again when it is time for that, and it is known which topics they are.
    fn try_again(&mut self) {
        let now = Instant::now();
        let all = self.holds.broken.iter();
        let due = all.filter(|(_, broken)| broken.until.is_some_and(|until| until <= now));
        let due: Vec<String> = due.map(|(topic, _)| topic.clone()).collect();
        for topic in due {
            if !self.is_known(&topic) {
                continue;
            }
            // What is committed of the one before would hold for the one that is there now.
            let begins = list(&self.shared.begins(|fresh, _| fresh == topic));
            let kept = if begins.count() > 0 { keep(&self.consumer, &begins) } else { Ok(()) };
            let Some(broken) = self.holds.broken.get_mut(&topic) else { continue };
            match kept {
                Err(error) if !error.rdkafka_error_code().is_some_and(is_gone) => {
                    self.settings.cluster.voice.fault(&error);
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

    /// Takes notice of what an operator wants.
    fn follow_orders(&mut self) {
        let voice = self.settings.cluster.voice.clone();
        let wanted = voice.vitals.paused_by_hand();
        if wanted != self.holds.by_hand {
            let shown = |(topic, partition): &(String, Option<i32>)| match partition {
                Some(number) => format!("`{topic}:{number}`"),
                None => format!("`{topic}`"),
            };
            for new in wanted.difference(&self.holds.by_hand) {
                let what = format!("{} is paused by an operator", shown(new));
                voice.tell_with(Event::ReadingPaused, &what, &target(new));
            }
            for old in self.holds.by_hand.difference(&wanted) {
                let what = format!("{} is resumed by an operator", shown(old));
                voice.tell_with(Event::ReadingResumed, &what, &target(old));
            }
            self.holds.by_hand = wanted;
        }
        for (topic, partition, offset) in voice.vitals.new_skips() {
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
                voice.tell_with(Event::OffsetsSkipped, &what, &fields);
                voice.vitals.skip_is_over(&(topic, partition, offset));
                continue;
            }
            let what = format!("{what} is skipped by an operator");
            voice.tell_with(Event::OffsetsSkipped, &what, &fields);
            // What was handed out already is read again, without it.
            if reached.is_some_and(|(handed, _)| handed > offset) {
                self.go_back(&topic, Some(partition));
            }
            self.holds.skips.insert((topic, partition, offset), Reason::Skipped);
        }
        self.forget_skips();
    }

    /// What was skipped and delivered as such is over.
    fn forget_skips(&mut self) {
        let skips = self.holds.skips.iter();
        let over = skips.filter(|((topic, partition, offset), _)| {
            self.shared.reached(topic, *partition).is_some_and(|(_, reached)| reached > *offset)
        });
        let over: Vec<_> = over.map(|(spot, why)| (spot.clone(), *why)).collect();
        let vitals = self.settings.cluster.voice.vitals.clone();
        for (spot, why) in over {
            self.holds.skips.remove(&spot);
            match (why, &self.settings.notes) {
                (Reason::Poison, Some(notes)) => {
                    vitals.skipped(Skip::Poison, 1);
                    notes.is_over(&spot);
                }
                _ => {
                    vitals.skipped(Skip::ByHand, 1);
                    vitals.skip_is_over(&spot);
                }
            }
        }
    }

    /// Whether a topic that broke works again, or is nobody's concern any more.
    fn works(&self, topic: &str, broken: &Broken) -> bool {
        if broken.until.is_some() {
            return false;
        }
        let quiet = broken.tried.elapsed() >= QUIET;
        match self.shared.progress(topic) {
            Some((reached, owes)) => reached > broken.reached || quiet && !owes,
            // Another member has it, or it is no more: what is named is waited for.
            None => quiet && !self.settings.topics.iter().any(|named| named == topic),
        }
    }

    fn broke(&mut self, topic: String, why: &str) {
        let voice = &self.settings.cluster.voice;
        voice.vitals.erred(Fault::Topic);
        // That one was made anew is said in any case.
        if voice.vitals.paused(&topic, why) || self.shared.is_fresh(&topic) {
            let what = "paused and retried; no record is lost, and other topics continue";
            let fields = [("topic", topic.as_str().into()), ("reason", why.into())];
            voice.tell_with(Event::TopicPaused, &format!("`{topic}`: {why}: {what}"), &fields);
        }
        self.go_back(&topic, None);
        let now = Instant::now();
        let broken = self.holds.broken.entry(topic).or_insert_with(|| Broken {
            backoff: Backoff::new(FIRST_WAIT, MOST_WAIT),
            until: None,
            tried: now,
            reached: 0,
        });
        broken.until = Some(now + broken.backoff.next_wait().max(LEAST_WAIT));
    }

    /// How far all partitions are committed; `None`, where that cannot be known yet: a commit whose end
    /// nobody told of may hold.
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
                self.settings.cluster.voice.fault(&error);
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

    /// A topic, or one partition of it, is read again from what is acknowledged.
    pub(super) fn go_back(&mut self, topic: &str, only: Option<i32>) {
        let is_meant = |number: i32| only.is_none_or(|partition| partition == number);
        let others = |(known, number, _): &Start| **known != *topic || !is_meant(*number);
        self.holds.seeks.retain(others);
        self.holds.stopped.retain(others);
        self.holds.seeks.extend(self.shared.rewind(topic, only));
    }

    /// Tells librdkafka what to read, and from where.
    fn apply(&mut self) {
        let Self { holds, consumer, shared, .. } = self;
        let nothing = holds.broken.is_empty() && holds.by_hand.is_empty();
        if nothing && holds.paused.is_empty() && holds.seeks.is_empty() {
            return;
        }
        let places = shared.places();
        holds.seeks.retain(|start| is_of(start, &places));
        let key = |place: &Place| (place.topic.to_string(), place.partition);
        let held = |holds: &Holds, wanted: bool| -> Vec<(String, i32)> {
            let all = places.iter().filter(|place| holds.holds(place) == wanted);
            all.map(key).filter(|key| holds.paused.contains(key) != wanted).collect()
        };
        let pause = held(holds, true);
        if !pause.is_empty() && consumer.pause(&partitions(&pause)).is_ok() {
            holds.paused.extend(pause);
        }
        if !holds.seeks.is_empty() {
            let list = list_of(&holds.seeks);
            // What fails is tried again at the next turn; it is paused until then.
            if let Ok(done) = consumer.seek_partitions(list, SEEK) {
                let elements = done.elements();
                for start in std::mem::take(&mut holds.seeks) {
                    let found = elements.iter().find(|element| {
                        element.topic() == &*start.0 && element.partition() == start.1
                    });
                    match found.map(|element| element.error()) {
                        Some(Ok(())) => shared.vitals.sought(&start.0, start.1),
                        Some(Err(error)) if is_stopped(&error) => holds.stopped.push(start),
                        _ => holds.seeks.push(start),
                    }
                }
            }
        }
        let resume = held(holds, false);
        if !resume.is_empty() && consumer.resume(&partitions(&resume)).is_ok() {
            holds.paused.retain(|key| !resume.contains(key));
        }
    }
}

/// The fields of a topic, or of one partition.
fn target((topic, partition): &(String, Option<i32>)) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("topic", topic.as_str().into())];
    fields.extend(partition.map(|number| ("partition", number.into())));
    fields
}

/// Whether one of these is where a partition begins.
pub(super) fn begins(starts: &[Start], place: &Place) -> bool {
    starts.iter().any(|(topic, partition, _)| place.is(topic, *partition))
}

/// Whether it is where one of these begins.
fn is_of((topic, partition, _): &Start, places: &[Place]) -> bool {
    places.iter().any(|place| place.is(topic, *partition))
}

/// Whether a position is not taken because the partition is not read.
fn is_stopped(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::State)
}

fn partitions<'a>(all: impl IntoIterator<Item = &'a (String, i32)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in all {
        list.add_partition(topic, *partition);
    }
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
        let mut holds = Holds {
            stopped: vec![start("works", 0), start("works", 1), start("waits", 0)],
            ..Holds::default()
        };
        holds.broken.insert("works".into(), broken(None));
        holds.broken.insert("waits".into(), broken(Some(Instant::now())));
        // The second went to another member meanwhile.
        let places = [place("works", 0), place("waits", 0)];
        assert_eq!(holds.due(&places), [start("works", 0)]);
        assert_eq!(holds.stopped, [start("waits", 0)]);
        assert!(holds.holds(&places[1]) && !holds.holds(&places[0]));
        holds.broken.clear();
        assert_eq!(holds.due(&[]), []);
        assert!(holds.stopped.is_empty());
    }
}
