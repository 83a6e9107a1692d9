//! Values that are findings as a whole, whatever they look like: rules by path and by key.

use super::decider::Decider;
use super::level::Level;
use crate::engine::chunk::HEAD;
use crate::engine::decode::{self, Decoder as _, EscapeError, Escapes};
use crate::engine::detect::budget::{FINDING, NAME};
use crate::engine::detect::{
    Finding, FindingSet, Place, Refusal, Scratch, Step, With, is_directory, is_secret,
};
use crate::engine::index::{ESCAPE, Mark};
use crate::engine::outcome::Reason;
use crate::engine::path::flag;
use crate::engine::path::words::Fields;
use crate::engine::policy::{Action, NONE, Numbers, Whole};
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::{Kind, Site, Stop};

impl Decider {
    /// A value that a rule by path speaks of. Returns whether the rule takes it: then no detector
    /// looks. `own`: where it is decoded, if there is room.
    #[inline(never)]
    pub(super) fn by_path(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        kind: Kind,
        marks: &[Mark],
        own: Option<&mut Level>,
        out: &mut FindingSet,
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
                let decided = self.decided(r, detector, p, escaped, own, Some((action, by)));
                return Ok(self.take(r, detector, p, decided, out));
            }
            (_, Action::Null) => With::FieldNull,
            (_, Action::Remove) => With::FieldGone,
            (Kind::Object | Kind::Array, _) => With::Quoted(0),
            _ => With::Null,
        };
        let (start, end) = (p.start, p.end);
        let matched = (start, end);
        let finding = Finding { detector, matched, start, end, with, pseudonym: None, by };
        Ok(self.take(r, detector, p, Ok(finding), out))
    }

    /// Judges one site by the rules by key that hold its value to be secret. Whether one of them
    /// takes it.
    #[expect(clippy::too_many_arguments, reason = "a site, and where it stands")]
    pub(super) fn by_keys(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        sites: &[Site],
        i: usize,
        marks: &[Mark],
        mut own: Option<&mut Level>,
        out: &mut FindingSet,
    ) -> Result<bool, Stop> {
        let flags = sites[i].flags;
        let sole = r.by_key.len() == 1;
        for (detector, fields) in &r.by_key {
            let Scratch { words, budget, .. } = &mut self.scratch;
            // Where there is one rule by key, the path says that it is about this.
            let secret = flags & flag::SECRET != 0 && (sole || p.keys.name(fields, words, budget))
                || named(fields, p.text, sites, i, &mut self.scratch);
            if secret && self.by_key(r, *detector, p, marks, own.as_deref_mut(), out)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A value that the rule by key `detector` holds to be secret, whatever it looks like. Returns
    /// whether it is a finding, or nothing that a detector should look at.
    #[inline(never)]
    fn by_key(
        &mut self,
        r: &Ruleset,
        detector: u16,
        p: &Place<'_>,
        marks: &[Mark],
        own: Option<&mut Level>,
        out: &mut FindingSet,
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
            self.recorder.note(detector, p, (p.start, p.end), refused, NONE);
            return Ok(true);
        }
        let decided = self.decided(r, detector, p, escaped, own, None);
        Ok(self.take(r, detector, p, decided, out))
    }

    /// A text line, or a part of it, that is a finding of `detector` whatever it looks like.
    pub(super) fn by_line(
        &mut self,
        r: &Ruleset,
        detector: u16,
        p: &Place<'_>,
        out: &mut FindingSet,
    ) {
        let all = (p.start, p.end);
        match r.verdict().decide(detector, p, all, all, &mut self.scratch) {
            Ok(f) => {
                self.found(r, p, &f);
                out.list.push(f);
            }
            Err(refusal) => _ = self.refused_by(r, detector, p, &refusal),
        }
    }

    /// Takes the value, if that was decided.
    fn take(
        &mut self,
        r: &Ruleset,
        detector: u16,
        p: &Place<'_>,
        decided: Result<Finding, Refusal>,
        out: &mut FindingSet,
    ) -> bool {
        self.scratch.budget.spend(FINDING);
        match decided {
            Ok(finding) => {
                self.unsettled |= matches!(finding.with, With::Mask(_));
                self.found(r, p, &finding);
                out.list.push(finding);
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
        own: Option<&mut Level>,
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
        let Some(own) = own else {
            // Nowhere to decode it: a mask could cut an escape, a pseudonym would be another one.
            return decide(p, &mut self.scratch).map(|f| match f.with {
                With::Mask(_) => Finding { with: With::Placeholder, ..f },
                _ => Finding { pseudonym: None, ..f },
            });
        };
        own.open();
        self.scratch.budget.spend(Escapes.cost() * (p.end - p.start));
        // The escapes were checked.
        let _ = Escapes.decode(&p.text[p.start..p.end], &mut own.text, &mut own.map);
        let end = own.close();
        let place = Place { text: &own.text, start: HEAD, end, ..*p };
        decide(&place, &mut self.scratch).map(|f| own.map_back(&f, p.start))
    }
}

/// Whether the site's name, of a pair or in an array of headers, is of `fields`: it is the `value`
/// beside a secret's `name`, or stands behind a secret's name among headers.
fn named(fields: &Fields, buf: &[u8], sites: &[Site], i: usize, scratch: &mut Scratch) -> bool {
    let Scratch { words, budget, .. } = scratch;
    let site = &sites[i];
    let mut names = |o: &Site| {
        let raw = &buf[o.start as usize..o.end as usize];
        budget.spend(NAME + raw.len());
        o.kind == Kind::String && is_secret(fields, raw, words)
    };
    if site.flags & flag::VALUE != 0 {
        let near = i.saturating_sub(8)..(i + 9).min(sites.len());
        return sites[near]
            .iter()
            .any(|o| o.container == site.container && o.flags & flag::NAME != 0 && names(o));
    }
    site.flags & flag::HEADERS != 0
        && i > 0
        && sites[i - 1].container == site.container
        && sites[i - 1].flags & flag::HEADERS != 0
        && names(&sites[i - 1])
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
