//! The findings of one text: which candidates are gone with them, and which of two that overlap wins.
//!
//! Of two that overlap, the longer match wins, then the higher priority. A finding claims only what it
//! replaces: what is before that in its match (the name of an assignment, the words before a URL) may
//! hold a finding of its own. The host after the user of a URL is claimed, though it stays: with the user
//! it looks like an e-mail address.

use super::catalog::Catalog;
use super::finding::{Finding, With};
use super::pack::{Extends, Step};
use crate::engine::memory;

/// More findings than these do not keep their memory.
const MANY: usize = 1 << 14;

/// The findings of a text, or of all texts of an event, and what was matched in the last text.
#[derive(Default)]
pub(crate) struct FindingSet {
    pub(crate) list: Vec<Finding>,
    /// What each detector matched last in the text under judgement.
    matches: Vec<Match>,
    /// Something in that text was refused, or not looked at.
    pub(crate) refused: bool,
}

/// A detector's last match in a text.
struct Match {
    detector: u16,
    end: usize,
    /// It is a finding: not refused by a later step.
    found: bool,
}

impl FindingSet {
    /// The bytes of memory that it holds.
    pub(crate) fn memory(&self) -> usize {
        memory::of(&self.list) + memory::of(&self.matches)
    }

    /// Gives the memory of many findings back, which are not needed any more.
    #[inline]
    pub(crate) fn give_back_many(&mut self) {
        if self.list.capacity() > MANY {
            self.list = Vec::new();
        }
    }

    /// Adds `found`, which is another text's list in the places of this one's; returns a list for that
    /// one's next findings. The first findings change hands, so that they are in memory once.
    pub(crate) fn take(&mut self, mut found: Vec<Finding>) -> Vec<Finding> {
        match self.list.is_empty() {
            true => std::mem::replace(&mut self.list, found),
            false => {
                self.list.append(&mut found);
                found
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// Begins a text, whose findings are added.
    #[inline]
    pub(crate) fn begin_text(&mut self) {
        self.matches.clear();
        self.refused = false;
    }

    /// The number of the last match of `detector` in the text.
    #[inline]
    pub(crate) fn last_match(&self, detector: u16) -> Option<usize> {
        self.matches.iter().position(|m| m.detector == detector)
    }

    /// Whether a candidate at `at` is inside its detector's last match, whose number is `last`. Inside
    /// one that was refused, a new token may begin after a space.
    #[inline]
    pub(crate) fn is_inside(&self, last: Option<usize>, text: &[u8], at: usize) -> bool {
        last.is_some_and(|i| {
            let m = &self.matches[i];
            at < m.end && (m.found || !text[at - 1].is_ascii_whitespace())
        })
    }

    /// A candidate at `at` is no finding. What is inside a match that is replaced is gone with it, and
    /// so is its candidate.
    #[inline]
    pub(crate) fn refuse(&mut self, at: usize) {
        let gone = self.list.iter().rev().take(2).any(|f| {
            let all = f.matched == (f.start, f.end) && !matches!(f.with, With::Mask(_));
            f.start <= at && at < f.end && all
        });
        self.refused |= !gone;
    }

    /// Notes a match of `detector` that ends at `end`; `last` is the number of the one before.
    #[inline]
    pub(crate) fn note_match(
        &mut self,
        last: Option<usize>,
        detector: u16,
        end: usize,
        found: bool,
    ) {
        let new = Match { detector, end, found };
        match last {
            None => self.matches.push(new),
            Some(i) if found || end > self.matches[i].end => self.matches[i] = new,
            Some(_) => {}
        }
    }

    /// Sorts the findings by place and leaves no two that overlap. What a loser would have replaced and
    /// its winner's match does not cover is replaced with the winner: nothing that was found stays.
    /// `lost` is called with every loser, `widened` with every winner that takes more than was judged.
    pub(crate) fn settle(
        &mut self,
        catalog: &Catalog,
        mut lost: impl FnMut(&Finding, Step),
        mut widened: impl FnMut(&mut Finding),
    ) {
        let findings = &mut self.list;
        if findings.len() < 2 {
            return;
        }
        findings.sort_unstable_by_key(|f| (f.start, f.matched.0, f.detector));
        let mut kept = 0;
        for i in 1..findings.len() {
            let next = findings[i];
            let last = findings[kept];
            if next.start >= claim_end(catalog, &last) {
                kept += 1;
                findings[kept] = next;
                continue;
            }
            let (winner, loser) = if weight(catalog, &next) > weight(catalog, &last) {
                (next, last)
            } else {
                (last, next)
            };
            findings[kept] = joined(catalog, winner, &loser, &mut widened);
            lost(&loser, Step::Overlap);
        }
        findings.truncate(kept + 1);
    }
}

/// Where what a finding claims ends.
fn claim_end(catalog: &Catalog, f: &Finding) -> usize {
    match catalog.list[usize::from(f.detector)].extends {
        Extends::Userinfo => f.matched.1.max(f.end),
        _ => f.end,
    }
}

/// What decides which of two findings wins.
fn weight(catalog: &Catalog, f: &Finding) -> (usize, u32) {
    (f.matched.1 - f.matched.0, catalog.list[usize::from(f.detector)].priority)
}

/// The winner, which takes what the loser would have replaced.
fn joined(
    catalog: &Catalog,
    mut winner: Finding,
    loser: &Finding,
    widened: &mut impl FnMut(&mut Finding),
) -> Finding {
    let covered = winner.start <= loser.start && loser.end <= claim_end(catalog, &winner);
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
    winner
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::NONE;

    fn finding(matched: (usize, usize), (start, end): (usize, usize)) -> Finding {
        let with = With::Placeholder;
        Finding { detector: 0, matched, start, end, with, pseudonym: None, by: NONE }
    }

    #[test]
    fn a_candidate_inside_the_last_match_is_not_judged() {
        let text = b"aaaa bbbb cccc";
        // The match ends at `end` and was found or refused.
        for (end, found, at, inside) in [
            (9, true, 5, true),
            (9, true, 9, false),
            (9, false, 5, false),
            (9, false, 6, true),
            (9, false, 10, false),
        ] {
            let mut set = FindingSet::default();
            set.note_match(None, 7, end, found);
            assert_eq!(set.is_inside(set.last_match(7), text, at), inside, "{end} {found} {at}");
            assert!(!set.is_inside(set.last_match(8), text, at), "of another detector");
            set.begin_text();
            assert_eq!(set.last_match(7), None, "of another text");
        }
    }

    #[test]
    fn the_last_match_is_the_furthest_one_or_a_finding() {
        for (first, then, inside) in [
            ((9, false), (5, false), true),
            ((9, false), (5, true), false),
            ((5, false), (9, false), true),
        ] {
            let mut set = FindingSet::default();
            set.note_match(None, 7, first.0, first.1);
            set.note_match(set.last_match(7), 7, then.0, then.1);
            assert_eq!(set.is_inside(set.last_match(7), b"abcdefghij", 7), inside);
        }
    }

    #[test]
    fn what_is_refused_in_a_replaced_match_is_gone_with_it() {
        for (matched, replaced, at, refused) in
            [((2, 8), (2, 8), 4, false), ((2, 8), (2, 8), 8, true), ((2, 8), (4, 8), 6, true)]
        {
            let mut set = FindingSet::default();
            set.begin_text();
            set.list.push(finding(matched, replaced));
            set.refuse(at);
            assert_eq!(set.refused, refused, "{matched:?} {replaced:?} {at}");
        }
    }
}
