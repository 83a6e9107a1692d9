//! What the thread that reads and the pipeline share.

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
    kafka::{self, Vitals},
    pipeline::records::{Block, Next, Place, Reached},
};

use ahead::Ahead;
pub(super) use lives::Doubted;
use lives::{Doubt, Life};
pub(super) use rewind::Start;

/// Filled blocks, and how far each partition is.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) vitals: Arc<Vitals>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Block>,
    free: Vec<Block>,
    /// Those that are this member's, by their places' numbers.
    partitions: BTreeMap<u64, Partition>,
    next_id: u64,
    /// Topics that broke, and why.
    broken: Vec<(String, String)>,
    /// Which topics these are, by their ids.
    lives: BTreeMap<String, Life>,
    /// Topics that were not there: whether they are the same is not known yet.
    doubts: BTreeMap<String, Doubt>,
    /// Nobody answered when ids were asked for last.
    mute: bool,
    /// They are to be looked at soon.
    look: bool,
    /// What was handed out was taken back: everything is to be read again from what is acknowledged.
    taken_back: bool,
    /// Something may be there to read, or to do.
    poked: bool,
    failed: Option<io::Error>,
    /// A partition may not begin, and why.
    refusal: Option<io::Error>,
    /// The group is to be joined anew, and why.
    anew: Option<String>,
    /// No more blocks come.
    ended: bool,
    /// Nothing more will be acknowledged.
    finishing: bool,
    finished: Option<io::Result<()>>,
}

struct Partition {
    place: Place,
    /// Where it was begun.
    start: Offset,
    /// What was handed out, what of it is delivered, and what of that was stored.
    handed: i64,
    acknowledged: i64,
    stored: i64,
    /// What was ever handed out, whatever was read again since.
    furthest: i64,
    /// Its topic has a fault: it is to be read again from what is acknowledged.
    broken: bool,
    /// Its topic was not there any more: until more is delivered, its offsets are of no use.
    gone: bool,
    /// Its numbers before it was read again.
    earlier: Vec<u64>,
    /// What is durable although something before it is not.
    ahead: Ahead,
}

/// How far a partition is delivered.
pub(super) type Position = (Arc<str>, i32, i64);

impl Shared {
    pub(super) fn new(vitals: Arc<Vitals>) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), vitals }
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
            // What is not this member's any more is another's to deliver.
            if let Some(partition) = state.partitions.get_mut(id).filter(|p| !p.broken) {
                self.vitals.acknowledged(*id, *offset);
                partition.gone &= *offset <= partition.acknowledged;
                partition.acknowledged = partition.acknowledged.max(*offset);
                partition.ahead.forget_before(partition.acknowledged);
            }
        }
        state.poked = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing more will be acknowledged. A thread that waits for that, so that partitions may go, waits
    /// no more; it keeps what was acknowledged, and leaves the group.
    pub(super) fn over(&self) {
        self.state().finishing = true;
        self.changed.notify_all();
    }

    /// Waits until the thread has kept what was acknowledged.
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

    /// A partition is this member's from now on, and begins there; `pinned`: that is to be committed.
    pub(super) fn assigned(&self, topic: &str, partition: i32, start: Offset, pinned: bool) {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        let place = Place { id, topic: topic.into(), partition };
        let committed = match start {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        self.vitals.assigned(id, kafka::Partition::new(place.topic.clone(), partition, start));
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

    /// Those are another's now.
    pub(super) fn revoked(&self, ids: &[u64]) {
        let mut state = self.state();
        state.partitions.retain(|id, _| !ids.contains(id));
        ids.iter().for_each(|id| self.vitals.revoked(*id));
    }

    /// The partitions that are this member's.
    pub(super) fn places(&self) -> Vec<Place> {
        self.state().partitions.values().map(|partition| partition.place.clone()).collect()
    }

    /// The partitions of which nothing is on its way.
    pub(super) fn idle(&self) -> Vec<Place> {
        let state = self.state();
        let idle = state.partitions.values().filter(|p| p.acknowledged == p.handed);
        idle.map(|partition| partition.place.clone()).collect()
    }

    /// What is to be read next under this number; `None`: what its start finds, or it is not this member's.
    pub(super) fn next_offset(&self, id: u64) -> Option<i64> {
        let state = self.state();
        let partition = state.partitions.get(&id)?;
        match (partition.handed, partition.start) {
            (i64::MIN, Offset::Offset(start)) => Some(start),
            (i64::MIN, _) => None,
            (handed, _) => Some(handed),
        }
    }

    /// The number of a partition that is this member's.
    pub(super) fn id(&self, topic: &str, partition: i32) -> Option<u64> {
        let state = self.state();
        let mut all = state.partitions.values();
        let found = all.find(|p| p.place.is(topic, partition));
        found.map(|found| found.place.id)
    }

    /// Waits until everything that was handed out of these is delivered, or the time is over, or
    /// nothing more will be.
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

    /// How far these are delivered, where something was.
    pub(super) fn positions(&self, ids: &[u64]) -> Vec<Position> {
        let state = self.state();
        let known = ids.iter().filter_map(|id| state.partitions.get(id));
        let moved = known.filter(|partition| partition.acknowledged > i64::MIN && !partition.gone);
        moved.map(|p| (p.place.topic.clone(), p.place.partition, p.acknowledged)).collect()
    }

    /// What was delivered since the last time that this was asked.
    pub(super) fn to_store(&self) -> Vec<Position> {
        let mut state = self.state();
        let moved = state.partitions.values_mut().filter(|p| p.acknowledged > p.stored && !p.gone);
        moved
            .map(|partition| {
                self.vitals.stored();
                partition.stored = partition.acknowledged;
                (partition.place.topic.clone(), partition.place.partition, partition.stored)
            })
            .collect()
    }

    /// A block to fill, if there is room for one more.
    pub(super) fn room(&self, most: usize) -> Option<Block> {
        let mut state = self.state();
        (state.ready.len() < most).then(|| state.free.pop().unwrap_or_default())
    }

    /// Takes back a block that stayed empty.
    pub(super) fn give_back(&self, block: Block) {
        self.state().free.push(block);
    }

    /// Hands a block on.
    pub(super) fn hand(&self, block: Block) {
        measure::handed(&self.vitals, &block);
        let firsts = measure::firsts(&block);
        let mut state = self.state();
        for (Reached { id, offset }, first) in block.reaches().into_iter().zip(firsts) {
            // What is made anew begins at its own first record.
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

    /// A partition may not begin, or topics do not fit: the run ends.
    pub(super) fn refuse(&self, why: io::Error) {
        self.state().refusal.get_or_insert(why);
    }

    /// Whether all that was handed out is delivered, and nothing of it is to be read again.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.state();
        let settled = |p: &Partition| !p.broken && p.acknowledged >= p.handed;
        state.ready.is_empty() && !state.taken_back && state.partitions.values().all(settled)
    }

    /// Whether nothing more is read.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state();
        state.ended || state.finishing
    }

    /// Why a partition may not begin.
    pub(super) fn refusal(&self) -> Option<io::Error> {
        self.state().refusal.take()
    }

    /// The group is to be joined anew.
    pub(super) fn join_anew(&self, why: String) {
        self.state().anew = Some(why);
        self.poke();
    }

    /// Why the group is to be joined anew.
    pub(super) fn to_join_anew(&self) -> Option<String> {
        self.state().anew.take()
    }

    /// There may be something to read.
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
            // A partition that is to go waits for what was handed out of it.
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
