//! What the policy decided: counted, and noted.

use super::Judge;
use crate::engine::detect::{Detectors, Finding, Place, Refusal};
use crate::engine::policy::{Action, NONE};

impl Judge {
    /// Counts what the policy decided about a finding, and notes it.
    pub(super) fn found(&mut self, d: &Detectors, p: &Place<'_>, f: &Finding) {
        if f.by != NONE {
            self.hit(f.by);
            if d.precedence.action_of(f.by) == Some(Action::Drop) {
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
        d: &Detectors,
        detector: u16,
        p: &Place<'_>,
        r: &Refusal,
    ) -> bool {
        self.note(detector, p, r.matched, Some(r.step), r.by);
        r.by != NONE && self.let_be(d, detector, r.by)
    }

    /// An entry or a rule let a finding be. Whether it is only counted.
    #[cold]
    fn let_be(&mut self, d: &Detectors, detector: u16, by: u16) -> bool {
        self.hit(by);
        let observed = d.precedence.action_of(by) == Some(Action::Observe);
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
