//! Partitions that are read again from where they were delivered. They get a new number, so that
//! late reports about earlier records do not count.

use std::{collections::BTreeSet, io, sync::Arc};

use rdkafka::Offset;

use super::{Ahead, Doubt, Partition, Position, Shared, State};
use crate::{
    kafka,
    pipeline::records::{Piece, Place, Reached},
};

/// The maximum number of earlier numbers of a partition; reports under older ones are ignored.
const MOST_EARLIER: usize = 64;

/// Where to read a partition from.
pub(in super::super) type Start = (Arc<str>, i32, Offset);

impl Shared {
    /// Returns whether records that were read under this number are still wanted.
    pub(in super::super) fn holds(&self, id: u64) -> bool {
        self.state().partitions.get(&id).is_some_and(|partition| !partition.broken)
    }

    /// Records that a record read under this number could not be sent because of an error of its
    /// topic.
    pub(in super::super) fn unsent(&self, id: u64, why: &io::Error) {
        let state = self.state();
        let topic = state.partitions.get(&id).map(|partition| partition.place.topic.clone());
        drop(state);
        if let Some(topic) = topic {
            self.broke(&topic, &why.to_string(), false);
        }
    }

    /// Records that a topic cannot be read, or that its records cannot be sent: nothing more of
    /// what was read counts as delivered. If it is `gone`, no more of its offsets are committed,
    /// because a recreated topic has others.
    pub(in super::super) fn broke(&self, topic: &str, why: &str, gone: bool) {
        let mut state = self.state();
        if gone {
            state.look = true;
            state.doubts.insert(topic.to_owned(), Doubt::new());
        }
        let State { partitions, broken, .. } = &mut *state;
        let all = partitions.values_mut().filter(|partition| &*partition.place.topic == topic);
        all.for_each(|partition| {
            partition.broken = true;
            partition.gone |= gone;
            if gone {
                partition.ahead = Ahead::default();
            }
        });
        if !broken.iter().any(|(known, _)| known == topic) {
            broken.push((topic.to_owned(), why.to_owned()));
        }
        state.poked = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Records that these were read under this number and are durable, although earlier records may
    /// not be.
    pub(in super::super) fn sent(&self, id: u64, pieces: &[Piece]) {
        let mut state = self.state();
        let mut all = state.partitions.values_mut();
        let found = all.find(|p| p.place.id == id || p.earlier.contains(&id));
        // A recreated topic has other records at these offsets.
        if let Some(Partition { ahead, acknowledged, .. }) = found.filter(|p| !p.gone) {
            let later = pieces.iter().filter(|piece| piece.offset >= *acknowledged);
            later.for_each(|piece| ahead.insert(*piece));
        }
    }

    /// Returns whether any records read under this number were sent before and are durable.
    pub(in super::super) fn has_sent(&self, id: u64) -> bool {
        self.state().partitions.get(&id).is_some_and(|partition| !partition.ahead.is_empty())
    }

    /// Returns whether this one was sent before and is durable.
    pub(in super::super) fn was_sent(&self, id: u64, piece: Piece) -> bool {
        self.state().partitions.get(&id).is_some_and(|partition| partition.ahead.has(piece))
    }

    /// Takes back everything that was handed out and is not acknowledged, of all topics.
    pub(in super::super) fn take_back(&self) {
        let mut state = self.state();
        state.partitions.values_mut().for_each(|partition| partition.broken = true);
        (state.taken_back, state.poked) = (true, true);
        drop(state);
        self.changed.notify_all();
    }

    /// Returns whether everything was taken back, and the positions are not reset yet.
    pub(in super::super) fn is_taken_back(&self) -> bool {
        self.state().taken_back
    }

    /// Resets everything that was taken back to the committed offsets, or to the start if there are
    /// none. Returns the topics.
    pub(in super::super) fn set_back(&self, committed: &[Position]) -> BTreeSet<Arc<str>> {
        let mut state = self.state();
        state.taken_back = false;
        let mut topics = BTreeSet::new();
        let State { partitions, lives, .. } = &mut *state;
        for partition in partitions.values_mut().filter(|partition| partition.broken) {
            let place = &partition.place;
            let known = committed
                .iter()
                .find(|(topic, number, _)| *topic == place.topic && *number == place.partition);
            let fresh = lives.get(&*place.topic).is_some_and(|life| life.fresh);
            let most = match partition.start {
                Offset::Offset(start) => start.max(partition.furthest),
                _ => partition.furthest.max(0),
            };
            // An offset after everything that was read belongs to an earlier topic: see `lives`.
            let offset = match known {
                Some((.., offset)) if *offset <= most && !fresh => *offset,
                Some(_) => partition.acknowledged,
                None => i64::MIN,
            };
            (partition.acknowledged, partition.handed) = (offset, offset);
            topics.insert(place.topic.clone());
        }
        topics
    }

    /// Returns the progress of these partitions, if all that was read of them is still wanted.
    pub(in super::super) fn owned(&self, reached: &[Reached]) -> Option<Vec<Position>> {
        let state = self.state();
        let position = |Reached { id, offset }: &Reached| {
            let partition = state.partitions.get(id).filter(|partition| !partition.broken)?;
            Some((partition.place.topic.clone(), partition.place.partition, *offset))
        };
        reached.iter().map(position).collect()
    }

    /// Takes the topics with new errors, and the errors.
    pub(in super::super) fn broken(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.state().broken)
    }

    /// Gives partitions of a topic new numbers, and returns where they are to be read from.
    pub(in super::super) fn rewind(&self, topic: &str, only: Option<i32>) -> Vec<Start> {
        let mut state = self.state();
        let is_meant = |place: &Place| {
            &*place.topic == topic && only.is_none_or(|partition| partition == place.partition)
        };
        let all = state.partitions.values().filter(|partition| is_meant(&partition.place));
        let ids: Vec<_> = all.map(|partition| partition.place.id).collect();
        let mut starts = Vec::new();
        for old in ids {
            let Some(partition) = state.partitions.remove(&old) else { continue };
            let id = state.next_id;
            state.next_id += 1;
            let Partition {
                place,
                start,
                acknowledged,
                stored,
                furthest,
                gone,
                mut earlier,
                ahead,
                ..
            } = partition;
            if earlier.len() == MOST_EARLIER {
                earlier.remove(0);
            }
            earlier.push(old);
            let start = match acknowledged {
                i64::MIN => start,
                offset => Offset::Offset(offset),
            };
            let place = Place { id, ..place };
            starts.push((place.topic.clone(), place.partition, start));
            self.member_status.revoked(old);
            let (topic, number) = (place.topic.clone(), place.partition);
            self.member_status.assigned(id, kafka::Partition::new(topic, number, start).seeking());
            let new = Partition {
                place,
                start,
                handed: acknowledged,
                acknowledged,
                stored,
                furthest,
                broken: false,
                gone,
                earlier,
                ahead,
            };
            state.partitions.insert(id, new);
        }
        starts
    }

    /// Returns the end of the handed-out and of the delivered records of a partition.
    pub(in super::super) fn reached(&self, topic: &str, partition: i32) -> Option<(i64, i64)> {
        let state = self.state();
        let mut all = state.partitions.values();
        let found = all.find(|p| p.place.is(topic, partition));
        found.map(|partition| (partition.handed, partition.acknowledged))
    }

    /// Returns the summed progress of a topic's partitions, and whether records are in flight;
    /// `None` if none are assigned.
    pub(in super::super) fn progress(&self, topic: &str) -> Option<(i64, bool)> {
        let state = self.state();
        let all = state.partitions.values().filter(|partition| &*partition.place.topic == topic);
        let one =
            |p: &Partition| (p.acknowledged.saturating_add(1).max(0), p.acknowledged < p.handed);
        all.map(one).reduce(|(sum, owes), (reached, more)| (sum + reached, owes || more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::records::{Block, Incoming, Reached};

    fn shared() -> (Shared, Vec<Place>) {
        let shared = Shared::new(Arc::default());
        shared.assigned("t", 0, Offset::Beginning, false);
        shared.assigned("t", 1, Offset::Offset(50), false);
        shared.assigned("u", 0, Offset::Offset(7), false);
        let places = shared.places();
        (shared, places)
    }

    fn hand(shared: &Shared, place: &Place, offsets: std::ops::Range<i64>) {
        let mut block = Block::default();
        for offset in offsets {
            let value = Some(&b"{}"[..]);
            block.push(place, &Incoming { offset, value, ..Incoming::default() }, 99);
        }
        shared.hand(block);
    }

    fn acknowledge(shared: &Shared, place: &Place, offset: i64) {
        shared.acknowledge(&[Reached { id: place.id, offset }]);
    }

    #[test]
    fn what_broke_begins_anew_where_it_was_delivered_and_late_reports_do_not_count() {
        let (shared, places) = shared();
        hand(&shared, &places[0], 20..30);
        hand(&shared, &places[1], 50..60);
        hand(&shared, &places[2], 7..9);
        acknowledge(&shared, &places[1], 55);
        assert_eq!(shared.progress("t"), Some((56, true)));
        shared.unsent(places[0].id, &io::Error::other("no such topic"));
        assert_eq!(shared.broken(), [("t".to_owned(), "no such topic".to_owned())]);
        assert!(!shared.holds(places[0].id) && !shared.holds(places[1].id));
        assert!(shared.holds(places[2].id));
        for place in &places {
            acknowledge(&shared, place, 1_000);
        }
        let mut starts = shared.rewind("t", None);
        starts.sort_by_key(|(_, partition, _)| *partition);
        // Without deliveries, reading begins at the first record.
        let at = |partition, offset| (Arc::from("t"), partition, Offset::Offset(offset));
        assert_eq!(starts, [at(0, 20), at(1, 55)]);
        acknowledge(&shared, &places[1], 1_000);
        assert_eq!(shared.progress("t"), Some((56, false)));
        assert_eq!(shared.progress("u"), Some((1_001, false)));
        let new: Vec<_> =
            shared.places().into_iter().filter(|place| &*place.topic == "t").collect();
        assert!(new.iter().all(|place| place.id > 2 && shared.holds(place.id)));
        // Stored offsets stay stored, and later ones follow.
        assert_eq!(shared.to_store(), [(Arc::from("u"), 0, 1_000), (Arc::from("t"), 1, 55)]);
    }

    #[test]
    fn of_a_topic_that_is_gone_nothing_is_committed() {
        let (shared, places) = shared();
        for (place, end) in places.iter().zip([30, 60, 9]) {
            hand(&shared, place, end - 1..end);
            acknowledge(&shared, place, end);
        }
        shared.broke("t", "unknown topic", true);
        let _ = shared.rewind("t", None);
        let ids: Vec<_> = shared.places().iter().map(|place| place.id).collect();
        let left = [(Arc::from("u"), 0, 9)];
        assert_eq!((shared.positions(&ids), shared.to_store()), (left.to_vec(), left.to_vec()));
        // The topic exists again.
        hand(&shared, shared.places().iter().find(|p| p.partition == 1).unwrap(), 70..71);
        let place = shared.places().into_iter().find(|p| p.partition == 1).unwrap();
        acknowledge(&shared, &place, 71);
        assert_eq!(shared.to_store(), [(Arc::from("t"), 1, 71)]);
    }

    #[test]
    fn what_is_durable_is_known_when_it_is_read_again() {
        let piece = |offset| Piece { offset, line: None };
        let (shared, places) = shared();
        hand(&shared, &places[1], 50..60);
        shared.unsent(places[1].id, &io::Error::other("no such topic"));
        shared.sent(places[1].id, &[piece(53), piece(57)]);
        let _ = shared.rewind("t", None);
        // A late report under the old number.
        shared.sent(places[1].id, &[piece(58)]);
        let again = shared.places().into_iter().find(|place| place.is("t", 1)).unwrap();
        let known = |id| (50..60).filter(|n| shared.was_sent(id, piece(*n))).collect::<Vec<_>>();
        assert!(shared.has_sent(again.id) && !shared.has_sent(places[1].id));
        assert_eq!(known(again.id), [53, 57, 58]);
        acknowledge(&shared, &again, 58);
        assert_eq!(known(again.id), [58]);
        // A recreated topic has other records.
        shared.broke("t", "unknown topic", true);
        shared.sent(again.id, &[piece(59)]);
        let _ = shared.rewind("t", None);
        let again = shared.places().into_iter().find(|place| place.is("t", 1)).unwrap();
        assert_eq!((shared.has_sent(again.id), known(again.id)), (false, vec![]));
    }

    #[test]
    fn one_partition_can_begin_anew_alone() {
        let (shared, places) = shared();
        hand(&shared, &places[1], 50..60);
        assert_eq!(shared.rewind("t", Some(1)), [(Arc::from("t"), 1, Offset::Offset(50))]);
        assert!(shared.holds(places[0].id) && !shared.holds(places[1].id));
    }
}
