//! What the policy decided: counted, and noted.

use super::Judge;
use crate::engine::detect::{Finding, Place, Refusal};
use crate::engine::policy::{Action, NONE};
use crate::engine::ruleset::Ruleset;

impl Judge {
    /// Counts what the policy decided about a finding, and notes it.
    pub(super) fn found(&mut self, r: &Ruleset, p: &Place<'_>, f: &Finding) {
        if f.by != NONE {
            self.hit(f.by);
            if r.precedence.action_of(f.by) == Some(Action::Drop) {
                self.dropped = Some(self.at);
            }
        }
        self.note(f.detector, p, (f.start, f.end), None, f.by);
    }

    /// Counts what the policy decided about a candidate that is no finding, and notes it. Whether
    /// it would be one, and is only counted.
    #[inline]
    pub(super) fn refused_by(
        &mut self,
        r: &Ruleset,
        detector: u16,
        p: &Place<'_>,
        refusal: &Refusal,
    ) -> bool {
        self.note(detector, p, refusal.matched, Some(refusal.step), refusal.by);
        refusal.by != NONE && self.let_be(r, detector, refusal.by)
    }

    /// An entry or a rule let a finding be. Whether it is only counted.
    #[cold]
    fn let_be(&mut self, r: &Ruleset, detector: u16, by: u16) -> bool {
        self.hit(by);
        let observed = r.precedence.action_of(by) == Some(Action::Observe);
        if observed {
            self.observed.push(detector);
        }
        observed
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

    fn hit(&mut self, by: u16) {
        if let Some(hits) = self.hits.get_mut(usize::from(by)).filter(|_| !self.again) {
            *hits += 1;
            self.counted.push(by);
        }
    }

    /// Takes back what was counted of the event, and noted but for the first `decisions`.
    #[cold]
    pub(super) fn uncount(&mut self, decisions: usize) {
        for by in self.counted.drain(..) {
            self.hits[usize::from(by)] -= 1;
        }
        if let Some(trace) = &mut self.trace {
            trace.back_to(decisions);
        }
    }
}
