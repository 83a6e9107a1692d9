//! Searches texts for the detectors that have no gate.

use super::{Judge, Matched};
use crate::engine::detect::budget::SKIPPED;
use crate::engine::detect::{self, Finding, Place};
use crate::engine::ruleset::Ruleset;

/// Searches the text for all matches of the detector `id`. Does nothing if it did so before.
#[inline(never)]
pub(super) fn search(
    judge: &mut Judge,
    r: &Ruleset,
    id: u16,
    p: &Place<'_>,
    outer: usize,
    out: &mut Vec<Finding>,
) {
    if judge.matched[outer..].iter().any(|m| m.detector == id) {
        return judge.scratch.budget.spend(SKIPPED);
    }
    let mut from = p.start;
    while let Some((verdict, next)) = detect::next(r.verdict(), id, from, p, &mut judge.scratch) {
        match verdict {
            Ok(f) => {
                out.push(f);
                judge.found(r, p, &f);
            }
            Err(refusal) => {
                judge.refused = true;
                judge.refused_by(r, id, p, &refusal);
            }
        }
        if judge.scratch.budget.is_exceeded() {
            break;
        }
        from = next;
    }
    judge.matched.push(Matched { detector: id, end: p.end, found: true });
}
