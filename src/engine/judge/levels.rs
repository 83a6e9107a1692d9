//! Decoded texts, each with the way back to the one that it came from.

use super::trace::Decoding;
use super::values::Fit;
use super::whole::stop;
use super::{Judge, Keys, LEVELS, Place};
use crate::engine::chunk::{HEAD, TAIL};
use crate::engine::decode::{self, OffsetMap};
use crate::engine::detect::Finding;
use crate::engine::detect::budget::{DECODED, PERCENT_DECODED};
use crate::engine::index::{Index, Mark};
use crate::engine::outcome::Reason;
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::plain;

/// One decoded text.
#[derive(Default)]
pub(super) struct Level {
    /// With the margins that the index wants.
    pub(super) text: Vec<u8>,
    pub(super) map: OffsetMap,
    pub(super) index: Index,
    pub(super) findings: Vec<Finding>,
    /// The objects and arrays in the text.
    pub(super) values: Vec<(u32, u32)>,
    /// Where JSON begins that breaks off.
    pub(super) broken: Option<usize>,
}

/// A text in which JSON is looked for.
#[derive(Clone, Copy)]
pub(super) struct Outer<'a> {
    /// What stands above the text.
    pub(super) keys: Keys<'a>,
    /// The text is a key of the container that opens here.
    pub(super) key_of: Option<u32>,
    /// Where the text ends.
    pub(super) end: usize,
    /// The level of the strings in its values.
    pub(super) level: usize,
}

impl Level {
    /// Empties the text but for its margin.
    pub(super) fn open(&mut self) {
        self.text.clear();
        self.text.resize(HEAD, b'\n');
        self.map.clear();
        self.findings.clear();
    }

    /// Ends the text with its margin; returns where it ends.
    pub(super) fn close(&mut self) -> usize {
        let end = self.text.len();
        self.text.resize(end + TAIL, b'\n');
        end
    }

    /// A finding of this text, as a place of the text that it was decoded from, whose string
    /// begins at `start`.
    pub(super) fn map_back(&self, f: &Finding, start: usize) -> Finding {
        let (s, e) = self.back((f.start, f.end), start);
        let with = f.with.mapped(|range| self.back(range, start));
        Finding { matched: self.back(f.matched, start), start: s, end: e, with, ..*f }
    }

    pub(super) fn back(&self, (from, to): (usize, usize), start: usize) -> (usize, usize) {
        let r = self.map.source(from - HEAD..to - HEAD);
        (r.start + start, r.end + start)
    }
}

impl Judge {
    /// A string with escapes: judged decoded, or as the JSON that it holds.
    pub(super) fn escaped(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<(), Reason> {
        if level >= LEVELS {
            return Err(Reason::TooCostly);
        }
        let mut own = std::mem::take(&mut self.levels[level]);
        own.open();
        let content = &p.text[p.start..p.end];
        let from = self.enter(Decoding::Escapes);
        let judged = decode::unescape(content, &mut own.text, &mut own.map)
            .map_err(|e| stop(e, p.start).reason)
            .and_then(|()| {
                self.scratch.budget.spend(DECODED * (own.text.len() - HEAD));
                self.decoded(r, &mut own, p.keys, p.key_of, level)
            });
        out.extend(own.findings.iter().map(|f| {
            let f = own.map_back(f, p.start);
            Finding { with: f.with.escaped(), ..f }
        }));
        self.leave(from, |range| own.back(range, p.start));
        self.levels[level] = own;
        judged
    }

    /// A string with percent signs: judged decoded too.
    pub(super) fn percent(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<(), Reason> {
        let mut own = std::mem::take(&mut self.levels[level]);
        own.open();
        let mut judged = Ok(());
        if decode::percent(&p.text[p.start..p.end], &mut own.text, &mut own.map) {
            let from = self.enter(Decoding::Percent);
            self.scratch.budget.spend(PERCENT_DECODED * (own.text.len() - HEAD));
            judged = self.decoded(r, &mut own, p.keys, p.key_of, level);
            self.leave(from, |range| own.back(range, p.start));
            out.extend(own.findings.iter().map(|f| own.map_back(f, p.start)));
        }
        self.levels[level] = own;
        judged
    }

    /// A number that may be an integer in another spelling: judged as it is spelt, and as the integer
    /// that it is.
    pub(super) fn number(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        marks: &[Mark],
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<(), Reason> {
        self.string(r, p, marks, level, true, out)?;
        if level >= LEVELS {
            return Err(Reason::TooCostly);
        }
        let mut own = std::mem::take(&mut self.levels[level]);
        own.open();
        let mut judged = Ok(());
        if plain(&p.text[p.start..p.end], &mut own.text) {
            let from = self.enter(Decoding::Number);
            let end = own.close();
            own.index.scan(self.simd, &own.text, HEAD, end, &r.catalog.gates, true);
            self.opened(r, &own.index, &own.text);
            let place = Place { text: &own.text, start: HEAD, end, ..*p };
            let found = &mut own.findings;
            judged = self.string(r, &place, &own.index.marks, level + 1, false, found);
            // Whatever is found in it, the number is the finding.
            let all = (p.start, p.end);
            self.leave(from, |_| all);
            let (start, end) = all;
            out.extend(own.findings.iter().map(|f| Finding { matched: all, start, end, ..*f }));
        }
        self.levels[level] = own;
        judged
    }

    /// Judges the text of `own`; leaves its findings there, settled.
    pub(super) fn decoded(
        &mut self,
        r: &Ruleset,
        own: &mut Level,
        keys: Keys<'_>,
        key_of: Option<u32>,
        level: usize,
    ) -> Result<(), Reason> {
        let end = own.close();
        if self.scratch.budget.is_exceeded() {
            return Err(Reason::TooCostly);
        }
        let mut findings = std::mem::take(&mut own.findings);
        let outer = Outer { keys, key_of, end, level: level + 1 };
        let observed = self.observed.len();
        let judged = match self.values(r, own, outer, &mut findings) {
            Ok(false) => self.beside_values(r, own, outer, observed, &mut findings),
            other => other.map(|_| ()),
        };
        self.settle(r, &own.text, &mut findings);
        own.findings = findings;
        judged
    }

    /// Judges a text as such in whose values there are `found`. What they hold is looked at again:
    /// the text around them is context, too.
    fn beside_values(
        &mut self,
        r: &Ruleset,
        own: &mut Level,
        Outer { keys, key_of, end, level }: Outer<'_>,
        observed: usize,
        found: &mut Vec<Finding>,
    ) -> Result<(), Reason> {
        own.index.scan(self.simd, &own.text, HEAD, end, &r.catalog.gates, true);
        self.opened(r, &own.index, &own.text);
        let place = Place { text: &own.text, start: HEAD, end, number: false, key_of, keys };
        let (first, of_values) = (found.len(), self.observed.len());
        let judged = self.string(r, &place, &own.index.marks, level, false, found);
        let numbers = r.precedence.numbers;
        let Level { text, values, broken, .. } = &*own;
        let (text, placeholders) = (&text[..end], &r.catalog.placeholders);
        Fit { text, values, broken: *broken, numbers, placeholders }.all(found, first);
        // What is no JSON may become JSON.
        let opens = matches!(text[HEAD..end].trim_ascii_start().first(), Some(b'{' | b'['));
        self.unsettled |= (opens || !values.is_empty() || broken.is_some()) && !found.is_empty();
        // What was counted in a value is not counted again.
        let mut counted = self.observed[observed..of_values].to_vec();
        let mut at = of_values;
        while !counted.is_empty() && at < self.observed.len() {
            match counted.iter().position(|c| *c == self.observed[at]) {
                Some(known) => {
                    counted.swap_remove(known);
                    self.observed.remove(at);
                }
                None => at += 1,
            }
        }
        judged
    }
}
