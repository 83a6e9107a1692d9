//! Findings that overlap: the longer match wins, then the higher priority.
//!
//! A finding speaks for what it replaces only: what stands before that in its match (the name of an
//! assignment, the words before a URL) may hold a finding of its own. The host behind the user of a
//! URL is spoken for, though it stays: with the user it looks like an e-mail address.

use super::pack::Extends;
use super::{Catalog, Finding, Step, With};

/// Sorts findings by place and leaves no two that overlap. What a loser would have replaced and
/// its winner's match does not cover is replaced with the winner: nothing that was found stays.
/// `lost` hears of every loser, `widened` of every winner that takes more than was judged.
pub(crate) fn settle(
    findings: &mut Vec<Finding>,
    catalog: &Catalog,
    mut lost: impl FnMut(&Finding, Step),
    mut widened: impl FnMut(&mut Finding),
) {
    if findings.len() < 2 {
        return;
    }
    let claim_end = |f: &Finding| match catalog.list[usize::from(f.detector)].extends {
        Extends::Userinfo => f.matched.1.max(f.end),
        _ => f.end,
    };
    findings.sort_unstable_by_key(|f| (f.start, f.matched.0, f.detector));
    let mut kept = 0;
    for i in 1..findings.len() {
        let next = findings[i];
        let last = findings[kept];
        if next.start >= claim_end(&last) {
            kept += 1;
            findings[kept] = next;
            continue;
        }
        let weight = |f: &Finding| {
            (f.matched.1 - f.matched.0, catalog.list[usize::from(f.detector)].priority)
        };
        let (mut winner, loser) =
            if weight(&next) > weight(&last) { (next, last) } else { (last, next) };
        let covered = winner.start <= loser.start && loser.end <= claim_end(&winner);
        if !covered {
            winner.start = winner.start.min(loser.start);
            winner.end = winner.end.max(loser.end);
            if let With::Truncated(_) | With::Mask(_) = winner.with {
                winner.with = With::Placeholder;
            }
            widened(&mut winner);
        }
        // Whichever wins, a field that is to go goes.
        let in_text = matches!(
            winner.with,
            With::Placeholder | With::Truncated(_) | With::Mask(_) | With::FieldNull
        );
        if in_text && matches!(loser.with, With::FieldGone | With::FieldNull) {
            winner.with = loser.with;
        }
        winner.matched.0 = winner.matched.0.min(loser.matched.0);
        winner.matched.1 = winner.matched.1.max(loser.matched.1);
        lost(&loser, Step::Overlap);
        findings[kept] = winner;
    }
    findings.truncate(kept + 1);
}
