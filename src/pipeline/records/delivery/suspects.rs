//! Records because of which a transaction was aborted.
//!
//! A broker rejects a whole batch because of one record in it, and the transaction fails with it.
//! The records of that batch are suspects until they are committed: each is sent with nothing else
//! in flight. If one is rejected then, the reason is known, and when it is read again it goes to
//! the dead letter.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::pipeline::{Reason, records::Place};

/// What is known about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// It was rejected together with others.
    Suspected,
    /// It was rejected alone.
    Guilty(Reason),
    /// Its dead letter was rejected, too, and only has the position from now on.
    Bare(Reason),
}

impl Held {
    fn weight(self) -> u8 {
        match self {
            Self::Suspected => 0,
            Self::Guilty(_) => 1,
            Self::Bare(_) => 2,
        }
    }
}

/// By topic and partition, and by offset.
#[derive(Default)]
pub(super) struct Suspects(HashMap<(Arc<str>, i32), BTreeMap<i64, Held>>);

impl Suspects {
    /// Returns what is known about a record.
    pub(super) fn about(&self, place: &Place, offset: i64) -> Option<Held> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(place.topic.clone(), place.partition))?.get(&offset).copied()
    }

    /// Notes something about a record, unless something as serious is known already.
    pub(super) fn hold(&mut self, place: &Place, offset: i64, held: Held) {
        let all = self.0.entry((place.topic.clone(), place.partition)).or_default();
        let known = all.entry(offset).or_insert(held);
        if held.weight() > known.weight() {
            *known = held;
        }
    }

    /// Removes a record that is committed.
    pub(super) fn acquit(&mut self, place: &Place, before: i64) {
        if self.0.is_empty() {
            return;
        }
        let key = (place.topic.clone(), place.partition);
        if let Some(all) = self.0.get_mut(&key) {
            *all = all.split_off(&before);
            if all.is_empty() {
                self.0.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guilty_stay_so_until_they_are_committed() {
        let place = Place { id: 3, topic: "t".into(), partition: 1 };
        let elsewhere = Place { partition: 2, ..place.clone() };
        let mut suspects = Suspects::default();
        for offset in 5..8 {
            suspects.hold(&place, offset, Held::Suspected);
        }
        suspects.hold(&place, 6, Held::Guilty(Reason::TooLarge));
        suspects.hold(&place, 6, Held::Suspected);
        suspects.hold(&place, 6, Held::Guilty(Reason::Refused));
        assert_eq!(suspects.about(&place, 6), Some(Held::Guilty(Reason::TooLarge)));
        suspects.hold(&place, 6, Held::Bare(Reason::TooLarge));
        assert_eq!(suspects.about(&place, 6), Some(Held::Bare(Reason::TooLarge)));
        assert_eq!(suspects.about(&place, 7), Some(Held::Suspected));
        assert_eq!(suspects.about(&elsewhere, 6), None);
        suspects.acquit(&elsewhere, 100);
        suspects.acquit(&place, 7);
        assert_eq!(suspects.about(&place, 6), None);
        assert_eq!(suspects.about(&place, 7), Some(Held::Suspected));
        suspects.acquit(&place, 8);
        assert!(suspects.0.is_empty());
    }
}
