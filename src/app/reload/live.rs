//! The current plan, which can be replaced while workers use it.
//!
//! A worker looks for a newer plan before each chunk, so each line is judged by one plan. Counts
//! are stored by label, and the index of a label never changes: labels that a new plan adds are
//! appended.

use std::{
    iter::zip,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    app::routes::Routed,
    containers::{Format, Judgement, Unwrapper},
    engine::{Chunk, RouteInfo},
    pipeline::{
        Output, Tally, Worker,
        records::{Block, Judged, RecordWorker},
    },
    records::{self, Pseudonyms, RecordJudge},
};

/// The current plan.
pub(crate) struct Live {
    format: Format,
    /// The current generation number. Workers only read this as long as it does not change.
    number: AtomicU64,
    state: Mutex<State>,
}

struct State {
    current: Arc<Generation>,
    detectors: Vec<String>,
    policy: Vec<String>,
}

struct Generation {
    number: u64,
    routed: Routed,
    judgement: Arc<Judgement>,
    /// The indexes of the plan's detectors, and of its policy entries, in the counts.
    detectors: Vec<usize>,
    policy: Vec<usize>,
}

impl Live {
    pub(crate) fn new(format: Option<Format>, routed: Routed) -> Arc<Self> {
        // Without framing, no wrappers are looked for.
        let format = format.unwrap_or(Format::Auto);
        let (mut detectors, mut policy) = (Vec::new(), Vec::new());
        let current = Generation::new(0, format, routed, &mut detectors, &mut policy);
        let state = Mutex::new(State { current: Arc::new(current), detectors, policy });
        Arc::new(Self { format, number: AtomicU64::new(0), state })
    }

    /// Returns workers that always use the current plan.
    pub(crate) fn workers(self: &Arc<Self>, workers: usize) -> Vec<LiveWorker<Unwrapper>> {
        self.each(workers, Arc::new(|generation| Unwrapper::new(&generation.judgement)))
    }

    /// Like [`Self::workers`], for records.
    pub(crate) fn record_workers(
        self: &Arc<Self>,
        workers: usize,
        pseudonyms: Option<Pseudonyms>,
        hops: u32,
    ) -> Vec<LiveWorker<RecordJudge>> {
        let make = move |generation: &Generation| {
            let routed = generation.routed.clone();
            let plan = routed.plan.clone();
            let judgement = records::Judgement::new(plan, pseudonyms.clone(), hops);
            RecordJudge::new(match routed.asks_sources() {
                true => judgement.with_ways(Arc::new(move |topic| routed.way(topic))),
                false => judgement,
            })
        };
        self.each(workers, Arc::new(make))
    }

    fn each<J>(self: &Arc<Self>, workers: usize, make: Make<J>) -> Vec<LiveWorker<J>> {
        let generation = self.state().current.clone();
        let one = |_| LiveWorker {
            live: self.clone(),
            generation: generation.clone(),
            judge: None,
            make: make.clone(),
            counts: Vec::new(),
            origin: None,
        };
        (0..workers).map(one).collect()
    }

    /// Replaces the plan from each worker's next chunk on.
    pub(crate) fn replace(&self, routed: Routed) {
        let mut state = self.state();
        let State { current, detectors, policy } = &mut *state;
        let number = current.number + 1;
        *current = Arc::new(Generation::new(number, self.format, routed, detectors, policy));
        self.number.store(number, Ordering::Release);
    }

    /// Returns the ids of all detectors so far, in the order of the counts.
    pub(crate) fn detectors(&self) -> Vec<String> {
        self.state().detectors.clone()
    }

    /// Returns the routes in effect, with the default route first.
    pub(crate) fn routes(&self) -> Arc<[RouteInfo]> {
        Arc::clone(self.state().current.routed.plan.routes())
    }

    /// Returns the labels of all policy entries so far, in the order of the counts. Entries that
    /// are no longer in effect are `None`.
    pub(crate) fn policy(&self) -> Vec<Option<String>> {
        let state = self.state();
        let in_force = |(place, label): (usize, &String)| {
            state.current.policy.contains(&place).then(|| label.clone())
        };
        state.policy.iter().enumerate().map(in_force).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generation {
    fn new(
        number: u64,
        format: Format,
        routed: Routed,
        detectors: &mut Vec<String>,
        policy: &mut Vec<String>,
    ) -> Self {
        let plan = &routed.plan;
        let ids = plan.detectors().iter().map(|detector| detector.id.as_str());
        let (detectors, policy) = (places(detectors, ids), places(policy, plan.policy()));
        let judgement = Judgement::new(format, plan.clone());
        Self { number, routed, judgement, detectors, policy }
    }
}

/// Returns the indexes of `labels` in `all`, and appends new labels. Duplicate labels get an index
/// each.
fn places<'a>(all: &mut Vec<String>, labels: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut places = Vec::new();
    for label in labels {
        let free = |&at: &usize| all[at] == label && !places.contains(&at);
        let place = (0..all.len()).find(free).unwrap_or_else(|| {
            all.push(label.to_owned());
            all.len() - 1
        });
        places.push(place);
    }
    places
}

type Make<J> = Arc<dyn Fn(&Generation) -> J + Send + Sync>;

/// A worker that judges by the current plan.
pub(crate) struct LiveWorker<J> {
    live: Arc<Live>,
    generation: Arc<Generation>,
    /// `None` until it is needed, and while it is replaced.
    judge: Option<J>,
    make: Make<J>,
    /// Scratch space.
    counts: Vec<u64>,
    /// The source of the last chunk, if routes depend on it.
    origin: Option<Arc<str>>,
}

impl<J> LiveWorker<J> {
    /// Returns the judge for the current plan.
    fn judge(&mut self) -> &mut J {
        if self.live.number.load(Ordering::Acquire) != self.generation.number {
            // The old judge is dropped first, because a worker has the memory for one.
            (self.judge, self.origin) = (None, None);
            self.generation = self.live.state().current.clone();
        }
        let Self { generation, judge, make, .. } = self;
        judge.get_or_insert_with(|| make(generation))
    }

    /// Moves counts to the indexes of their labels.
    fn relabel(&mut self, tally: &mut Tally) {
        let Self { generation, counts, .. } = self;
        for (all, places) in [
            (&mut tally.redactions, &generation.detectors),
            (&mut tally.observed, &generation.detectors),
            (&mut tally.hits, &generation.policy),
        ] {
            relabel(all, places, counts);
        }
        for route in tally.routes.iter_mut().filter(|route| !route.redactions.is_empty()) {
            relabel(&mut route.redactions, &generation.detectors, counts);
        }
    }
}

impl Worker for LiveWorker<Unwrapper> {
    fn process(&mut self, chunk: &Chunk, out: &mut Output) {
        self.judge();
        let Self { generation, judge, origin, .. } = self;
        let Some(judge) = judge else { return };
        if generation.routed.asks_sources() && origin.as_ref() != chunk.origin() {
            *origin = chunk.origin().cloned();
            judge.set_way(&generation.routed.way(origin.as_deref().unwrap_or_default()));
        }
        judge.process(chunk, out);
        self.relabel(&mut out.tally);
    }
}

impl RecordWorker for LiveWorker<RecordJudge> {
    fn process(&mut self, block: &Block, out: &mut Judged) {
        self.judge().process(block, out);
        self.relabel(&mut out.output.tally);
    }
}

/// Moves each count to its index.
fn relabel(all: &mut Vec<u64>, places: &[usize], scratch: &mut Vec<u64>) {
    if places.iter().enumerate().all(|(at, place)| at == *place) {
        return;
    }
    scratch.clear();
    scratch.resize(places.iter().max().map_or(0, |most| most + 1), 0);
    for (count, place) in zip(all.iter(), places) {
        scratch[*place] += count;
    }
    mem::swap(all, scratch);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_keeps_its_place() {
        let mut all = Vec::new();
        assert_eq!(places(&mut all, ["a", "b", "a"].into_iter()), [0, 1, 2]);
        assert_eq!(places(&mut all, ["c", "a", "b"].into_iter()), [3, 0, 1]);
        assert_eq!(all, ["a", "b", "a", "c"]);
    }

    #[test]
    fn counts_go_where_their_labels_are() {
        let mut counts = vec![5, 6, 7];
        relabel(&mut counts, &[0, 1, 2], &mut Vec::new());
        assert_eq!(counts, [5, 6, 7]);
        relabel(&mut counts, &[3, 0, 1], &mut Vec::new());
        assert_eq!(counts, [6, 7, 0, 5]);
    }
}
