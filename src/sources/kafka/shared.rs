//! The state that the reader thread and the pipeline share.

mod ahead;
mod lives;
mod rewind;

use std::{
    collections::{BTreeMap, VecDeque},
    io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::Offset;

use super::measure;
use crate::{
    kafka::{self, MemberStatus},
    pipeline::records::{Block, Next, Place, Reached},
};

use ahead::Ahead;
pub(super) use lives::Doubted;
use lives::{Doubt, Life};
pub(super) use rewind::Start;

/// Filled blocks, and the progress of each partition.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) member_status: Arc<MemberStatus>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Block>,
    free: Vec<Block>,
    /// The assigned partitions, by the numbers of their places.
    partitions: BTreeMap<u64, Partition>,
    next_id: u64,
    /// Topics with errors, and the errors.
    broken: Vec<(String, String)>,
    /// The ids of topics.
    lives: BTreeMap<String, Life>,
    /// Topics that did not exist, of which it is not known yet whether they were recreated.
    doubts: BTreeMap<String, Doubt>,
    /// Whether the last request for topic ids had no answer.
    mute: bool,
    /// Whether topic ids should be requested soon.
    look: bool,
    /// Whether everything that was handed out was taken back, and must be read again from the
    /// acknowledged offsets.
    taken_back: bool,
    /// Whether there may be something to do.
    poked: bool,
    failed: Option<io::Error>,
    /// Why a partition must not begin.
    refusal: Option<io::Error>,
    /// Why the group should be rejoined.
    anew: Option<String>,
    /// Whether no more blocks follow.
    ended: bool,
    /// Whether nothing more will be acknowledged.
    finishing: bool,
    finished: Option<io::Result<()>>,
}

struct Partition {
    place: Place,
    /// Where reading began.
    start: Offset,
    /// The end of the handed-out records, of the delivered ones, and of those whose offset was
    /// stored.
    handed: i64,
    acknowledged: i64,
    stored: i64,
    /// The end of all records that were ever handed out, including those that were read again.
    furthest: i64,
    /// Whether its topic has an error, so that it must be read again from the acknowledged offset.
    broken: bool,
    /// Whether its topic did not exist; its offsets are invalid until more is delivered.
    gone: bool,
    /// Its numbers before it was read again.
    earlier: Vec<u64>,
    /// Records that are durable although earlier ones are not.
    ahead: Ahead,
}

/// The end of the delivered records of a partition.
pub(super) type Position = (Arc<str>, i32, i64);

impl Shared {
    pub(super) fn new(member_status: Arc<MemberStatus>) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), member_status }
    }

    pub(super) fn next(&self, wait: Duration, block: &mut Block) -> Next {
        let until = Instant::now() + wait;
        let mut state = self.state();
        loop {
            if let Some(filled) = state.ready.pop_front() {
                let used = mem::replace(block, filled);
                state.free.push(used);
                drop(state);
                self.changed.notify_all();
                return Next::Filled;
            }
            if let Some(error) = state.failed.take() {
                return Next::Failed(error);
            }
            if state.ended || state.finishing {
                return Next::End;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Idle;
            }
            state = self.wait(state, left);
        }
    }

    pub(super) fn acknowledge(&self, reached: &[Reached]) {
        let mut state = self.state();
        for Reached { id, offset } in reached {
            // A partition that is no longer assigned is delivered by its next member.
            if let Some(partition) = state.partitions.get_mut(id).filter(|p| !p.broken) {
                self.member_status.acknowledged(*id, *offset);
                partition.gone &= *offset <= partition.acknowledged;
                partition.acknowledged = partition.acknowledged.max(*offset);
                partition.ahead.forget_before(partition.acknowledged);
            }
        }
        state.poked = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Declares that nothing more will be acknowledged. A thread that waits for deliveries of
    /// revoked partitions stops waiting, commits what was acknowledged, and leaves the group.
    pub(super) fn over(&self) {
        self.state().finishing = true;
        self.changed.notify_all();
    }

    /// Waits until the thread has committed what was acknowledged.
    pub(super) fn finish(&self, until: Instant) -> io::Result<()> {
        self.over();
        let mut state = self.state();
        loop {
            if let Some(finished) = state.finished.take() {
                return finished;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::other("kafka: the offsets were not committed in time"));
            }
            state = self.wait(state, left);
        }
    }

    pub(super) fn is_finishing(&self) -> bool {
        self.state().finishing
    }

    pub(super) fn finished(&self, kept: io::Result<()>) {
        self.state().finished = Some(kept);
        self.changed.notify_all();
    }

    /// Adds a partition that was assigned and begins at `start`; `pinned` means that this offset is
    /// to be committed.
    pub(super) fn assigned(&self, topic: &str, partition: i32, start: Offset, pinned: bool) {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        let place = Place { id, topic: topic.into(), partition };
        let committed = match start {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        self.member_status
            .assigned(id, kafka::Partition::new(place.topic.clone(), partition, start));
        let none = i64::MIN;
        let reached = committed.filter(|_| pinned).unwrap_or(none);
        let (handed, acknowledged, stored, furthest) = (reached, reached, none, none);
        let (broken, gone, earlier, ahead) = (false, false, Vec::new(), Ahead::default());
        let new = Partition {
            place,
            start,
            handed,
            acknowledged,
            stored,
            furthest,
            broken,
            gone,
            earlier,
            ahead,
        };
        state.partitions.insert(id, new);
    }

    /// Removes revoked partitions.
    pub(super) fn revoked(&self, ids: &[u64]) {
        let mut state = self.state();
        state.partitions.retain(|id, _| !ids.contains(id));
        ids.iter().for_each(|id| self.member_status.revoked(*id));
    }

    /// Returns the assigned partitions.
    pub(super) fn places(&self) -> Vec<Place> {
        self.state().partitions.values().map(|partition| partition.place.clone()).collect()
    }

    /// Returns the partitions without records in flight.
    pub(super) fn idle(&self) -> Vec<Place> {
        let state = self.state();
        let idle = state.partitions.values().filter(|p| p.acknowledged == p.handed);
        idle.map(|partition| partition.place.clone()).collect()
    }

    /// Returns the next offset to read under this number, or `None` if it is not known or the
    /// partition is not assigned.
    pub(super) fn next_offset(&self, id: u64) -> Option<i64> {
        let state = self.state();
        let partition = state.partitions.get(&id)?;
        match (partition.handed, partition.start) {
            (i64::MIN, Offset::Offset(start)) => Some(start),
            (i64::MIN, _) => None,
            (handed, _) => Some(handed),
        }
    }

    /// Returns the number of an assigned partition.
    pub(super) fn id(&self, topic: &str, partition: i32) -> Option<u64> {
        let state = self.state();
        let mut all = state.partitions.values();
        let found = all.find(|p| p.place.is(topic, partition));
        found.map(|found| found.place.id)
    }

    /// Waits until everything that was handed out of these partitions is delivered, or until the
    /// deadline, or until nothing more will be delivered.
    pub(super) fn delivered(&self, ids: &[u64], until: Instant, given_up: &dyn Fn() -> bool) {
        let mut state = self.state();
        loop {
            let owes = |id: &u64| {
                let partition = state.partitions.get(id);
                partition.is_some_and(|p| p.acknowledged < p.handed && !p.broken)
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.finishing || given_up() || !ids.iter().any(owes) {
                return;
            }
            state = self.wait(state, left.min(Duration::from_millis(100)));
        }
    }

    /// Returns the end of the delivered records of these partitions, if there are any.
    pub(super) fn positions(&self, ids: &[u64]) -> Vec<Position> {
        let state = self.state();
        let known = ids.iter().filter_map(|id| state.partitions.get(id));
        let moved = known.filter(|partition| partition.acknowledged > i64::MIN && !partition.gone);
        moved.map(|p| (p.place.topic.clone(), p.place.partition, p.acknowledged)).collect()
    }

    /// Returns what was delivered since the last call.
    pub(super) fn to_store(&self) -> Vec<Position> {
        let mut state = self.state();
        let moved = state.partitions.values_mut().filter(|p| p.acknowledged > p.stored && !p.gone);
        moved
            .map(|partition| {
                self.member_status.stored();
                partition.stored = partition.acknowledged;
                (partition.place.topic.clone(), partition.place.partition, partition.stored)
            })
            .collect()
    }

    /// Returns a block to fill, if there is room for one more.
    pub(super) fn room(&self, most: usize) -> Option<Block> {
        let mut state = self.state();
        (state.ready.len() < most).then(|| state.free.pop().unwrap_or_default())
    }

    /// Takes back a block that stayed empty.
    pub(super) fn give_back(&self, block: Block) {
        self.state().free.push(block);
    }

    /// Hands a block to the pipeline.
    pub(super) fn hand(&self, block: Block) {
        measure::handed(&self.member_status, &block);
        let firsts = measure::firsts(&block);
        let mut state = self.state();
        for (Reached { id, offset }, first) in block.reaches().into_iter().zip(firsts) {
            // A recreated topic begins at its own first record.
            let found = state.partitions.get_mut(&id).filter(|p| !(p.broken && p.gone));
            if let Some(partition) = found {
                if !matches!(partition.start, Offset::Offset(_)) {
                    partition.start = Offset::Offset(first);
                }
                partition.handed = partition.handed.max(offset);
                partition.furthest = partition.furthest.max(offset);
            }
        }
        state.ready.push_back(block);
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn end(&self, error: Option<io::Error>) {
        let mut state = self.state();
        state.ended = true;
        if state.failed.is_none() {
            state.failed = error;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Ends the run, because a partition must not begin or topics do not match the configuration.
    pub(super) fn refuse(&self, why: io::Error) {
        self.state().refusal.get_or_insert(why);
    }

    /// Returns whether everything that was handed out is delivered, and nothing must be read again.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.state();
        let settled = |p: &Partition| !p.broken && p.acknowledged >= p.handed;
        state.ready.is_empty() && !state.taken_back && state.partitions.values().all(settled)
    }

    /// Returns whether nothing more is read.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state();
        state.ended || state.finishing
    }

    /// Takes the reason why the run must end.
    pub(super) fn refusal(&self) -> Option<io::Error> {
        self.state().refusal.take()
    }

    /// Requests that the group is rejoined.
    pub(super) fn rejoin(&self, why: String) {
        self.state().anew = Some(why);
        self.poke();
    }

    /// Takes the reason to rejoin the group.
    pub(super) fn rejoin_reason(&self) -> Option<String> {
        self.state().anew.take()
    }

    /// Wakes the thread, because there may be something to do.
    pub(super) fn poke(&self) {
        self.state().poked = true;
        self.changed.notify_all();
    }

    /// Waits until there may be something to do.
    pub(super) fn rest(&self, wait: Duration) {
        let mut state = self.state();
        if !state.poked {
            state = self.wait(state, wait);
        }
        state.poked = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, wait: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, wait);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::pipeline::records::Incoming;

    #[test]
    fn nobody_waits_for_what_will_not_be_acknowledged() {
        const LONG: Duration = Duration::from_secs(600);
        let shared = Shared::new(Arc::default());
        shared.assigned("t", 0, Offset::Offset(7), false);
        let mut block = Block::default();
        let record = Incoming { offset: 7, value: Some(b"{}"), ..Incoming::default() };
        block.push(&shared.places()[0], &record, 99);
        shared.hand(block);
        let begun = Instant::now();
        thread::scope(|scope| {
            // A revoked partition waits for the delivery of what was handed out.
            let waits = scope.spawn(|| shared.delivered(&[0], begun + LONG, &|| false));
            thread::sleep(Duration::from_millis(50));
            assert!(!waits.is_finished());
            shared.over();
        });
        assert!(begun.elapsed() < LONG);
        assert!(matches!(shared.next(LONG, &mut Block::default()), Next::Filled));
        assert!(matches!(shared.next(LONG, &mut Block::default()), Next::End));
    }
}
