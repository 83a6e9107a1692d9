//! What the policy decided, counted.

use crate::engine::memory;
use crate::engine::policy::{Action, NONE, Precedence};

/// How often the entries and rules of the policy decided, and what they decided about one event.
#[derive(Default)]
pub(crate) struct PolicyCounts {
    /// How often each entry and each rule decided, until the tally takes it.
    pub(crate) hits: Vec<u64>,
    /// By detector, how often something was only counted, until the tally takes it.
    pub(crate) observations: Vec<u64>,
    /// The detectors of what was only counted in the event.
    observed: Vec<u16>,
    /// What was added to `hits` for the event.
    counted: Vec<u16>,
    /// A rule drops the event, for what is at this place.
    pub(crate) dropped: Option<usize>,
    /// Where the value of the event is that is judged.
    pub(super) at: usize,
    /// The event is judged again: nothing is counted twice.
    pub(super) repeats: bool,
}

impl PolicyCounts {
    /// The bytes of memory that grow with an event.
    pub(super) fn memory(&self) -> usize {
        memory::of(&self.observed) + memory::of(&self.counted)
    }

    /// Gives that memory back, with what was counted of the last event.
    #[cold]
    pub(super) fn give_back(&mut self) {
        (self.observed, self.counted) = Default::default();
    }

    /// Makes room for as many detectors, and entries and rules.
    pub(crate) fn resize(&mut self, detectors: usize, entries: usize) {
        self.observations.resize(detectors, 0);
        self.hits.resize(entries, 0);
    }

    /// Begins an event.
    pub(super) fn begin(&mut self) {
        self.dropped = None;
        self.observed.clear();
        self.counted.clear();
    }

    /// Counts the rule `by`, which decided about a finding.
    #[inline]
    pub(super) fn found(&mut self, precedence: &Precedence, by: u16) {
        if by != NONE {
            self.hit(by);
            if precedence.action_of(by) == Some(Action::Drop) {
                self.dropped = Some(self.at);
            }
        }
    }

    /// Counts the entry or the rule `by`, which left a finding of `detector` alone. Returns whether it
    /// is only counted.
    #[cold]
    pub(super) fn left_alone(&mut self, precedence: &Precedence, detector: u16, by: u16) -> bool {
        self.hit(by);
        let observed = precedence.action_of(by) == Some(Action::Observe);
        if observed {
            self.observed.push(detector);
        }
        observed
    }

    /// How much was only counted in the event so far.
    #[inline]
    pub(crate) fn observed(&self) -> usize {
        self.observed.len()
    }

    /// Counts what was only observed in the event.
    #[cold]
    pub(crate) fn observe(&mut self) {
        for &detector in &self.observed {
            if let Some(n) = self.observations.get_mut(usize::from(detector)) {
                *n += 1;
            }
        }
    }

    /// Removes of what was observed after the first `second` what was observed between `first` and
    /// `second`, too: it is the same.
    pub(super) fn observe_once(&mut self, first: usize, second: usize) {
        let mut before = self.observed[first..second].to_vec();
        let mut at = second;
        while !before.is_empty() && at < self.observed.len() {
            match before.iter().position(|detector| *detector == self.observed[at]) {
                Some(known) => {
                    before.swap_remove(known);
                    self.observed.remove(at);
                }
                None => at += 1,
            }
        }
    }

    fn hit(&mut self, by: u16) {
        if let Some(hits) = self.hits.get_mut(usize::from(by)).filter(|_| !self.repeats) {
            *hits += 1;
            self.counted.push(by);
        }
    }

    /// Takes back what was counted of the event.
    #[cold]
    pub(super) fn take_back(&mut self) {
        for by in self.counted.drain(..) {
            self.hits[usize::from(by)] -= 1;
        }
    }
}
