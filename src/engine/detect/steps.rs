//! The steps of a detector: where a match begins, what is next to it, validator, context, vetoes, and
//! what of it is replaced.

use super::budget::{Budget, CANDIDATE};
use super::detector::Detector;
use super::pack::{Extends, Fires, Normalise, Start, Step};
use super::scratch::Scratch;
use super::spelling::{self, is_signed};
use super::value::{userinfo, value};
use super::verdict::Place;
use crate::engine::index::gate::colour_at_end;

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
    pub(super) fn begin(
        &self,
        p: &Place<'_>,
        at: usize,
        budget: &mut Budget,
    ) -> Result<usize, Step> {
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
