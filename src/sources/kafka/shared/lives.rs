//! Detects recreated topics. A topic that is deleted and recreated under its name has a new id, and
//! other records at the same offsets, so earlier deliveries and commits say nothing about where to
//! begin.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::Offset;

use super::{Ahead, Position, Shared, State};
use crate::kafka::{TopicId, TopicIds};

/// How long an id is remembered after the member has lost the topic. After that, other members may
/// have committed offsets of a recreated topic.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// A topic with its id.
pub(super) struct Life {
    id: TopicId,
    /// When this member last had partitions of it.
    had: Instant,
    /// Whether it was recreated, so that the committed offsets may be of the old topic.
    pub(super) fresh: bool,
}

/// A topic that did not exist.
pub(super) struct Doubt {
    since: Instant,
    /// Whether a request for its id had no answer.
    unanswered: bool,
}

impl Doubt {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), unanswered: false }
    }
}

/// Whether a topic may have been recreated.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Doubted {
    /// It was not, as far as is known.
    No,
    /// It did not exist, and its id was requested.
    Yes,
    /// Its id is never returned.
    ForGood,
}

impl Shared {
    /// Returns the topics of the assigned partitions.
    pub(in super::super) fn topics(&self) -> BTreeSet<Arc<str>> {
        let state = self.state();
        state.partitions.values().map(|partition| partition.place.topic.clone()).collect()
    }

    /// Checks whether these topics were recreated; `ask` returns their ids. Returns whether there
    /// was an answer.
    pub(in super::super) fn identify(
        &self,
        topics: &BTreeSet<Arc<str>>,
        ask: impl FnOnce(&[&str]) -> Option<TopicIds>,
    ) -> bool {
        if topics.is_empty() {
            return true;
        }
        let asked = Instant::now();
        let names: Vec<_> = topics.iter().map(|topic| &**topic).collect();
        let ids = ask(&names);
        let mut state = self.state();
        state.mute = ids.is_none();
        let Some(ids) = ids else {
            let doubts = state.doubts.iter_mut().filter(|(topic, _)| names.contains(&&***topic));
            let all = doubts.filter(|(_, doubt)| doubt.since <= asked);
            all.for_each(|(_, doubt)| doubt.unanswered = true);
            return false;
        };
        for topic in names {
            let known = ids.get(topic);
            if let Some(Some(id)) = known {
                state.is_now(topic, *id, asked);
            }
            // A missing id will not be returned later either.
            let is_there = known.is_none_or(Option::is_some);
            if is_there && state.doubts.get(topic).is_some_and(|doubt| doubt.since <= asked) {
                state.doubts.remove(topic);
            }
        }
        let held: BTreeSet<_> = state.partitions.values().map(|p| p.place.topic.clone()).collect();
        state.lives.retain(|topic, life| {
            if held.contains(&**topic) {
                life.had = asked;
            }
            life.had.elapsed() < FORGOTTEN
        });
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Returns whether a topic was recreated, and the committed offsets may be of the old one.
    pub(in super::super) fn is_fresh(&self, topic: &str) -> bool {
        self.state().lives.get(topic).is_some_and(|life| life.fresh)
    }

    /// Returns the offsets to commit for partitions of recreated topics: their beginning.
    pub(in super::super) fn begins(&self, is_meant: impl Fn(&str, u64) -> bool) -> Vec<Position> {
        let state = self.state();
        let places = state.partitions.values().map(|partition| &partition.place);
        let fresh = |topic: &str| state.lives.get(topic).is_some_and(|life| life.fresh);
        let all = places.filter(|place| fresh(&place.topic) && is_meant(&place.topic, place.id));
        all.map(|place| (place.topic.clone(), place.partition, 0)).collect()
    }

    /// Records that the committed offsets of a topic are of the new one.
    pub(in super::super) fn begun(&self, topic: &str) {
        if let Some(life) = self.state().lives.get_mut(topic) {
            life.fresh = false;
        }
    }

    /// Returns whether the last request for ids had no answer.
    pub(in super::super) fn is_mute(&self) -> bool {
        self.state().mute
    }

    /// Returns whether a topic that did not exist may have been recreated.
    pub(in super::super) fn doubted(&self, topic: &str) -> Doubted {
        let state = self.state();
        let is_read = state.partitions.values().any(|p| &*p.place.topic == topic);
        match state.doubts.get(topic).filter(|_| is_read) {
            None => Doubted::No,
            // A broker that returned an id once will do so again.
            Some(doubt) if doubt.unanswered && !state.lives.contains_key(topic) => Doubted::ForGood,
            Some(_) => Doubted::Yes,
        }
    }

    /// Without an id, the topic begins at its committed offset, which is deleted together with a
    /// topic, or else at its first record.
    pub(in super::super) fn fall_back(&self, topic: &str, committed: &[Position]) {
        let mut state = self.state();
        state.doubts.remove(topic);
        let all = state.partitions.values_mut();
        for partition in all.filter(|p| &*p.place.topic == topic && p.gone) {
            let place = &partition.place;
            let known = committed.iter().find(|(topic, n, _)| place.is(topic, *n));
            let known = known.map(|(.., offset)| *offset);
            let offset = known.unwrap_or(i64::MIN);
            (partition.acknowledged, partition.handed) = (offset, offset);
            partition.start = known.map_or(Offset::Beginning, Offset::Offset);
            partition.ahead = Ahead::default();
        }
    }

    /// Requests a check, because a topic may have been deleted.
    pub(in super::super) fn doubt(&self) {
        self.state().look = true;
    }

    /// Returns whether a check was requested since the last call.
    pub(in super::super) fn is_to_look(&self) -> bool {
        std::mem::take(&mut self.state().look)
    }
}

impl State {
    /// Stores the current id of a topic.
    fn is_now(&mut self, topic: &str, id: TopicId, asked: Instant) {
        let Some(life) = self.lives.get_mut(topic) else {
            self.lives.insert(topic.to_owned(), Life { id, had: asked, fresh: false });
            return;
        };
        if life.id == id {
            return;
        }
        *life = Life { id, had: asked, fresh: true };
        let all = self.partitions.values_mut().filter(|p| &*p.place.topic == topic);
        all.for_each(|partition| {
            (partition.broken, partition.gone) = (true, true);
            (partition.handed, partition.acknowledged) = (i64::MIN, i64::MIN);
            (partition.start, partition.stored) = (Offset::Beginning, i64::MIN);
            (partition.furthest, partition.ahead) = (i64::MIN, Ahead::default());
        });
        let why = "it was deleted and recreated: it is read from its first record, and some \
                   records may be delivered twice";
        self.broken.retain(|(known, _)| known != topic);
        self.broken.push((topic.to_owned(), why.to_owned()));
        self.poked = true;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pipeline::records::{Block, Incoming, Reached};

    fn identify(shared: &Shared, id: Option<i64>) {
        let ids = TopicIds::from([("t".to_owned(), id.map(TopicId::of))]);
        assert!(shared.identify(&BTreeSet::from(["t".into()]), |_| Some(ids)));
    }

    fn hand(shared: &Shared, offset: i64) {
        let mut block = Block::default();
        let record = Incoming { offset, value: Some(b"{}"), ..Incoming::default() };
        block.push(&shared.places()[0], &record, 99);
        shared.hand(block);
    }

    /// A topic that was delivered up to 500.
    fn read() -> Shared {
        let shared = Shared::new(Arc::default());
        shared.assigned("t", 0, Offset::Offset(490), false);
        identify(&shared, Some(1));
        hand(&shared, 499);
        shared.acknowledge(&[Reached { id: 0, offset: 500 }]);
        shared
    }

    #[test]
    fn what_is_made_anew_is_read_from_its_begin() {
        for (gone, late, back) in [
            (false, false, false),
            (true, false, false),
            (false, true, false),
            (true, true, true),
            (false, false, true),
        ] {
            let shared = read();
            if gone {
                shared.broke("t", "unknown topic", true);
                identify(&shared, None);
                assert_eq!(shared.doubted("t"), Doubted::Yes);
                let _ = shared.rewind("t", None);
            }
            identify(&shared, Some(2));
            assert!(shared.is_fresh("t") && shared.doubted("t") == Doubted::No);
            let broken = shared.broken();
            assert!(broken[0].1.contains("recreated"), "{broken:?}");
            if late {
                // Records that were read as if they were from the old topic.
                hand(&shared, 520);
                shared.acknowledge(&[Reached { id: 0, offset: 521 }]);
            }
            if back {
                shared.take_back();
                shared.set_back(&[("t".into(), 0, 500)]);
            }
            let ids: Vec<_> = shared.places().iter().map(|place| place.id).collect();
            assert_eq!((shared.positions(&ids), shared.to_store()), (vec![], vec![]));
            assert_eq!(shared.begins(|_, _| true), [("t".into(), 0, 0)]);
            assert_eq!(shared.rewind("t", None), [("t".into(), 0, Offset::Beginning)]);
            shared.begun("t");
            // An earlier commit may still have succeeded.
            shared.take_back();
            shared.set_back(&[("t".into(), 0, 500)]);
            assert_eq!(shared.rewind("t", None), [("t".into(), 0, Offset::Beginning)]);
            assert_eq!(shared.begins(|_, _| true), []);
        }
    }

    #[test]
    fn what_is_the_same_goes_on_where_it_was() {
        let shared = read();
        shared.broke("t", "unknown topic", true);
        assert_eq!(shared.doubted("t"), Doubted::Yes);
        assert!(shared.is_to_look() && !shared.is_to_look());
        identify(&shared, Some(1));
        assert!(shared.doubted("t") == Doubted::No && !shared.is_fresh("t"));
        assert_eq!(shared.rewind("t", None), [("t".into(), 0, Offset::Offset(500))]);
        assert!(!shared.identify(&BTreeSet::from(["t".into()]), |_| None));
        // If ids are not returned, they are not waited for.
        shared.broke("t", "unknown topic", true);
        assert!(shared.identify(&BTreeSet::from(["t".into()]), |_| Some(TopicIds::new())));
        assert_eq!(shared.doubted("t"), Doubted::No);
    }

    #[test]
    fn where_nobody_tells_what_is_committed_tells() {
        let committed = [("t".into(), 0, 495)];
        let starts = [(&committed[..], Offset::Offset(495)), (&[], Offset::Beginning)];
        for (committed, start) in starts {
            let shared = read();
            shared.state().lives.clear();
            shared.broke("t", "unknown topic", true);
            assert!(!shared.identify(&BTreeSet::from(["t".into()]), |_| None));
            assert!(shared.is_mute() && shared.doubted("t") == Doubted::ForGood);
            shared.fall_back("t", committed);
            assert_eq!(shared.doubted("t"), Doubted::No);
            assert_eq!(shared.rewind("t", None), [("t".into(), 0, start)]);
        }
    }
}
