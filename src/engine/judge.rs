//! The judge: sites → findings → edits. It decodes what hides in a string (escapes, JSON inside,
//! percent-encoding), asks the detectors, and brings what they find back to raw bytes.

mod levels;
mod nested;

use std::ops::Range;

use super::decode::{self, EscapeError};
use super::detect::{
    Detectors, Finding, Keys, Place, Scratch, Step, With, is_placeholder, settle,
};
use super::index::{ESCAPE, Mark, PERCENT, Simd};
use super::outcome::Reason;
use super::path::{Rules, flag};
use super::redact::Edit;
use super::walk::{Kind, Line, Site, Stop, Walk};
use levels::Level;
use nested::Nested;

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
    /// Placeholder keys given so far in the event: container, detector, how many.
    keys: Vec<(u32, u16, u32)>,
    /// The last event's edits, sorted.
    pub(crate) edits: Vec<Edit>,
    /// What takes their places.
    pub(crate) replacements: Vec<u8>,
    /// The detector of each edit.
    pub(crate) detectors: Vec<u16>,
    /// What was decided, for `explain`; `None` in production.
    pub(crate) trace: Option<Vec<Decision>>,
}

/// A candidate and what was decided.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) detector: u16,
    /// In the text that was judged: raw, or decoded.
    pub(crate) range: Range<usize>,
    /// Where in the event the site stands.
    pub(crate) site: usize,
    /// The step that refused it; `None`: a finding.
    pub(crate) refused: Option<Step>,
    /// How deep in decodings.
    pub(crate) level: usize,
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
            keys: Vec::new(),
            edits: Vec::new(),
            replacements: Vec::new(),
            detectors: Vec::new(),
            trace: None,
        }
    }

    fn begin(&mut self, len: usize) {
        self.scratch.cost = 0;
        self.budget = BUDGET * len + (64 << 10);
        self.findings.clear();
        self.keys.clear();
        self.edits.clear();
        self.replacements.clear();
        self.detectors.clear();
    }

    /// Judges the sites that `walk` reported of `line`, and fills `edits`.
    pub(crate) fn event(&mut self, d: &Detectors, line: &Line<'_>, walk: &Walk) -> Result<(), Stop> {
        self.begin(line.end - line.start);
        if walk.sites.is_empty() {
            return Ok(());
        }
        let mut findings = std::mem::take(&mut self.findings);
        let judged = self.sites(d, line.buf, walk, line.marks, None, 0, &mut findings);
        settle(&mut findings, d, |_, _| {});
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
            if site.kind != Kind::Key && is_secret(d, buf, &walk.sites, i) {
                self.secret(d, buf, site, marks, out)?;
                continue;
            }
            let from = out.len();
            self.string(d, &place, marks, level, true, out)
                .map_err(|reason| Stop { reason, at: start })?;
            if out.len() > from + 1 && from == 0 {
                self.settle(d, out, start, level);
            }
        }
        Ok(())
    }

    /// A value that a rule by key holds to be secret, whatever it looks like.
    fn secret(
        &mut self,
        d: &Detectors,
        buf: &[u8],
        site: &Site,
        marks: &[Mark],
        out: &mut Vec<Finding>,
    ) -> Result<(), Stop> {
        let (start, end) = (site.start as usize, site.end as usize);
        let value = &buf[start..end];
        if marks.iter().any(|m| m.id() == ESCAPE) {
            decode::check_escapes(value).map_err(|e| stop(e, start))?;
        }
        let Some(detector) = d.field_detector else { return Ok(()) };
        let refused = (value.is_empty() || is_placeholder(value)).then_some(Step::AllowList);
        if let Some(t) = &mut self.trace {
            t.push(Decision { detector, range: start..end, site: start, refused, level: 0 });
        }
        if refused.is_none() {
            let with = if site.kind == Kind::Number { With::Null } else { With::Placeholder };
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
            return self.escaped(d, p, level, out);
        }
        let mut percent = false;
        for m in marks {
            match m.id() {
                ESCAPE => {}
                PERCENT => percent = true,
                id => self.candidate(d, id, m.at(), p, level, out),
            }
        }
        if self.scratch.cost > self.budget {
            return Err(Reason::TooCostly);
        }
        if percent && level < LEVELS {
            self.percent(d, p, level, out)?;
        }
        Ok(())
    }

    fn candidate(
        &mut self,
        d: &Detectors,
        id: u16,
        at: usize,
        p: &Place<'_>,
        level: usize,
        out: &mut Vec<Finding>,
    ) {
        let within_last =
            out.iter().rev().take(4).any(|f| f.detector == id && f.matched.0 <= at && at < f.matched.1);
        if within_last || self.scratch.cost > self.budget {
            return;
        }
        let verdict = d.verdict(id, at, p, &mut self.scratch);
        if let Some(t) = &mut self.trace {
            let range = verdict.map_or(at..at + 1, |f| f.start..f.end);
            let refused = verdict.err();
            t.push(Decision { detector: id, range, site: p.start, refused, level });
        }
        out.extend(verdict.ok());
    }

    fn settle(&mut self, d: &Detectors, findings: &mut Vec<Finding>, site: usize, level: usize) {
        let trace = &mut self.trace;
        settle(findings, d, |f, step| {
            if let Some(t) = trace {
                t.retain(|o| o.refused.is_some() || o.detector != f.detector || o.level != level
                    || o.site != site || o.range != (f.start..f.end));
                t.push(Decision {
                    detector: f.detector,
                    range: f.start..f.end,
                    site,
                    refused: Some(step),
                    level,
                });
            }
        });
    }

    /// Turns a finding in raw bytes into an edit.
    fn edit(&mut self, d: &Detectors, f: &Finding, line: &Line<'_>) {
        let from = self.replacements.len() as u32;
        let placeholder = &d.list[usize::from(f.detector)].placeholder;
        match f.with {
            With::Null => self.replacements.extend_from_slice(b"null"),
            With::Placeholder => self.replacements.extend_from_slice(placeholder.as_bytes()),
            With::Truncated(a) => a.append(&mut self.replacements),
            With::Key(container) => {
                let n = self.key_number(container, f.detector, placeholder, line);
                let bare = &placeholder.as_bytes()[..placeholder.len() - 1];
                self.replacements.extend_from_slice(bare);
                if n > 1 {
                    self.replacements.extend_from_slice(format!("#{n}").as_bytes());
                }
                self.replacements.push(b']');
            }
        }
        let with = (from, self.replacements.len() as u32);
        self.edits.push(Edit { start: f.start, end: f.end, with });
        self.detectors.push(f.detector);
    }

    /// The number of a placeholder key: unique among those of its object.
    fn key_number(&mut self, container: u32, id: u16, placeholder: &str, line: &Line<'_>) -> u32 {
        if let Some(k) = self.keys.iter_mut().find(|k| k.0 == container && k.1 == id) {
            k.2 += 1;
            return k.2;
        }
        // An event that went through Tamis before may have such keys already: begin behind them.
        let event = &line.buf[line.start..line.end];
        let bare = &placeholder.as_bytes()[..placeholder.len() - 1];
        let taken = memchr::memmem::find_iter(event, bare)
            .map(|at| {
                let rest = &event[at + bare.len()..];
                let digits = rest.strip_prefix(b"#").unwrap_or(&[]);
                let len = digits.iter().take_while(|b| b.is_ascii_digit()).count().min(9);
                std::str::from_utf8(&digits[..len]).ok().and_then(|n| n.parse().ok()).unwrap_or(1)
            })
            .max()
            .unwrap_or(0);
        let n: u32 = taken + 1;
        self.keys.push((container, id, n));
        n
    }
}

/// Whether a rule by key holds the value to be secret: by its path, as the `value` beside a
/// secret's `name`, or behind a secret's name in an array of headers.
fn is_secret(d: &Detectors, buf: &[u8], sites: &[Site], i: usize) -> bool {
    let site = &sites[i];
    if site.flags & flag::SECRET != 0 {
        return true;
    }
    if d.field_detector.is_none() {
        return false;
    }
    let names = |o: &Site| {
        o.kind == Kind::String && d.fields.has(&buf[o.start as usize..o.end as usize])
    };
    if site.flags & flag::VALUE != 0 {
        let near = i.saturating_sub(8)..(i + 9).min(sites.len());
        return sites[near].iter().any(|o| {
            o.container == site.container && o.flags & flag::NAME != 0 && names(o)
        });
    }
    site.flags & flag::HEADERS != 0
        && i > 0
        && sites[i - 1].container == site.container
        && names(&sites[i - 1])
}

fn stop(e: EscapeError, from: usize) -> Stop {
    match e {
        EscapeError::Invalid(at) => Stop { reason: Reason::Escape, at: from + at },
        EscapeError::LoneSurrogate(at) => Stop { reason: Reason::Surrogate, at: from + at },
    }
}
