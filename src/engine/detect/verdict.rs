//! The verdict on one candidate: regex, validator, context, vetoes, allow-list.

use super::Catalog;
use super::assignment;
use super::budget::{ASSIGNED, Budget, CANDIDATE, FINDING, HASHED, NAME, PSEUDONYM};
use super::detector::Detector;
use super::finding::{Finding, Refusal, With};
use super::keys::Keys;
use super::pack::{Action, Extends, Fires, Normalise, Start, Step};
use super::pattern::Memory;
use super::scratch::Scratch;
use super::spelling::{self, is_signed};
use super::value::{userinfo, value, whole};
use crate::engine::index::gate::colour_at_end;
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
        if scratch.memory.len() < self.catalog.list.len() {
            scratch.memory.resize_with(self.catalog.list.len(), Memory::default);
        }
        let memory = &mut scratch.memory[usize::from(detector)];
        let (text, fresh) = (scratch.text, &mut scratch.fresh);
        let search = d.pattern.search(memory, p.text, (begin, far), text, fresh);
        scratch.budget.spend(search.looked);
        if search.full {
            scratch.full = Some(detector);
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

impl Detector {
    /// What is replaced of a match: every step behind the regex.
    #[inline(always)]
    pub(super) fn judge(
        &self,
        p: &Place<'_>,
        (begin, end): (usize, usize),
        scratch: &mut Scratch,
    ) -> Result<(usize, usize), Step> {
        self.beside(p, begin, end)?;
        if p.number && (end != p.end || begin != p.start && p.text[begin - 1] != b'-') {
            return Err(Step::Regex);
        }
        self.validate(&p.text[begin..end], scratch)?;
        self.near(p, begin, end, scratch)?;
        let (start, to) = self.extent(p, begin, end);
        let start = start - usize::from(is_signed(self.numbers, p.text, p.start, begin));
        if self.placeholders.of(p.key_of.is_some()).are_all(&p.text[start..to])
            || self.derived && self.placeholders.holding(p.text, begin).is_some()
            || self.placeholders.around_pseudonym(p.text, start).is_some_and(|end| to <= end)
            || self.allow.iter().any(|a| a.is_match(&p.text[begin..end]))
        {
            return Err(Step::AllowList);
        }
        Ok((start, to))
    }

    /// Where the match begins for the candidate at `at`.
    fn begin(&self, p: &Place<'_>, at: usize, budget: &mut Budget) -> Result<usize, Step> {
        let Some(lead) = &self.lead else {
            let inside = self.start == Start::Token
                && at >= p.start + 2
                && p.text[at].is_ascii_digit()
                && matches!(p.text[at - 1], b'-' | b'.' | b'/')
                && p.text[at - 2].is_ascii_digit();
            // The table let it pass for the sign that it may be.
            let joined = spelling::is_joined(self.numbers, p.text, p.start, at)
                && self.not_before.has(p.text[at - 1]);
            return if inside || joined { Err(Step::Shape) } else { Ok(at) };
        };
        let low = p.start.max(at.saturating_sub(budget.left()));
        if self.extends == Extends::Userinfo
            && let Some(from) = self.placeholders.of(p.key_of.is_some()).at_end(&p.text[low..at])
        {
            let len = at - low - from;
            budget.spend(CANDIDATE + len);
            // What was redacted before is all that there is.
            let before = &p.text[p.start..at - len];
            if before.ends_with(b"//") || !before.last().is_some_and(|b| lead.has(*b)) {
                return Err(Step::Shape);
            }
        }
        let back = p.text[low..at].iter().rev().take_while(|b| lead.has(**b)).count();
        budget.spend(back);
        let trim = p.text[at - back..at].iter().take_while(|b| !b.is_ascii_alphanumeric()).count();
        // A placeholder's bracket is no punctuation.
        let bracket = p.text[at - back..][..trim].ends_with(b"[");
        let trim = trim - usize::from(bracket && self.extends == Extends::Userinfo);
        let short = back - trim < self.pattern.before_at.max(1);
        let bare = self.pattern.colon_before_at && !p.text[at - back..at].contains(&b':');
        if short || bare { Err(Step::Shape) } else { Ok(at - back + trim) }
    }

    /// What is replaced of the match `begin..end`.
    #[inline(always)]
    fn extent(&self, p: &Place<'_>, begin: usize, end: usize) -> (usize, usize) {
        let matched = &p.text[begin..end];
        match self.extends {
            Extends::Match => (begin, end),
            Extends::End => (begin, p.end),
            Extends::Token => {
                let more = p.text[end..p.end]
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric() || b"-_.=+/~".contains(b))
                    .count();
                (begin, end + more)
            }
            Extends::Userinfo => {
                // The sign and the host stay; the password may hold a sign, the host none.
                let to = memchr::memrchr(b'@', matched).unwrap_or(matched.len());
                (begin + userinfo(&matched[..to]), begin + to)
            }
            Extends::Value => {
                let (from, to) = value(matched);
                (begin + from, begin + to)
            }
        }
    }

    #[inline(always)]
    fn beside(&self, p: &Place<'_>, begin: usize, end: usize) -> Result<(), Step> {
        let joined = begin > p.start
            && self.not_before.has(p.text[begin - 1])
            && colour_at_end(&p.text[p.start..begin]) == 0;
        let before = joined && !is_signed(self.numbers, p.text, p.start, begin) && {
            // A slash begins a path or an authority (`http://8.8.8.8`), unless a name stands before
            // it (`Chrome/126.0.0.1`).
            p.text[begin - 1] != b'/'
                || begin - 1 > p.start && p.text[begin - 2].is_ascii_alphanumeric()
        };
        let behind = end < p.end && self.not_after.has(p.text[end]);
        if before || behind { Err(Step::Regex) } else { Ok(()) }
    }

    #[inline(always)]
    fn validate(&self, matched: &[u8], scratch: &mut Scratch) -> Result<(), Step> {
        let Some(valid) = self.validator else { return Ok(()) };
        let n = &mut scratch.normalised;
        let digits = if self.numbers == Fires::Never { None } else { spelling::digits(matched, n) };
        let ok = match self.normalise {
            _ if digits.is_some() => digits == Some(true) && valid(n),
            Normalise::None => valid(matched),
            Normalise::Digits => {
                n.clear();
                n.extend(matched.iter().filter(|b| b.is_ascii_digit()));
                valid(n)
            }
            Normalise::Alnum => {
                n.clear();
                let alnum = matched.iter().filter(|b| b.is_ascii_alphanumeric());
                n.extend(alnum.map(u8::to_ascii_uppercase));
                valid(n)
            }
        };
        if ok { Ok(()) } else { Err(Step::Validator) }
    }

    #[inline(always)]
    fn near(
        &self,
        p: &Place<'_>,
        begin: usize,
        end: usize,
        scratch: &mut Scratch,
    ) -> Result<(), Step> {
        let text = &p.text[p.start..p.end];
        let (from, to) = (begin - p.start, end - p.start);
        let Scratch { words, budget, .. } = scratch;
        let known = &self.placeholders;
        let near = match if p.number { self.numbers } else { self.strings } {
            Fires::Alone => true,
            Fires::Never => false,
            Fires::Context => {
                (self.context.has_keys()
                    && p.keys.any(words, budget, known, &|w| self.context.in_key(w)))
                    || self.context.before(text, from, known)
                    || self.context.behind(text, to, known)
            }
        };
        if !near {
            return Err(Step::Context);
        }
        let vetoed = (self.veto.has_keys()
            && p.keys.any(words, budget, known, &|w| self.veto.in_key(w)))
            || self.veto.before(text, from, known);
        if vetoed { Err(Step::Veto) } else { Ok(()) }
    }
}
