//! The judge: sites → findings → edits. It decodes what hides in a string (escapes, JSON inside,
//! percent-encoding), asks the detectors, and brings what they find back to raw bytes.

mod edits;
mod fields;
mod key_names;
mod levels;
mod nested;
mod ruled;
mod search;
mod sites;
mod spoiled;
pub(crate) mod trace;
mod values;
mod whole;

use std::collections::HashMap;

use smallvec::SmallVec;

use super::decode;
use super::detect::budget::{AGAIN, ROUND, SKIPPED};
use super::detect::{Finding, Keys, Place, Scratch, With, settle};
use super::index::{ESCAPE, Mark, PERCENT, Simd};
use super::outcome::Reason;
use super::path::Rules;
use super::redact::Edit;
use super::ruleset::Ruleset;
use super::walk::{Kind, Line, Stop, Walk};
use key_names::KeyNames;
use levels::Level;
use nested::Nested;
use search::search;
use trace::{Decision, Trace};

/// Decodings inside each other: escapes of JSON in a string of JSON, and so on, then percent.
const LEVELS: usize = 6;
/// Those of them that percent-encoding may take. Further ones are for JSON inside JSON, whose texts
/// are shorter.
const PERCENT_LEVELS: usize = 4;

/// One worker's judge.
pub(crate) struct Judge {
    simd: Simd,
    scratch: Scratch,
    levels: Vec<Level>,
    nested: Nested,
    /// How many JSON values the text under judgement stands in, but for the event.
    depth: usize,
    /// A schema is in force.
    schema: bool,
    /// JSON that breaks off in a text refuses the event.
    strict: bool,
    findings: Vec<Finding>,
    /// What each detector matched last in the texts under judgement, innermost last.
    matched: Vec<Matched>,
    /// Placeholder keys in the event, by container and detector: the last number.
    keys: HashMap<(u32, u16), u32>,
    /// Pseudonyms in keys of the event.
    key_names: KeyNames,
    /// The last event's edits, sorted.
    pub(crate) edits: Vec<Edit>,
    /// What takes their places.
    pub(crate) replacements: Vec<u8>,
    /// The detector of each edit.
    pub(crate) detectors: Vec<u16>,
    /// The last event's edits may show something new: see `again`.
    pub(crate) unsettled: bool,
    /// They may break the schema.
    pub(crate) unchecked: bool,
    /// The schema lists whole objects or arrays: any edit may break it.
    compares: bool,
    /// Something in the string under judgement was refused, or not looked at.
    refused: bool,
    /// Where the value of the event under judgement stands.
    at: usize,
    /// A rule drops the event, for what stands there.
    pub(crate) dropped: Option<usize>,
    /// The detectors of what was only counted in the event.
    pub(crate) observed: Vec<u16>,
    /// How often each entry and each rule of the policy decided, since somebody took it; and the
    /// observed, by detector.
    pub(crate) hits: Vec<u64>,
    pub(crate) observations: Vec<u64>,
    /// What was added to `hits` for the event.
    counted: Vec<u16>,
    /// Something of the last event, or text, may be left in what follows.
    used: bool,
    /// What is judged again is not counted again.
    pub(crate) again: bool,
    /// Members that go, and their ends.
    members: Vec<(usize, usize)>,
    ends: Vec<usize>,
    /// What was decided, for `explain`; `None` in production.
    pub(crate) trace: Option<Trace>,
}

/// A detector's last match in a text.
struct Matched {
    detector: u16,
    end: usize,
    /// It is a finding: not refused by a later step.
    found: bool,
}

impl Judge {
    pub(crate) fn new(simd: Simd, rules: &Rules, max_depth: usize) -> Self {
        Self {
            simd,
            scratch: Scratch::default(),
            levels: (0..LEVELS).map(|_| Level::default()).collect(),
            nested: Nested::new(rules, max_depth),
            depth: 0,
            schema: rules.contract.is_some(),
            strict: false,
            findings: Vec::new(),
            matched: Vec::new(),
            keys: HashMap::new(),
            key_names: KeyNames::default(),
            edits: Vec::new(),
            replacements: Vec::new(),
            detectors: Vec::new(),
            unsettled: false,
            unchecked: false,
            compares: rules.contract.as_ref().is_some_and(|schema| schema.compares_any()),
            refused: false,
            at: 0,
            dropped: None,
            observed: Vec::new(),
            hits: Vec::new(),
            observations: Vec::new(),
            counted: Vec::new(),
            again: false,
            used: false,
            members: Vec::new(),
            ends: Vec::new(),
            trace: None,
        }
    }

    /// Begins an event of `len` bytes, or to judge it again: all rounds have one budget.
    fn begin(&mut self, r: &Ruleset, len: usize) {
        match self.again {
            true => self.scratch.budget.spend(ROUND + AGAIN * len),
            false => self.scratch.budget.begin(len, r.searched.len()),
        }
        if self.used {
            self.restart();
        }
    }

    fn restart(&mut self) {
        self.scratch.forget_name();
        self.scratch.pseudonyms.clear();
        self.key_names.clear();
        self.unsettled = false;
        self.refused = false;
        self.unchecked = false;
        self.dropped = None;
        self.observed.clear();
        self.counted.clear();
        self.findings.clear();
        self.matched.clear();
        self.keys.clear();
        self.edits.clear();
        self.replacements.clear();
        self.detectors.clear();
    }

    /// What the last event has cost.
    pub(crate) fn units(&self) -> usize {
        self.scratch.budget.spent()
    }

    /// Judges the sites that `walk` reported of `line`, and fills `edits`.
    pub(crate) fn event(&mut self, r: &Ruleset, line: &Line<'_>, walk: &Walk) -> Result<(), Stop> {
        self.begin(r, line.end - line.start);
        // In most events nothing is reported. What is judged again leaves the detectors of all rounds.
        self.used = self.again || !walk.sites.is_empty();
        if walk.sites.is_empty() {
            return Ok(());
        }
        self.strict = self.schema || r.precedence.strict;
        self.with_room(r, |judge| judge.all_sites(r, line, walk))
    }

    fn all_sites(&mut self, r: &Ruleset, line: &Line<'_>, walk: &Walk) -> Result<(), Stop> {
        let mut findings = std::mem::take(&mut self.findings);
        let judged = self.sites(r, line.buf, walk, line.marks, None, 0, &mut findings);
        self.settle(r, line.buf, &mut findings);
        for f in &findings {
            self.edit(r, f, line);
        }
        self.findings = findings;
        judged
    }

    /// Judges `buf[start..end]` as text that stands where the row of globs is `row`, and fills
    /// `edits`.
    pub(crate) fn text(
        &mut self,
        r: &Ruleset,
        buf: &[u8],
        (start, end): (usize, usize),
        row: &[u64],
    ) -> Result<(), Stop> {
        self.begin(r, end - start);
        self.used = true;
        // A schema refuses text lines anyway.
        self.strict = r.precedence.strict;
        self.with_room(r, |judge| judge.all_text(r, buf, (start, end), row))
    }

    /// Takes `buf[start..end]` of a text line as a finding of `detector`, and fills `edits`.
    #[cold]
    pub(crate) fn whole_text(
        &mut self,
        r: &Ruleset,
        buf: &[u8],
        (start, end): (usize, usize),
        row: &[u64],
        detector: u16,
    ) {
        self.begin(r, end - start);
        self.used = true;
        self.at = start;
        let keys = Keys { buf, keys: &[], above: None, row };
        let place = Place { text: buf, start, end, number: false, key_of: None, keys };
        let all = (start, end);
        match r.verdict().decide(detector, &place, all, all, &mut self.scratch) {
            Ok(f) => {
                self.found(r, &place, &f);
                self.edit(r, &f, &Line { buf, start, end, quotes: &[], marks: &[] });
            }
            Err(refusal) => _ = self.refused_by(r, detector, &place, &refusal),
        }
    }

    fn all_text(
        &mut self,
        r: &Ruleset,
        buf: &[u8],
        (start, end): (usize, usize),
        row: &[u64],
    ) -> Result<(), Stop> {
        self.at = start;
        let line = Line { buf, start, end, quotes: &[], marks: &[] };
        let keys = Keys { buf, keys: &[], above: None, row };
        let place = Place { text: buf, start, end, number: false, key_of: None, keys };
        let mut whole = std::mem::take(&mut self.findings);
        let taken = self.by_path(r, &place, Kind::String, &[], 0, &mut whole);
        for f in &whole {
            self.edit(r, f, &line);
        }
        self.findings = whole;
        if taken? {
            return Ok(());
        }
        let mut level = std::mem::take(&mut self.levels[0]);
        level.open();
        level.text.extend_from_slice(&buf[start..end]);
        level.map.clear();
        let judged = self.decoded(r, &mut level, keys, None, 0);
        for o in self.trace.iter_mut().flat_map(|t| &mut t.decisions) {
            o.range = level.back(o.range, start);
        }
        for f in &level.findings {
            self.edit(r, &level.map_back(f, start), &line);
        }
        self.levels[0] = level;
        judged.map_err(|reason| Stop { reason, at: start })
    }

    /// Judges an event. Where a pattern's states do not fit beside those that other events left, once
    /// more with an empty memory, so that it is the event alone that decides whether they fit.
    fn with_room(
        &mut self,
        r: &Ruleset,
        mut judge: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let (spent, decisions) = (self.scratch.budget.spent(), self.decisions());
        let mut emptied = SmallVec::<[u16; 4]>::new();
        loop {
            if self.scratch.budget.is_exceeded() {
                return Err(Stop { reason: Reason::TooCostly, at: 0 });
            }
            let judged = judge(self);
            let Some(full) = self.scratch.full.take() else { return judged };
            self.scratch.forget(&r.catalog, full);
            if emptied.contains(&full) {
                return judged;
            }
            emptied.push(full);
            self.scratch.budget.return_to(spent);
            self.uncount(decisions);
            self.restart();
        }
    }

    /// Judges one string or number; findings are places of `p.text`. `json`: its content is
    /// spelt as JSON spells strings.
    fn string(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        marks: &[Mark],
        level: usize,
        json: bool,
        out: &mut Vec<Finding>,
    ) -> Result<(), Reason> {
        if json && marks.iter().any(|m| m.id() == ESCAPE) {
            let content = &p.text[p.start..p.end];
            let nothing = r.catalog.plain_escapes
                && marks.iter().all(|m| m.id() == ESCAPE)
                && !values::may_hold(content, self.look(r))
                && decode::is_simple(
                    content,
                    |b| r.catalog.may_start(b),
                    |b| r.catalog.slash_may_matter(b),
                );
            return if nothing { Ok(()) } else { self.escaped(r, p, level, out) };
        }
        let outer = (self.matched.len(), std::mem::take(&mut self.refused), out.len());
        self.scratch.text += 1;
        let mut percent = false;
        for m in marks {
            match m.id() {
                ESCAPE => {}
                PERCENT => percent = true,
                id if r.catalog.list[usize::from(id)].inside => {
                    search(self, r, id, p, outer.0, out)
                }
                id => self.candidate(r, id, m.at(), p, outer.0, out),
            }
        }
        for &id in &r.searched {
            search(self, r, id, p, outer.0, out);
        }
        self.matched.truncate(outer.0);
        if self.scratch.budget.is_exceeded() || self.scratch.full.is_some() {
            return Err(Reason::TooCostly);
        }
        let levels = if self.depth > 1 { LEVELS } else { PERCENT_LEVELS };
        if percent && level < levels {
            self.percent(r, p, level, out)?;
        }
        self.unsettled |= (self.refused || percent || r.catalog.derived) && out.len() > outer.2;
        self.refused = outer.1;
        Ok(())
    }

    /// Judges a candidate, unless it stands inside its detector's last match in this text. Inside
    /// one that was refused, a new token may begin behind a space.
    #[inline]
    fn candidate(
        &mut self,
        r: &Ruleset,
        id: u16,
        at: usize,
        p: &Place<'_>,
        outer: usize,
        out: &mut Vec<Finding>,
    ) {
        let last = self.matched[outer..].iter().position(|m| m.detector == id).map(|i| outer + i);
        let inside = last.is_some_and(|i| {
            let m = &self.matched[i];
            at < m.end && (m.found || !p.text[at - 1].is_ascii_whitespace())
        });
        // What is inside a match that is replaced is gone with it, and so is its candidate.
        let gone = |out: &[Finding]| {
            out.iter().rev().take(2).any(|f| {
                let all = f.matched == (f.start, f.end) && !matches!(f.with, With::Mask(_));
                f.start <= at && at < f.end && all
            })
        };
        if inside || self.scratch.budget.is_exceeded() {
            self.scratch.budget.spend(SKIPPED);
            self.refused |= !gone(out);
            return;
        }
        let verdict = r.verdict().candidate(id, at, p, &mut self.scratch);
        let (found, matched) = match verdict {
            Ok(f) => {
                self.unsettled |= r.verdict().may_show_more(&f, p);
                out.push(f);
                self.found(r, p, &f);
                (true, f.matched)
            }
            Err(refusal) => {
                self.refused |= !gone(out);
                (self.refused_by(r, id, p, &refusal), refusal.matched)
            }
        };
        let now = Matched { detector: id, end: matched.1, found };
        match last {
            None => self.matched.push(now),
            Some(i) if found || now.end > self.matched[i].end => self.matched[i] = now,
            Some(_) => {}
        }
    }
}
