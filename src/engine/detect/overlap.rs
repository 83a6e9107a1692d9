//! Findings that overlap: the longer match wins, then the higher priority.
//!
//! A match speaks for all of its bytes, replaced or not (the host of a URL with a password stays,
//! though with the user it looks like an e-mail address); but the name in an assignment only says
//! what its value is, and may hold a secret of its own.

use super::{Detectors, Finding, Step, With};

/// Sorts findings by place and leaves no two that overlap. What a loser would have replaced and
/// its winner's match does not cover is replaced with the winner: nothing that was found stays.
/// `lost` hears of every loser.
pub(crate) fn settle(
    findings: &mut Vec<Finding>,
    detectors: &Detectors,
    mut lost: impl FnMut(&Finding, Step),
) {
    if findings.len() < 2 {
        return;
    }
    findings.sort_unstable_by_key(|f| (f.matched.0, f.start, f.detector));
    let mut kept = 0;
    for i in 1..findings.len() {
        let next = findings[i];
        let last = findings[kept];
        if next.matched.0 >= last.matched.1 && next.start >= last.end {
            kept += 1;
            findings[kept] = next;
            continue;
        }
        let weight = |f: &Finding| {
            (f.matched.1 - f.matched.0, detectors.list[usize::from(f.detector)].priority)
        };
        let (mut winner, loser) =
            if weight(&next) > weight(&last) { (next, last) } else { (last, next) };
        let cover = if detectors.list[usize::from(winner.detector)].assigns {
            (winner.start, winner.end)
        } else {
            winner.matched
        };
        let covered = cover.0 <= loser.start && loser.end <= cover.1;
        if !covered {
            winner.start = winner.start.min(loser.start);
            winner.end = winner.end.max(loser.end);
            if let With::Truncated(_) = winner.with {
                winner.with = With::Placeholder;
            }
        }
        winner.matched.0 = winner.matched.0.min(loser.matched.0);
        winner.matched.1 = winner.matched.1.max(loser.matched.1);
        lost(&loser, Step::Overlap);
        findings[kept] = winner;
    }
    findings.truncate(kept + 1);
}
