//! Values that are findings as a whole, whatever they look like: rules by path and by key.

use super::{Judge, LEVELS};
use crate::engine::chunk::HEAD;
use crate::engine::decode::{self, EscapeError};
use crate::engine::detect::budget::{DECODED, FINDING};
use crate::engine::detect::{Finding, Place, Refusal, Scratch, Step, With, is_directory};
use crate::engine::index::{ESCAPE, Mark};
use crate::engine::outcome::Reason;
use crate::engine::policy::{Action, NONE, Numbers, Whole};
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::{Kind, Stop};

impl Judge {
    /// A value that a rule by path speaks of. Whether the rule takes it: then no detector looks.
    #[inline(never)]
    pub(super) fn by_path(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        kind: Kind,
        marks: &[Mark],
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<bool, Stop> {
        let Some(Whole { action, detector, by }) = r.precedence.whole(p.keys.row) else {
            return Ok(false);
        };
        let container = matches!(kind, Kind::Object | Kind::Array);
        if container && !matches!(action, Action::Null | Action::Remove | Action::Drop) {
            return Ok(false);
        }
        let escaped = kind == Kind::String && checked(p, marks)?;
        let value = &p.text[p.start..p.end];
        let nothing = match kind {
            Kind::String if r.catalog.placeholders.is(value) => true,
            Kind::String => value.is_empty() && !matches!(action, Action::Null | Action::Remove),
            Kind::Null => action != Action::Remove,
            Kind::Number => is_settled(r, value),
            _ => false,
        };
        if nothing {
            return Ok(action != Action::Observe);
        }
        let with = match (kind, action) {
            (Kind::String | Kind::Number, _) => {
                let decided = self.decided(r, detector, p, escaped, level, Some((action, by)));
                return Ok(self.settle_whole(r, detector, p, decided, out));
            }
            (_, Action::Null) => With::FieldNull,
            (_, Action::Remove) => With::FieldGone,
            (Kind::Object | Kind::Array, _) => With::Quoted(0),
            _ => With::Null,
        };
        let (start, end) = (p.start, p.end);
        let matched = (start, end);
        let finding = Finding { detector, matched, start, end, with, pseudonym: None, by };
        Ok(self.settle_whole(r, detector, p, Ok(finding), out))
    }

    /// A value that the rule by key `detector` holds to be secret, whatever it looks like. Whether it
    /// is a finding, or nothing that a detector should look at.
    #[inline(never)]
    pub(super) fn by_key(
        &mut self,
        r: &Ruleset,
        detector: u16,
        p: &Place<'_>,
        marks: &[Mark],
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<bool, Stop> {
        let value = &p.text[p.start..p.end];
        let escaped = checked(p, marks)?;
        let key = p.keys.keys.last().map_or(&[][..], |&(s, e)| &p.text[s as usize..e as usize]);
        let refused = if value.is_empty() {
            Some(Step::Shape)
        } else if r.catalog.placeholders.is(value) || p.number && is_settled(r, value) {
            Some(Step::AllowList)
        } else {
            is_directory(key, value).then_some(Step::Veto)
        };
        if refused.is_some() {
            self.note(detector, p, (p.start, p.end), refused, NONE);
            return Ok(true);
        }
        let decided = self.decided(r, detector, p, escaped, level, None);
        Ok(self.settle_whole(r, detector, p, decided, out))
    }

    fn settle_whole(
        &mut self,
        r: &Ruleset,
        detector: u16,
        p: &Place<'_>,
        decided: Result<Finding, Refusal>,
        out: &mut Vec<Finding>,
    ) -> bool {
        self.scratch.budget.spend(FINDING);
        match decided {
            Ok(finding) => {
                self.unsettled |= matches!(finding.with, With::Mask(_));
                self.found(r, p, &finding);
                out.push(finding);
                true
            }
            Err(mut refusal) => {
                refusal.matched = (p.start, p.end);
                self.refused_by(r, detector, p, &refusal);
                false
            }
        }
    }

    /// What becomes of the value, judged decoded; by what a rule said already, if `given`.
    fn decided(
        &mut self,
        r: &Ruleset,
        detector: u16,
        p: &Place<'_>,
        escaped: bool,
        level: usize,
        given: Option<(Action, u16)>,
    ) -> Result<Finding, Refusal> {
        let decide = |p: &Place<'_>, scratch: &mut Scratch| {
            let all = (p.start, p.end);
            match given {
                Some(ruled) => r.verdict().apply(detector, p, all, all, ruled, scratch),
                None => r.verdict().decide(detector, p, all, all, scratch),
            }
        };
        if !escaped {
            return decide(p, &mut self.scratch);
        }
        if level >= LEVELS {
            // Nowhere to decode it: a mask could cut an escape, a pseudonym would be another one.
            return decide(p, &mut self.scratch).map(|f| match f.with {
                With::Mask(_) => Finding { with: With::Placeholder, ..f },
                _ => Finding { pseudonym: None, ..f },
            });
        }
        let mut own = std::mem::take(&mut self.levels[level]);
        own.open();
        self.scratch.budget.spend(DECODED * (p.end - p.start));
        // The escapes were checked.
        let _ = decode::unescape(&p.text[p.start..p.end], &mut own.text, &mut own.map);
        let end = own.close();
        let place = Place { text: &own.text, start: HEAD, end, ..*p };
        let decided = decide(&place, &mut self.scratch).map(|f| own.map_back(&f, p.start));
        self.levels[level] = own;
        decided
    }
}

/// Checks a value's escapes; whether it has any.
pub(super) fn checked(p: &Place<'_>, marks: &[Mark]) -> Result<bool, Stop> {
    let escaped = marks.iter().any(|m| m.id() == ESCAPE);
    if escaped {
        decode::check_escapes(&p.text[p.start..p.end]).map_err(|e| stop(e, p.start))?;
    }
    Ok(escaped)
}

/// Where judging stops at an escape that cannot be decoded, in a text that begins at `from`.
pub(super) fn stop(e: EscapeError, from: usize) -> Stop {
    match e {
        EscapeError::Invalid(at) => Stop { reason: Reason::Escape, at: from + at },
        EscapeError::LoneSurrogate(at) => Stop { reason: Reason::Surrogate, at: from + at },
    }
}

/// Whether a number is what redacted ones become.
fn is_settled(r: &Ruleset, value: &[u8]) -> bool {
    let zero = || value.iter().take_while(|b| **b | 0x20 != b'e').all(|b| b"-.0".contains(b));
    r.precedence.numbers == Numbers::Zero && zero()
}
