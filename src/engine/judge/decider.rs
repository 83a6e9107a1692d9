//! The decider: asks the verdict on candidates, and counts and notes what was decided.

use super::counts::PolicyCounts;
use super::trace::Recorder;
use crate::engine::detect::budget::{AGAIN, ROUND, SKIPPED};
use crate::engine::detect::{self, Finding, FindingSet, Place, Refusal, Scratch};
use crate::engine::memory;
use crate::engine::policy::NONE;
use crate::engine::ruleset::Ruleset;

/// Decides about the candidates of one text after another.
#[derive(Default)]
pub(super) struct Decider {
    pub(super) scratch: Scratch,
    pub(super) counts: PolicyCounts,
    pub(super) recorder: Recorder,
    /// The event's edits may show something new: see `fixpoint`.
    pub(super) unsettled: bool,
}

impl Decider {
    /// Gives an event of `len` bytes its budget. All rounds of judging it again have one.
    #[inline]
    pub(super) fn begin(&mut self, r: &Ruleset, len: usize) {
        match self.counts.repeats {
            true => self.scratch.budget.spend(ROUND + AGAIN * len),
            false => self.scratch.budget.begin(len, r.searched.len()),
        }
    }

    /// Forgets the last event.
    pub(super) fn clear(&mut self) {
        self.scratch.forget_name();
        self.scratch.pseudonyms.clear();
        self.counts.begin();
        self.unsettled = false;
    }

    /// Whether the text under judgement cannot be judged to its end.
    #[inline]
    pub(super) fn is_exhausted(&self) -> bool {
        self.scratch.budget.is_exceeded() || self.scratch.pool.full
    }

    /// Judges the candidate of `id` at `at`, unless it is inside its detector's last match in this text.
    #[inline]
    pub(super) fn candidate(
        &mut self,
        r: &Ruleset,
        id: u16,
        at: usize,
        p: &Place<'_>,
        out: &mut FindingSet,
    ) {
        let last = out.last_match(id);
        if out.is_inside(last, p.text, at) || self.scratch.budget.is_exceeded() {
            self.scratch.budget.spend(SKIPPED);
            out.refuse(at);
            return;
        }
        let verdict = r.verdict().candidate(id, at, p, &mut self.scratch);
        let (found, matched) = match verdict {
            Ok(f) => {
                self.unsettled |= r.verdict().may_show_more(&f, p);
                memory::push(&mut out.list, f);
                self.found(r, p, &f);
                (true, f.matched)
            }
            Err(refusal) => {
                out.refuse(at);
                (self.refused_by(r, id, p, &refusal), refusal.matched)
            }
        };
        out.note_match(last, id, matched.1, found);
    }

    /// Searches the text for all matches of `id`, which has no gate or a literal inside its matches.
    /// Does nothing if it did so before.
    #[inline(never)]
    pub(super) fn search(&mut self, r: &Ruleset, id: u16, p: &Place<'_>, out: &mut FindingSet) {
        if out.last_match(id).is_some() {
            return self.scratch.budget.spend(SKIPPED);
        }
        let mut from = p.start;
        while let Some((verdict, next)) = detect::next(r.verdict(), id, from, p, &mut self.scratch)
        {
            match verdict {
                Ok(f) => {
                    memory::push(&mut out.list, f);
                    self.found(r, p, &f);
                }
                Err(refusal) => {
                    out.refused = true;
                    self.refused_by(r, id, p, &refusal);
                }
            }
            if self.scratch.budget.is_exceeded() {
                break;
            }
            from = next;
        }
        out.note_match(None, id, p.end, true);
    }

    /// Counts and notes what the policy decided about a finding.
    pub(super) fn found(&mut self, r: &Ruleset, p: &Place<'_>, f: &Finding) {
        self.counts.found(&r.precedence, f.by);
        self.recorder.note(f.detector, p, (f.start, f.end), None, f.by);
    }

    /// Counts and notes what the policy decided about a candidate that is no finding. Returns whether
    /// it would be one, and is only counted.
    #[inline]
    pub(super) fn refused_by(
        &mut self,
        r: &Ruleset,
        detector: u16,
        p: &Place<'_>,
        refusal: &Refusal,
    ) -> bool {
        self.recorder.note(detector, p, refusal.matched, Some(refusal.step), refusal.by);
        refusal.by != NONE && self.counts.left_alone(&r.precedence, detector, refusal.by)
    }

    /// Settles findings of `text` that overlap.
    pub(super) fn settle(&mut self, r: &Ruleset, text: &[u8], findings: &mut FindingSet) {
        let Self { recorder, unsettled, scratch, .. } = self;
        let widened = |f: &mut Finding| {
            if let Some(key) = scratch.pseudonyms.key(f.pseudonym) {
                f.pseudonym = r.verdict().pseudonym(key, &text[f.start..f.end], scratch);
            }
        };
        let lost = |lost: &Finding, step| {
            *unsettled = true;
            recorder.lost(lost, step);
        };
        findings.settle(&r.catalog, lost, widened);
    }
}
