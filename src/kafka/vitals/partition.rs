//! How far a partition is, and how far it could be.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{Offset, statistics};

use super::stall::Stall;

/// So many hand-outs are remembered that are not acknowledged; of more the ages are not known.
const REMEMBERED: usize = 1 << 14;
/// librdkafka says so of a partition that it reads.
const ACTIVE: &str = "active";
/// What it first says of one may still be about the time before.
const FIRST: u32 = 1;

/// A partition that is this member's.
#[derive(Debug, Default)]
pub struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    /// Everything before this was delivered, by this run or an earlier one.
    pub(super) reached: Option<i64>,
    /// It begins where the log does.
    from_low: bool,
    /// The oldest timestamp of what was acknowledged last.
    time: Option<i64>,
    /// What was handed out and is not acknowledged: up to where, and the oldest timestamp.
    flying: VecDeque<(i64, Option<i64>)>,
    told: Option<Told>,
    /// How often librdkafka said that it reads it.
    active: u32,
    /// It is read again from elsewhere, which librdkafka has not been told yet.
    seeking: bool,
    /// Since when it does not advance although there is more.
    waits_since: Option<Instant>,
    /// What is next stands behind the beginning of an open transaction.
    hidden: bool,
}

/// What librdkafka last said.
#[derive(Debug)]
struct Told {
    low: i64,
    end: i64,
    /// Transactions that are open begin there.
    stable: Option<i64>,
    /// What is fetched next, and how much waits that was fetched.
    next: i64,
    waits: bool,
}

impl Partition {
    /// One of which nothing was read yet: where it begins.
    pub fn new(topic: Arc<str>, partition: i32, start: Offset) -> Self {
        let (reached, from_low) = match start {
            Offset::Offset(offset) => (Some(offset), false),
            Offset::Beginning => (None, true),
            _ => (None, false),
        };
        Self { topic, partition, reached, from_low, ..Self::default() }
    }

    /// One that is to be read again from there.
    #[must_use]
    pub fn again(self) -> Self {
        Self { seeking: true, ..self }
    }

    /// It is read from there now.
    pub(super) fn sought(&mut self) {
        self.seeking = false;
    }

    /// Whether it is to be asked where it ends: librdkafka does not say.
    pub(super) fn is_untold(&self) -> bool {
        self.active <= FIRST
    }

    pub(super) fn handed(&mut self, end: i64, oldest: Option<i64>) {
        if self.flying.len() < REMEMBERED {
            self.flying.push_back((end, oldest));
        }
    }

    /// The oldest timestamps of what is acknowledged by that.
    pub(super) fn acknowledged(&mut self, end: i64) -> Vec<i64> {
        if self.reached < Some(end) {
            self.reached = Some(end);
            self.waits_since = None;
        }
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
        // Of one that is not read, what it says is of an earlier time, or nothing at all.
        if told.fetch_state != ACTIVE || self.seeking || told.ls_offset < 0 {
            self.active = 0;
            return;
        }
        self.active = self.active.saturating_add(1);
        if self.is_untold() {
            return;
        }
        let (low, next, waits) = (told.lo_offset, told.next_offset, told.fetchq_cnt > 0);
        let known = self.told.as_ref().map_or(0, |told| told.end);
        let (end, stable) = (told.hi_offset.max(told.ls_offset).max(known), Some(told.ls_offset));
        self.told = Some(Told { low, end, stable, next, waits });
        if self.reached.is_none() && !self.from_low && told.committed_offset >= 0 {
            self.reached = Some(told.committed_offset);
        }
    }

    /// Somebody asked where it ends.
    pub(super) fn ends(&mut self, low: i64, end: i64) {
        match &mut self.told {
            Some(told) => told.end = end.max(told.end),
            None => self.told = Some(Told { low, end, stable: None, next: 0, waits: false }),
        }
    }

    /// How many offsets are not delivered, as far as is known.
    pub(super) fn lag(&self) -> Option<i64> {
        let Told { low, end, next, waits, .. } = self.told.as_ref()?;
        let mut at = match self.reached {
            Some(reached) => reached.max(*low),
            None if self.from_low => *low,
            None => return None,
        };
        if self.flying.is_empty() && !waits && !self.is_untold() {
            // Behind the last record may stand offsets without one.
            at = at.max(*next);
        }
        Some((end - at).max(0))
    }

    /// Takes note of whether it advances; why not, where it has not for `patience`. `busy`: other records
    /// of this member advance, and what was read of this one waits for them.
    pub(super) fn look(&mut self, now: Instant, patience: Duration, busy: bool) -> Option<Stall> {
        let behind = match self.lag() {
            Some(lag) => lag > 0,
            None => self.is_untold(),
        };
        let queued = !self.flying.is_empty() || self.told.as_ref().is_some_and(|told| told.waits);
        let hidden = !queued && self.open_from().is_some();
        let was_hidden = std::mem::replace(&mut self.hidden, hidden);
        // What a transaction hid has just come: that it is not delivered yet is no stall.
        if !behind || busy && queued || was_hidden && !hidden {
            self.waits_since = None;
            return None;
        }
        let since = *self.waits_since.get_or_insert(now);
        (now.duration_since(since) >= patience).then(|| self.stall(queued))
    }

    /// It is not to advance.
    pub(super) fn rests(&mut self) -> Option<Stall> {
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

    /// Where an open transaction begins that keeps what is next from being read.
    fn open_from(&self) -> Option<i64> {
        let Told { end, stable, next, .. } = self.told.as_ref()?;
        stable.filter(|stable| !self.is_untold() && stable < end && next >= stable)
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

    const SECOND: Duration = Duration::from_secs(1);

    fn told(end: i64, next: i64, waiting: i64) -> statistics::Partition {
        statistics::Partition {
            fetch_state: ACTIVE.into(),
            hi_offset: end,
            ls_offset: end,
            next_offset: next,
            fetchq_cnt: waiting,
            ..Default::default()
        }
    }

    /// One that begins there and is being read.
    fn read(start: Offset, first: &statistics::Partition) -> Partition {
        let mut partition = Partition::new("t".into(), 0, start);
        partition.told(first);
        assert_eq!(partition.lag(), None);
        partition.told(first);
        partition
    }

    #[test]
    fn lag_is_what_is_not_acknowledged() {
        let mut partition = read(Offset::Offset(100), &told(150, 100, 0));
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
        partition.ends(0, 170);
        partition.told(&told(150, 150, 0));
        assert_eq!(partition.lag(), Some(20));
        partition.told(&told(170, 170, 0));
        assert_eq!(partition.lag(), Some(0));
    }

    #[test]
    fn a_lag_that_is_not_known_is_none_and_never_nothing() {
        // What librdkafka says of a partition before it reads it.
        let before =
            statistics::Partition { next_offset: -1001, ls_offset: -1001, ..told(0, 0, 0) };
        let waiting = |state: &str| statistics::Partition {
            fetch_state: state.into(),
            ..told(10_000, 10_000, 0)
        };
        let mut partition = Partition::new("t".into(), 0, Offset::Offset(7));
        for said in [before.clone(), before, waiting("offset-wait"), waiting("stopped")] {
            partition.told(&said);
            assert_eq!(partition.lag(), None, "{said:?}");
        }
        partition.ends(0, 10_000);
        assert_eq!(partition.lag(), Some(9_993));
        // One whose start is not known has no lag, wherever it ends.
        let mut partition = Partition::new("t".into(), 0, Offset::Invalid);
        partition.ends(0, 10_000);
        assert_eq!(partition.lag(), None);
        // One that is read again is not where librdkafka still has it.
        let mut partition = Partition::new("t".into(), 0, Offset::Offset(7)).again();
        for _ in 0..3 {
            partition.told(&told(10_000, 10_000, 0));
            assert_eq!(partition.lag(), None);
        }
        partition.sought();
        partition.told(&told(10_000, 10_000, 0));
        partition.told(&told(10_000, 500, 90));
        assert_eq!(partition.lag(), Some(9_993));
    }

    #[test]
    fn what_does_not_advance_while_there_is_more_is_stalled() {
        let begun = Instant::now();
        let look = |partition: &mut Partition, after: u32, busy| {
            partition.look(begun + after * SECOND, 20 * SECOND, busy)
        };
        let mut partition = read(Offset::Offset(100), &told(150, 100, 0));
        assert_eq!(look(&mut partition, 0, false), None);
        assert_eq!(look(&mut partition, 19, false), None);
        assert_eq!(look(&mut partition, 20, false), Some(Stall::Unread));
        partition.handed(140, None);
        assert_eq!(look(&mut partition, 21, false), Some(Stall::Undelivered));
        // It waits its turn.
        assert_eq!(look(&mut partition, 22, true), None);
        partition.acknowledged(140);
        assert_eq!(look(&mut partition, 50, false), None);
        let open = statistics::Partition { ls_offset: 140, ..told(150, 140, 0) };
        partition.told(&open);
        assert_eq!(look(&mut partition, 70, true), Some(Stall::OpenTransaction { from: 140 }));
        // It has ended, and what it hid is on its way.
        partition.told(&told(150, 150, 10));
        assert_eq!(
            (look(&mut partition, 70, false), look(&mut partition, 71, false)),
            (None, None)
        );
        assert_eq!(look(&mut partition, 91, false), Some(Stall::Undelivered));
        partition.acknowledged(150);
        partition.told(&told(150, 150, 0));
        assert_eq!(look(&mut partition, 92, false), None);
        // At its end nothing is awaited.
        assert_eq!(look(&mut partition, 500, false), None);
        let mut partition = Partition::new("t".into(), 0, Offset::Invalid);
        assert_eq!(look(&mut partition, 0, true), None);
        assert_eq!(look(&mut partition, 20, true), Some(Stall::NoOffset));
    }
}
