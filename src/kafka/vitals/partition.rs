//! How far a partition is, and how far it could be.

use std::{collections::VecDeque, sync::Arc};

use rdkafka::statistics;

/// So many hand-outs are remembered that are not acknowledged; of more the ages are not known.
const REMEMBERED: usize = 1 << 14;

/// A partition that is this member's.
#[derive(Debug, Default)]
pub struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    /// Everything before this was delivered, by this run or an earlier one.
    pub(super) reached: Option<i64>,
    /// The oldest timestamp of what was acknowledged last.
    time: Option<i64>,
    /// What was handed out and is not acknowledged: up to where, and the oldest timestamp.
    flying: VecDeque<(i64, Option<i64>)>,
    told: Option<Told>,
}

/// What librdkafka last said.
#[derive(Debug)]
struct Told {
    low: i64,
    end: i64,
    /// What is fetched next, and how much waits that was fetched.
    next: i64,
    waits: bool,
}

impl Partition {
    /// One of which nothing was read yet, from its committed offset on, if there is one.
    pub fn new(topic: Arc<str>, partition: i32, committed: Option<i64>) -> Self {
        Self { topic, partition, reached: committed, ..Self::default() }
    }

    pub(super) fn handed(&mut self, end: i64, oldest: Option<i64>) {
        if self.flying.len() < REMEMBERED {
            self.flying.push_back((end, oldest));
        }
    }

    /// The oldest timestamps of what is acknowledged by that.
    pub(super) fn acknowledged(&mut self, end: i64) -> Vec<i64> {
        self.reached = self.reached.max(Some(end));
        let mut times = Vec::new();
        while let Some(&(last, oldest)) = self.flying.front()
            && last <= end
        {
            self.flying.pop_front();
            self.time = oldest.or(self.time);
            times.extend(oldest);
        }
        times
    }

    pub(super) fn told(&mut self, told: &statistics::Partition) {
        let stable = Some(told.ls_offset).filter(|offset| *offset >= 0);
        let end = stable.unwrap_or(told.hi_offset);
        // Of one that is not read it does not know the end.
        let known = self.told.as_ref().map_or(0, |told| told.end);
        if end >= known {
            let (low, next, waits) = (told.lo_offset, told.next_offset, told.fetchq_cnt > 0);
            self.told = Some(Told { low, end, next, waits });
        }
    }

    /// Somebody asked where it ends.
    pub(super) fn ends(&mut self, end: i64) {
        match &mut self.told {
            Some(told) => told.end = end.max(told.end),
            None => self.told = Some(Told { low: 0, end, next: 0, waits: false }),
        }
    }

    /// How many offsets are not delivered, as far as is known.
    pub(super) fn lag(&self) -> Option<i64> {
        let Told { low, end, next, waits } = self.told.as_ref()?;
        let mut at = self.reached.unwrap_or(*low).max(0);
        if self.flying.is_empty() && !waits {
            // Behind the last record may stand offsets without one.
            at = at.max(*next);
        }
        Some((end - at).max(0))
    }

    /// How old the oldest record is that is not delivered, in milliseconds; of one that was not read
    /// yet, how old the one before it is.
    pub(super) fn lag_time(&self, now: i64) -> Option<i64> {
        if self.lag()? == 0 {
            return Some(0);
        }
        let oldest = self.flying.front().map_or(self.time, |(_, oldest)| *oldest)?;
        Some((now - oldest).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(end: i64, next: i64, waiting: i64) -> statistics::Partition {
        statistics::Partition {
            ls_offset: end,
            next_offset: next,
            fetchq_cnt: waiting,
            ..Default::default()
        }
    }

    #[test]
    fn lag_is_what_is_not_acknowledged() {
        let mut partition = Partition::new("t".into(), 0, Some(100));
        assert_eq!(partition.lag(), None);
        partition.told(&told(150, -1001, 0));
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(50), None));
        partition.handed(120, Some(1_000));
        partition.handed(140, None);
        partition.told(&told(150, 150, 10));
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(50), Some(4_000)));
        assert_eq!(partition.acknowledged(120), [1_000]);
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(30), None));
        assert!(partition.acknowledged(140).is_empty());
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(10), Some(4_000)));
        partition.handed(149, Some(2_000));
        partition.acknowledged(149);
        // Offset 149 is a transaction's marker.
        partition.told(&told(150, 150, 0));
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(0), Some(0)));
        partition.ends(170);
        partition.told(&told(150, 150, 0));
        assert_eq!(partition.lag(), Some(20));
        partition.told(&told(170, 170, 0));
        assert_eq!(partition.lag(), Some(0));
    }
}
