//! The progress of a partition, and its lag.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{Offset, statistics};

use super::stall::Stall;

/// The maximum number of remembered blocks that are not acknowledged. The ages of more are unknown.
const REMEMBERED: usize = 1 << 14;
/// The state that librdkafka reports for a partition that it reads.
const ACTIVE: &str = "active";
/// The first statistics of an active partition may still be about an earlier assignment.
const FIRST: u32 = 1;

/// A partition that is assigned to this member.
#[derive(Debug, Default)]
pub struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    /// Everything before this offset was delivered, by this run or an earlier one.
    pub(super) reached: Option<i64>,
    /// Whether reading begins at the start of the log.
    from_low: bool,
    /// The oldest timestamp in the block that was acknowledged last.
    time: Option<i64>,
    /// The blocks that are not acknowledged: the end offset and the oldest timestamp of each.
    in_flight: VecDeque<(i64, Option<i64>)>,
    snapshot: Option<Snapshot>,
    /// How many statistics in a row reported it as active.
    active: u32,
    /// Whether librdkafka has not yet moved to a new position.
    seeking: bool,
    /// Since when it has not advanced although there is more to read.
    waits_since: Option<Instant>,
    /// Whether the next record is hidden by an open transaction.
    hidden: bool,
}

/// The last statistics of librdkafka.
#[derive(Debug)]
struct Snapshot {
    low: i64,
    end: i64,
    /// The first offset of an open transaction.
    stable: Option<i64>,
    /// The next offset to fetch, and whether fetched records are queued.
    next: i64,
    waits: bool,
}

impl Partition {
    /// Creates a partition of which nothing was read yet; `start` is where it begins.
    pub fn new(topic: Arc<str>, partition: i32, start: Offset) -> Self {
        let (reached, from_low) = match start {
            Offset::Offset(offset) => (Some(offset), false),
            Offset::Beginning => (None, true),
            _ => (None, false),
        };
        Self { topic, partition, reached, from_low, ..Self::default() }
    }

    /// Marks the partition as being moved to a new position.
    #[must_use]
    pub fn seeking(self) -> Self {
        Self { seeking: true, ..self }
    }

    /// Records that the partition is read from its new position.
    pub(super) fn seek_done(&mut self) {
        self.seeking = false;
    }

    /// Returns whether its end must be requested, because librdkafka does not report it.
    pub(super) fn lacks_statistics(&self) -> bool {
        self.active <= FIRST
    }

    pub(super) fn handed(&mut self, end: i64, oldest: Option<i64>) {
        if self.in_flight.len() < REMEMBERED {
            self.in_flight.push_back((end, oldest));
        }
    }

    /// Advances to `end`, and returns the oldest timestamps of the acknowledged blocks.
    pub(super) fn acknowledged(&mut self, end: i64) -> Vec<i64> {
        if self.reached < Some(end) {
            self.reached = Some(end);
            self.waits_since = None;
        }
        let mut times = Vec::new();
        while let Some(&(last, oldest)) = self.in_flight.front()
            && last <= end
        {
            self.in_flight.pop_front();
            self.time = oldest.or(self.time);
            times.extend(oldest);
        }
        times
    }

    pub(super) fn update(&mut self, reported: &statistics::Partition) {
        // The statistics of a partition that is not being read are outdated or empty.
        if reported.fetch_state != ACTIVE || self.seeking || reported.ls_offset < 0 {
            self.active = 0;
            return;
        }
        self.active = self.active.saturating_add(1);
        if self.lacks_statistics() {
            return;
        }
        let (low, next, waits) =
            (reported.lo_offset, reported.next_offset, reported.fetchq_cnt > 0);
        let known = self.snapshot.as_ref().map_or(0, |reported| reported.end);
        let (end, stable) =
            (reported.hi_offset.max(reported.ls_offset).max(known), Some(reported.ls_offset));
        self.snapshot = Some(Snapshot { low, end, stable, next, waits });
        if self.reached.is_none() && !self.from_low && reported.committed_offset >= 0 {
            self.reached = Some(reported.committed_offset);
        }
    }

    /// Stores the result of a request for its offsets.
    pub(super) fn ends(&mut self, low: i64, end: i64) {
        match &mut self.snapshot {
            Some(reported) => reported.end = end.max(reported.end),
            None => {
                self.snapshot = Some(Snapshot { low, end, stable: None, next: 0, waits: false })
            }
        }
    }

    /// Returns the number of undelivered offsets, if it is known.
    pub(super) fn lag(&self) -> Option<i64> {
        let Snapshot { low, end, next, waits, .. } = self.snapshot.as_ref()?;
        let mut at = match self.reached {
            Some(reached) => reached.max(*low),
            None if self.from_low => *low,
            None => return None,
        };
        if self.in_flight.is_empty() && !waits && !self.lacks_statistics() {
            // There may be offsets without records after the last record.
            at = at.max(*next);
        }
        Some((end - at).max(0))
    }

    /// Checks whether the partition advances, and returns why not if it has not for `patience`.
    /// `busy` means that other records of this member advance, so records of this partition may
    /// wait for them.
    pub(super) fn look(&mut self, now: Instant, patience: Duration, busy: bool) -> Option<Stall> {
        let behind = match self.lag() {
            Some(lag) => lag > 0,
            None => self.lacks_statistics(),
        };
        let queued = !self.in_flight.is_empty()
            || self.snapshot.as_ref().is_some_and(|reported| reported.waits);
        let hidden = !queued && self.open_from().is_some();
        let was_hidden = std::mem::replace(&mut self.hidden, hidden);
        // A transaction that hid the records has just ended; that they are not delivered yet is no
        // stall.
        if !behind || busy && queued || was_hidden && !hidden {
            self.waits_since = None;
            return None;
        }
        let since = *self.waits_since.get_or_insert(now);
        (now.duration_since(since) >= patience).then(|| self.stall(queued))
    }

    /// Forgets how long the partition has not advanced, because it is not supposed to.
    pub(super) fn reset_stall(&mut self) -> Option<Stall> {
        self.waits_since = None;
        None
    }

    fn stall(&self, queued: bool) -> Stall {
        if queued {
            return Stall::Undelivered;
        }
        match self.open_from() {
            Some(from) => Stall::OpenTransaction { from },
            None if self.reached.is_none() && !self.from_low => Stall::NoOffset,
            None => Stall::Unread,
        }
    }

    /// Returns the first offset of an open transaction that hides the next record.
    fn open_from(&self) -> Option<i64> {
        let Snapshot { end, stable, next, .. } = self.snapshot.as_ref()?;
        stable.filter(|stable| !self.lacks_statistics() && stable < end && next >= stable)
    }

    /// Returns the age of the oldest undelivered record in milliseconds, or that of the record
    /// before it if it was not read yet.
    pub(super) fn lag_time(&self, now: i64) -> Option<i64> {
        if self.lag()? == 0 {
            return Some(0);
        }
        let oldest = self.in_flight.front().map_or(self.time, |(_, oldest)| *oldest)?;
        Some((now - oldest).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn reported(end: i64, next: i64, waiting: i64) -> statistics::Partition {
        statistics::Partition {
            fetch_state: ACTIVE.into(),
            hi_offset: end,
            ls_offset: end,
            next_offset: next,
            fetchq_cnt: waiting,
            ..Default::default()
        }
    }

    /// Creates a partition that begins at `start` and is being read.
    fn read(start: Offset, first: &statistics::Partition) -> Partition {
        let mut partition = Partition::new("t".into(), 0, start);
        partition.update(first);
        assert_eq!(partition.lag(), None);
        partition.update(first);
        partition
    }

    #[test]
    fn lag_is_what_is_not_acknowledged() {
        let mut partition = read(Offset::Offset(100), &reported(150, 100, 0));
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(50), None));
        partition.handed(120, Some(1_000));
        partition.handed(140, None);
        partition.update(&reported(150, 150, 10));
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(50), Some(4_000)));
        assert_eq!(partition.acknowledged(120), [1_000]);
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(30), None));
        assert!(partition.acknowledged(140).is_empty());
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(10), Some(4_000)));
        partition.handed(149, Some(2_000));
        partition.acknowledged(149);
        // Offset 149 is the marker of a transaction.
        partition.update(&reported(150, 150, 0));
        assert_eq!((partition.lag(), partition.lag_time(5_000)), (Some(0), Some(0)));
        partition.ends(0, 170);
        partition.update(&reported(150, 150, 0));
        assert_eq!(partition.lag(), Some(20));
        partition.update(&reported(170, 170, 0));
        assert_eq!(partition.lag(), Some(0));
    }

    #[test]
    fn a_lag_that_is_not_known_is_none_and_never_nothing() {
        // The statistics of a partition that is not read yet.
        let before =
            statistics::Partition { next_offset: -1001, ls_offset: -1001, ..reported(0, 0, 0) };
        let waiting = |state: &str| statistics::Partition {
            fetch_state: state.into(),
            ..reported(10_000, 10_000, 0)
        };
        let mut partition = Partition::new("t".into(), 0, Offset::Offset(7));
        for said in [before.clone(), before, waiting("offset-wait"), waiting("stopped")] {
            partition.update(&said);
            assert_eq!(partition.lag(), None, "{said:?}");
        }
        partition.ends(0, 10_000);
        assert_eq!(partition.lag(), Some(9_993));
        // If the start is unknown, the lag is unknown, whatever the end is.
        let mut partition = Partition::new("t".into(), 0, Offset::Invalid);
        partition.ends(0, 10_000);
        assert_eq!(partition.lag(), None);
        // librdkafka still reports the old position of a partition that is being moved.
        let mut partition = Partition::new("t".into(), 0, Offset::Offset(7)).seeking();
        for _ in 0..3 {
            partition.update(&reported(10_000, 10_000, 0));
            assert_eq!(partition.lag(), None);
        }
        partition.seek_done();
        partition.update(&reported(10_000, 10_000, 0));
        partition.update(&reported(10_000, 500, 90));
        assert_eq!(partition.lag(), Some(9_993));
    }

    #[test]
    fn what_does_not_advance_while_there_is_more_is_stalled() {
        let begun = Instant::now();
        let look = |partition: &mut Partition, after: u32, busy| {
            partition.look(begun + after * SECOND, 20 * SECOND, busy)
        };
        let mut partition = read(Offset::Offset(100), &reported(150, 100, 0));
        assert_eq!(look(&mut partition, 0, false), None);
        assert_eq!(look(&mut partition, 19, false), None);
        assert_eq!(look(&mut partition, 20, false), Some(Stall::Unread));
        partition.handed(140, None);
        assert_eq!(look(&mut partition, 21, false), Some(Stall::Undelivered));
        // It waits for other records.
        assert_eq!(look(&mut partition, 22, true), None);
        partition.acknowledged(140);
        assert_eq!(look(&mut partition, 50, false), None);
        let open = statistics::Partition { ls_offset: 140, ..reported(150, 140, 0) };
        partition.update(&open);
        assert_eq!(look(&mut partition, 70, true), Some(Stall::OpenTransaction { from: 140 }));
        // The transaction has ended, and its records are on their way.
        partition.update(&reported(150, 150, 10));
        assert_eq!(
            (look(&mut partition, 70, false), look(&mut partition, 71, false)),
            (None, None)
        );
        assert_eq!(look(&mut partition, 91, false), Some(Stall::Undelivered));
        partition.acknowledged(150);
        partition.update(&reported(150, 150, 0));
        assert_eq!(look(&mut partition, 92, false), None);
        // At its end, a partition is not stalled.
        assert_eq!(look(&mut partition, 500, false), None);
        let mut partition = Partition::new("t".into(), 0, Offset::Invalid);
        assert_eq!(look(&mut partition, 0, true), None);
        assert_eq!(look(&mut partition, 20, true), Some(Stall::NoOffset));
    }
}
