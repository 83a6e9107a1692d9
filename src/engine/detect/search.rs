//! Searches a whole text for the matches of one detector: for detectors without a gate, and for
//! those whose literal is not at the start of a match.

use super::budget::{CANDIDATE, FINDING};
use super::pack::{Fires, Step};
use super::scratch::Scratch;
use super::value::whole;
use super::{Finding, Place, Refusal, Verdict};
use crate::engine::policy::NONE;

/// Returns the verdict on the first match of `detector` that begins at `from` or later, and where the
/// search continues.
pub(crate) fn next(
    verdict: Verdict<'_>,
    detector: u16,
    from: usize,
    p: &Place<'_>,
    scratch: &mut Scratch,
) -> Option<(Result<Finding, Refusal>, usize)> {
    let d = &verdict.catalog.list[usize::from(detector)];
    let fires = if p.number { d.numbers } else { d.strings };
    if from >= p.end || fires == Fires::Never {
        return None;
    }
    let far = p.end.min(from.saturating_add(scratch.budget.left()).saturating_add(1));
    let memory = scratch.pool.of(detector, verdict.catalog.list.len());
    let found = d.pattern.find(memory, p.text, (from, far));
    scratch.budget.spend(found.looked);
    scratch.pool.count(detector, &mut scratch.budget);
    if found.full {
        scratch.pool.full = true;
        return None;
    }
    let (begin, end) = found.range?;
    scratch.budget.spend(CANDIDATE);
    let refuse = |step, matched| Err(Refusal { step, matched, by: NONE });
    // A match cannot begin inside a placeholder.
    if let Some((_, after)) = d.placeholders.holding(p.text, begin) {
        let after = after.min(p.end);
        return Some((refuse(Step::AllowList, (begin, after)), after));
    }
    let judged = d.judge(p, (begin, end), scratch);
    if !matches!(judged, Err(Step::Regex)) {
        scratch.budget.spend(FINDING + (end - begin));
    }
    let (start, to) = match judged {
        Ok(found) => found,
        Err(step) => {
            let refusal = refuse(step, d.tried(step, (begin, end)));
            return Some((refusal, after_refused(step, p, (begin, end))));
        }
    };
    // A match that ends inside a placeholder takes all of it.
    let cut = d.placeholders.holding(p.text, to.max(start + 1) - 1);
    let to = cut.map_or(to, |(_, after)| to.max(after.min(p.end)));
    let found = whole(p.text, (p.start, p.end), (start, to));
    let decided = verdict.decide(detector, p, (begin, end), found, scratch);
    Some((decided, end.max(found.1)))
}

/// Returns where the search continues after a refused match.
fn after_refused(step: Step, p: &Place<'_>, (begin, end): (usize, usize)) -> usize {
    match step {
        Step::Regex => begin + 1,
        // A new token can begin inside the match.
        Step::Validator => {
            let token = p.text[begin + 1..end].iter().take_while(|b| !b.is_ascii_whitespace());
            (begin + 2 + token.count()).min(end)
        }
        _ => end,
    }
}
