//! Partitions that are read again from where they are delivered: under a new number, so that nothing
//! that is on its way counts for them any more.

use std::{collections::BTreeSet, io, sync::Arc};

use rdkafka::Offset;

use super::{Partition, Position, Shared, State};
use crate::{
    kafka,
    pipeline::records::{Place, Reached},
};

/// Where to read a partition from.
pub(in super::super) type Start = (Arc<str>, i32, Offset);

impl Shared {
    /// Whether what was read under this number is still wanted.
    pub(in super::super) fn holds(&self, id: u64) -> bool {
        self.state().partitions.get(&id).is_some_and(|partition| !partition.broken)
    }

    /// Something read under this number could not be sent for a fault of the topic that it was for.
    pub(in super::super) fn unsent(&self, id: u64, why: &io::Error) {
        let state = self.state();
        let topic = state.partitions.get(&id).map(|partition| partition.place.topic.clone());
        drop(state);
        if let Some(topic) = topic {
            self.broke(&topic, &why.to_string());
        }
    }

    /// A topic cannot be read, or what is read of it cannot be sent: nothing more of what was read of
    /// it is taken for delivered.
    pub(in super::super) fn broke(&self, topic: &str, why: &str) {
        let mut state = self.state();
        let State { partitions, broken, .. } = &mut *state;
        let all = partitions.values_mut().filter(|partition| &*partition.place.topic == topic);
        all.for_each(|partition| partition.broken = true);
        if !broken.iter().any(|(known, _)| known == topic) {
            broken.push((topic.to_owned(), why.to_owned()));
        }
        state.poked = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing of what was handed out and is not acknowledged is wanted any more, of any topic.
    pub(in super::super) fn take_back(&self) {
        let mut state = self.state();
        state.partitions.values_mut().for_each(|partition| partition.broken = true);
        (state.taken_back, state.poked) = (true, true);
        drop(state);
        self.changed.notify_all();
    }

    /// Whether everything was taken back, and is not where it was committed yet.
    pub(in super::super) fn is_taken_back(&self) -> bool {
        self.state().taken_back
    }

    /// Everything that was taken back is committed so far, and, where nothing is said, not at all; of
    /// which topics that is.
    pub(in super::super) fn set_back(&self, committed: &[Position]) -> BTreeSet<Arc<str>> {
        let mut state = self.state();
        state.taken_back = false;
        let mut topics = BTreeSet::new();
        for partition in state.partitions.values_mut().filter(|partition| partition.broken) {
            let place = &partition.place;
            let known = committed
                .iter()
                .find(|(topic, number, _)| *topic == place.topic && *number == place.partition);
            let offset = known.map_or(i64::MIN, |(.., offset)| *offset);
            (partition.acknowledged, partition.handed) = (offset, offset);
            topics.insert(place.topic.clone());
        }
        topics
    }

    /// How far these partitions have come, if what was read of them is still wanted.
    pub(in super::super) fn owned(&self, reached: &[Reached]) -> Option<Vec<Position>> {
        let state = self.state();
        let position = |Reached { id, offset }: &Reached| {
            let partition = state.partitions.get(id).filter(|partition| !partition.broken)?;
            Some((partition.place.topic.clone(), partition.place.partition, *offset))
        };
        reached.iter().map(position).collect()
    }

    /// The topics that broke since this was asked, and why.
    pub(in super::super) fn broken(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.state().broken)
    }

    /// Gives partitions of a topic new numbers, and says where they are to be read from.
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
            let Partition { place, start, acknowledged, stored, .. } = partition;
            let start = match acknowledged {
                i64::MIN => start,
                offset => Offset::Offset(offset),
            };
            let place = Place { id, ..place };
            starts.push((place.topic.clone(), place.partition, start));
            let known = match start {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            self.vitals.revoked(old);
            let (topic, number) = (place.topic.clone(), place.partition);
            self.vitals.assigned(id, kafka::Partition::new(topic, number, known));
            let new = Partition {
                place,
                start,
                handed: acknowledged,
                acknowledged,
                stored,
                broken: false,
            };
            state.partitions.insert(id, new);
        }
        starts
    }

    /// How far the partitions of a topic are delivered, all together, and whether anything of them is
    /// on its way; `None` where there are none.
    pub(in super::super) fn progress(&self, topic: &str) -> Option<(i64, bool)> {
        let state = self.state();
        let all = state.partitions.values().filter(|partition| &*partition.place.topic == topic);
        let one =
            |p: &Partition| (p.acknowledged.saturating_add(1).max(0), p.acknowledged < p.handed);
        all.map(one).reduce(|(sum, owes), (reached, more)| (sum + reached, owes || more))
    }
}
