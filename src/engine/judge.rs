//! The judge: sites → findings → edits. It decodes what hides in a string (escapes, JSON inside,
//! percent-encoding), asks the detectors, and brings what they find back to raw bytes.

mod edits;
mod levels;
mod nested;
pub(crate) mod trace;

use super::decode::{self, EscapeError};
use super::detect::{
    Detectors, Finding, Keys, Place, Scratch, Step, With, is_directory, is_placeholder, settle,
};
use super::index::{ESCAPE, Mark, PERCENT, Simd};
use super::outcome::Reason;
use super::path::words::{Name, Words};
use super::path::{Rules, flag};
use super::redact::Edit;
use super::walk::{Kind, Line, Site, Stop, Walk};
use levels::Level;
use nested::Nested;
use trace::{Decision, Trace};

/// Regex work that an event may cost, in bytes looked at for each of its own.
const BUDGET: usize = 24;
/// Decodings inside each other: escapes, JSON, escapes again, percent.
const LEVELS: usize = 4;

/// One worker's judge.
pub(crate) struct Judge {
    simd: Simd,
    scratch: Scratch,
    levels: Vec<Level>,
    /// Absent while it is at work: JSON inside a string is looked into once.
    nested: Option<Box<Nested>>,
    budget: usize,
    findings: Vec<Finding>,
    /// What each detector matched last in the texts under judgement, innermost last.
    matched: Vec<Matched>,
    /// Placeholder keys given so far in the event: container, detector, how many.
    keys: Vec<(u32, u16, u32)>,
    /// The last event's edits, sorted.
    pub(crate) edits: Vec<Edit>,
    /// What takes their places.
    pub(crate) replacements: Vec<u8>,
    /// The detector of each edit.
    pub(crate) detectors: Vec<u16>,
    /// The last event's edits may show something new: see `again`.
    pub(crate) unsettled: bool,
    /// Something in the string under judgement was refused, or not looked at.
    refused: bool,
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
            nested: Some(Box::new(Nested::new(rules, max_depth))),
            budget: 0,
            findings: Vec::new(),
            matched: Vec::new(),
            keys: Vec::new(),
            edits: Vec::new(),
            replacements: Vec::new(),
            detectors: Vec::new(),
            unsettled: false,
            refused: false,
            trace: None,
        }
    }

    fn begin(&mut self, len: usize) {
        self.scratch.cost = 0;
        self.unsettled = false;
        self.budget = BUDGET * len + (64 << 10);
        self.findings.clear();
        self.matched.clear();
        self.keys.clear();
        self.edits.clear();
        self.replacements.clear();
        self.detectors.clear();
    }

    /// Judges the sites that `walk` reported of `line`, and fills `edits`.
    pub(crate) fn event(
        &mut self,
        d: &Detectors,
        line: &Line<'_>,
        walk: &Walk,
    ) -> Result<(), Stop> {
        self.begin(line.end - line.start);
        if walk.sites.is_empty() {
            return Ok(());
        }
        let mut findings = std::mem::take(&mut self.findings);
        let judged = self.sites(d, line.buf, walk, line.marks, None, 0, &mut findings);
        self.settle(d, &mut findings);
        for f in &findings {
            self.edit(d, f, line);
        }
        self.findings = findings;
        judged
    }

    /// Judges `buf[start..end]` as text, and fills `edits`.
    pub(crate) fn text(
        &mut self,
        d: &Detectors,
        buf: &[u8],
        start: usize,
        end: usize,
    ) -> Result<(), Stop> {
        self.begin(end - start);
        let mut level = std::mem::take(&mut self.levels[0]);
        level.open();
        level.text.extend_from_slice(&buf[start..end]);
        level.map.clear();
        let keys = Keys { buf, keys: &[], above: None };
        let judged = self.decoded(d, &mut level, keys, None, 0);
        for o in self.trace.iter_mut().flat_map(|t| &mut t.decisions) {
            o.range = level.back(o.range, start);
        }
        let line = Line { buf, start, end, quotes: &[], marks: &[] };
        for f in &level.findings {
            self.edit(d, &level.map_back(f, start), &line);
        }
        self.levels[0] = level;
        judged.map_err(|reason| Stop { reason, at: start })
    }

    /// Judges every site of one walk; findings are places of `buf`.
    #[expect(clippy::too_many_arguments, reason = "an event, or one inside a string of another")]
    fn sites(
        &mut self,
        d: &Detectors,
        buf: &[u8],
        walk: &Walk,
        marks: &[Mark],
        above: Option<&Keys<'_>>,
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<(), Stop> {
        for (i, site) in walk.sites.iter().enumerate() {
            let (start, end) = (site.start as usize, site.end as usize);
            let own = &walk.keys[site.path.start as usize..site.path.end as usize];
            let place = Place {
                text: buf,
                start,
                end,
                number: site.kind == Kind::Number,
                key_of: (site.kind == Kind::Key).then_some(site.container),
                keys: Keys { buf, keys: own, above },
            };
            let marks = &marks[site.marks.start as usize..site.marks.end as usize];
            let words = &mut self.scratch.words;
            if site.kind != Kind::Key && is_secret(d, buf, &walk.sites, i, words) {
                self.secret(d, &place, marks, out)?;
                continue;
            }
            let before = out.len();
            self.string(d, &place, marks, level, true, out)
                .map_err(|reason| Stop { reason, at: start })?;
            // What a key says is context for others, what a name says tells of the value beside it.
            let tells = site.kind == Kind::Key || site.flags & (flag::NAME | flag::HEADERS) != 0;
            self.unsettled |= tells && out.len() > before;
        }
        Ok(())
    }

    /// A value that a rule by key holds to be secret, whatever it looks like.
    fn secret(
        &mut self,
        d: &Detectors,
        p: &Place<'_>,
        marks: &[Mark],
        out: &mut Vec<Finding>,
    ) -> Result<(), Stop> {
        let value = &p.text[p.start..p.end];
        if marks.iter().any(|m| m.id() == ESCAPE) {
            decode::check_escapes(value).map_err(|e| stop(e, p.start))?;
        }
        let Some(detector) = d.field_detector else { return Ok(()) };
        let key = p.keys.keys.last().map_or(&[][..], |&(s, e)| &p.text[s as usize..e as usize]);
        let refused = if value.is_empty() {
            Some(Step::Shape)
        } else if is_placeholder(value) {
            Some(Step::AllowList)
        } else {
            is_directory(key, value).then_some(Step::Veto)
        };
        self.note(detector, p, (p.start, p.end), refused);
        if refused.is_none() {
            let (start, end) = (p.start, p.end);
            let with = if p.number { With::Null } else { With::Placeholder };
            out.push(Finding { detector, matched: (start, end), start, end, with });
        }
        Ok(())
    }

    /// Judges one string or number; findings are places of `p.text`. `json`: its content is
    /// spelt as JSON spells strings.
    fn string(
        &mut self,
        d: &Detectors,
        p: &Place<'_>,
        marks: &[Mark],
        level: usize,
        json: bool,
        out: &mut Vec<Finding>,
    ) -> Result<(), Reason> {
        if json && marks.iter().any(|m| m.id() == ESCAPE) {
            let content = &p.text[p.start..p.end];
            let nothing = d.plain_escapes
                && marks.iter().all(|m| m.id() == ESCAPE)
                && !opens_json(content)
                && decode::is_simple(content, |b| d.may_start(b), |b| d.slash_may_matter(b));
            return if nothing { Ok(()) } else { self.escaped(d, p, level, out) };
        }
        let outer = (self.matched.len(), std::mem::take(&mut self.refused), out.len());
        let mut percent = false;
        for m in marks {
            match m.id() {
                ESCAPE => {}
                PERCENT => percent = true,
                id => self.candidate(d, id, m.at(), p, outer.0, out),
            }
        }
        self.matched.truncate(outer.0);
        if self.scratch.cost > self.budget {
            return Err(Reason::TooCostly);
        }
        if percent && level < LEVELS {
            self.percent(d, p, level, out)?;
        }
        self.unsettled |= (self.refused || percent) && out.len() > outer.2;
        self.refused = outer.1;
        Ok(())
    }

    /// Judges a candidate, unless it stands inside its detector's last match in this text. Inside
    /// one that was refused, a new token may begin behind a space.
    fn candidate(
        &mut self,
        d: &Detectors,
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
        if inside || self.scratch.cost > self.budget {
            self.refused = true;
            return;
        }
        let verdict = d.verdict(id, at, p, &mut self.scratch);
        let (found, matched) = match verdict {
            Ok(f) => {
                self.unsettled |= d.may_show_more(&f, p);
                out.push(f);
                self.note(id, p, (f.start, f.end), None);
                (true, f.matched)
            }
            Err(r) => {
                self.refused = true;
                self.note(id, p, r.matched, Some(r.step));
                (false, r.matched)
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

/// Whether a raw string's first byte that is no white space, escaped or not, opens JSON.
fn opens_json(content: &[u8]) -> bool {
    let mut rest = content;
    loop {
        match rest {
            [b' ', r @ ..] | [b'\\', b'n' | b'r' | b't', r @ ..] => rest = r,
            _ => return matches!(rest.first(), Some(b'{' | b'[')),
        }
    }
}

/// Whether a rule by key holds the value to be secret: by its path, as the `value` beside a
/// secret's `name`, or behind a secret's name in an array of headers.
fn is_secret(d: &Detectors, buf: &[u8], sites: &[Site], i: usize, words: &mut Words) -> bool {
    let site = &sites[i];
    if site.flags & flag::SECRET != 0 {
        return true;
    }
    if d.field_detector.is_none() {
        return false;
    }
    let mut names = |o: &Site| {
        if o.kind != Kind::String {
            return false;
        }
        let raw = &buf[o.start as usize..o.end as usize];
        if !raw.contains(&b'\\') {
            return d.fields.judge(raw, words) == Name::Secret;
        }
        // A name with escapes is rare enough to be decoded into memory of its own.
        let mut name = Vec::new();
        decode::unescape(raw, &mut name, &mut decode::OffsetMap::default()).is_ok()
            && d.fields.judge(&name, words) == Name::Secret
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

fn stop(e: EscapeError, from: usize) -> Stop {
    match e {
        EscapeError::Invalid(at) => Stop { reason: Reason::Escape, at: from + at },
        EscapeError::LoneSurrogate(at) => Stop { reason: Reason::Surrogate, at: from + at },
    }
}
