//! The verdict on one candidate: the steps of its detector, then what the policy makes of it.

use super::Catalog;
use super::assignment;
use super::budget::{ASSIGNED, Budget, CANDIDATE, FINDING, HASHED, NAME, PSEUDONYM};
use super::finding::{Finding, Refusal, With};
use super::keys::Keys;
use super::pack::{Action, Step};
use super::scratch::Scratch;
use super::value::whole;
use crate::engine::path::words::Fields;
use crate::engine::policy::mask::mask;
use crate::engine::policy::{NONE, Numbers, Precedence};
use crate::engine::redact::pseudonym;
use crate::engine::redact::truncate;

/// Where a candidate stands.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The buffer that the string is in: look-around sees past the string's ends.
    pub(crate) text: &'a [u8],
    /// The string.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// A bare number, not a string.
    pub(crate) number: bool,
    /// A key of the container that opens here.
    pub(crate) key_of: Option<u32>,
    pub(crate) keys: Keys<'a>,
}

/// What decides about candidates: the detectors, and the policy in force.
#[derive(Clone, Copy)]
pub(crate) struct Verdict<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) precedence: &'a Precedence,
}

impl Verdict<'_> {
    /// The verdict on the candidate of `detector` at `at`.
    #[inline(never)]
    pub(crate) fn candidate(
        self,
        detector: u16,
        at: usize,
        p: &Place<'_>,
        scratch: &mut Scratch,
    ) -> Result<Finding, Refusal> {
        let d = &self.catalog.list[usize::from(detector)];
        let refuse = |step| Refusal { step, matched: (at, at + 1), by: NONE };
        if at < p.start || at >= p.end {
            return Err(refuse(Step::Shape));
        }
        if let Some(fields) = &d.assigns {
            return self.assignment(detector, fields, at, p, scratch);
        }
        scratch.budget.spend(CANDIDATE);
        let begin = d.begin(p, at, &mut scratch.budget).map_err(refuse)?;
        let far = p.end.min(begin.saturating_add(scratch.budget.left()).saturating_add(1));
        let memory = scratch.pool.of(detector, self.catalog.list.len());
        let (text, fresh) = (scratch.text, &mut scratch.fresh);
        let search = d.pattern.search(memory, p.text, (begin, far), text, fresh);
        scratch.budget.spend(search.looked);
        if search.built {
            scratch.pool.count(detector, &mut scratch.budget);
        }
        if search.full {
            scratch.pool.full = true;
            return Err(refuse(Step::Regex));
        }
        let end = search.end.ok_or(refuse(Step::Regex))?;
        // What looks at the match behind the regex: the validator, the allow-list, the value.
        scratch.budget.spend(FINDING + (end - begin));
        let matched = (begin, end);
        let judged = d.judge(p, matched, scratch);
        let tried = |step| Refusal { step, matched: d.tried(step, matched), by: NONE };
        let (start, end) = judged.map_err(tried)?;
        let found = whole(p.text, (p.start, p.end), (start, end));
        self.decide(detector, p, matched, found, scratch)
    }

    /// What becomes of the finding `found` in what `matched`: the policy, then the detector.
    pub(crate) fn decide(
        self,
        detector: u16,
        p: &Place<'_>,
        matched: (usize, usize),
        found: (usize, usize),
        scratch: &mut Scratch,
    ) -> Result<Finding, Refusal> {
        let action = self.catalog.list[usize::from(detector)].action;
        let ruled = self.precedence.action(detector, p.keys.row).unwrap_or((action, NONE));
        self.apply(detector, p, matched, found, ruled, scratch)
    }

    /// What an action makes of the finding `found` in what `matched`, unless it is allowed.
    pub(crate) fn apply(
        self,
        detector: u16,
        p: &Place<'_>,
        matched: (usize, usize),
        (start, end): (usize, usize),
        (action, by): (Action, u16),
        scratch: &mut Scratch,
    ) -> Result<Finding, Refusal> {
        let refuse = |step, by| Err(Refusal { step, matched, by });
        let text = &p.text[start..end];
        if let Some(entry) = self.precedence.allows(detector, &p.text[matched.0..matched.1], text) {
            return refuse(Step::AllowList, entry);
        }
        let with = match (action, p.key_of) {
            (Action::Keep | Action::Observe, _) => return refuse(Step::Rule, by),
            (_, Some(container)) => With::Key(container),
            (Action::Null, _) => With::FieldNull,
            (Action::Remove, _) => With::FieldGone,
            _ if p.number => With::Number(0),
            (Action::Truncate, _) => match truncate::address(text) {
                // What is a network already stays as it is.
                Some(a) if a.equals(text) => return refuse(Step::AllowList, NONE),
                Some(a) => With::Truncated(a),
                None => With::Placeholder,
            },
            (Action::Mask { first, last }, _) => match mask(p.text, start..end, first, last) {
                Some(mask) => With::Mask(mask),
                None => return refuse(Step::AllowList, NONE),
            },
            (Action::Replace | Action::Drop | Action::Hmac { .. }, _) => With::Placeholder,
        };
        // A number goes with its sign.
        let start = if p.number { p.start } else { start };
        let pseudonym = match (action, with) {
            (Action::Hmac { .. }, With::Number(_))
                if self.precedence.numbers != Numbers::Placeholder =>
            {
                None
            }
            (Action::Hmac { key }, _) => self.pseudonym(key, &p.text[start..end], scratch),
            _ => None,
        };
        Ok(Finding { detector, matched, start, end, with, pseudonym, by })
    }

    /// The pseudonym of a value by the key with this number.
    #[cold]
    pub(crate) fn pseudonym(
        self,
        key: u16,
        value: &[u8],
        scratch: &mut Scratch,
    ) -> pseudonym::Number {
        scratch.budget.spend(PSEUDONYM + HASHED * value.len());
        let maker = self.precedence.keys.get(usize::from(key))?;
        scratch.pseudonyms.add(key, maker, value)
    }

    /// Whether a finding's edit may show what was no candidate before: what is left of its match
    /// is read beside a placeholder, and what touches the edit may begin or end anew.
    pub(crate) fn may_show_more(self, f: &Finding, p: &Place<'_>) -> bool {
        let d = &self.catalog.list[usize::from(f.detector)];
        let part = d.assigns.is_none() && (f.start, f.end) != f.matched;
        let before = f.start > p.start && p.text[f.start - 1] == b'@';
        let behind = f.end < p.end && !b" \t\r\n,;)>\"'`]}".contains(&p.text[f.end]);
        let digits = matches!(f.with, With::Truncated(a) if a.is_v4());
        let partly = matches!(f.with, With::Mask(_) | With::FieldNull | With::FieldGone);
        part || before || partly || behind && !digits
    }

    fn assignment(
        self,
        detector: u16,
        fields: &Fields,
        at: usize,
        p: &Place<'_>,
        scratch: &mut Scratch,
    ) -> Result<Finding, Refusal> {
        let Scratch { words, budget, name, judged, judged_for, .. } = &mut *scratch;
        budget.spend(CANDIDATE);
        let judge = |key: &[u8], budget: &mut Budget| {
            // One name may be assigned to again and again.
            if name != key || *judged_for != detector || key.is_empty() {
                budget.spend(NAME);
                (*judged, *judged_for) = (fields.judge(key, words), detector);
                name.clear();
                name.extend_from_slice(key);
            }
            *judged
        };
        let known = fields.placeholders().of(p.key_of.is_some());
        let found = assignment::find(p.text, (p.start, p.end), at, judge, known, budget);
        let a = found.map_err(|step| Refusal { step, matched: (at, at + 1), by: NONE })?;
        budget.spend(ASSIGNED);
        let (start, end) = whole(p.text, (p.start, p.end), (a.start, a.end));
        self.decide(detector, p, (a.from, end), (start, end), scratch)
    }
}
