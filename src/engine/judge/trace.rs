//! What was decided about each candidate, for `explain`. Nothing of it is kept, or costs more than
//! a test, unless it was asked for.

use super::Judge;
use crate::engine::detect::{Finding, Place, Step};
use crate::engine::index::exact::ByteSet;
use crate::engine::index::fingerprint::LEN;
use crate::engine::index::{Gate, Index};
use crate::engine::redact::shape;
use crate::engine::ruleset::Ruleset;

/// How a text was spelt before it was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decoding {
    /// JSON's escapes, `\u0040`.
    Escapes,
    /// JSON inside a string.
    Json,
    /// Percent-encoding, `%40`.
    Percent,
    /// A number that is no plain integer, `-1.2e9`.
    Number,
}

/// What a candidate stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A string.
    String,
    /// An object's key.
    Key,
    /// A bare number.
    Number,
    /// A text line.
    Text,
}

/// A candidate and what was decided.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) detector: u16,
    /// What is replaced, or what was looked at. A place of the text that was judged; once its
    /// decodings have been left, of the line.
    pub(crate) range: (usize, usize),
    pub(crate) kind: Kind,
    /// The step that refused it; `None`: a finding.
    pub(crate) refused: Option<Step>,
    /// The entry or the rule of the policy that decided.
    pub(crate) by: u16,
    /// From the line inward.
    pub(crate) via: Vec<Decoding>,
    /// The bytes of `range` as they were judged, letters as `x` and digits as `0`.
    pub(crate) shape: Vec<u8>,
}

/// Everything that was decided about an event.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) decisions: Vec<Decision>,
    /// Whether a gate opened, by detector.
    pub(crate) opened: Vec<bool>,
    via: Vec<Decoding>,
}

/// The most bytes that are shown of what did not match.
const SHOWN: usize = 24;

impl Trace {
    /// Notes the gates that opened in `buf`.
    pub(crate) fn open(&mut self, r: &Ruleset, index: &Index, buf: &[u8]) {
        self.opened.resize(r.catalog.list.len(), false);
        for (at, gate) in index.hits(buf) {
            for (id, gates) in r.catalog.gates_of.iter().enumerate() {
                self.opened[id] |= gate != Gate::Literal && gates.contains(&gate);
            }
            if gate == Gate::Literal {
                let has =
                    |head: &[ByteSet; LEN]| head.iter().zip(&buf[at..]).all(|(s, &b)| s.has(b));
                for (id, _) in r.catalog.heads.iter().filter(|h| has(&h.1)) {
                    self.opened[usize::from(*id)] = true;
                }
            }
        }
    }
}

impl Trace {
    /// Forgets what was decided but for the first `decisions`.
    pub(crate) fn back_to(&mut self, decisions: usize) {
        self.decisions.truncate(decisions);
        self.via.clear();
    }
}

impl Judge {
    /// How many decisions were noted.
    pub(super) fn decisions(&self) -> usize {
        self.trace.as_ref().map_or(0, |trace| trace.decisions.len())
    }

    /// Notes a decision about the bytes `range` of `p.text`.
    #[inline]
    pub(super) fn note(
        &mut self,
        detector: u16,
        p: &Place<'_>,
        range: (usize, usize),
        refused: Option<Step>,
        by: u16,
    ) {
        let Some(t) = &mut self.trace else { return };
        let (from, mut to) = range;
        if to == from + 1 {
            to = p.end.min(from + SHOWN);
        }
        let kind = match p.key_of {
            Some(_) => Kind::Key,
            None if p.number => Kind::Number,
            None => Kind::String,
        };
        let mut seen = Vec::new();
        shape::append(&p.text[from..to], &mut seen);
        let via = t.via.clone();
        t.decisions.push(Decision {
            detector,
            range: (from, to),
            kind,
            refused,
            by,
            via,
            shape: seen,
        });
    }

    /// A text that was decoded is about to be judged.
    pub(super) fn enter(&mut self, decoding: Decoding) -> usize {
        let Some(t) = &mut self.trace else { return 0 };
        t.via.push(decoding);
        t.decisions.len()
    }

    /// It was judged; `back` leads from its places to those of the text that it was decoded from.
    /// `from` is what [`enter`](Self::enter) said.
    pub(super) fn leave(&mut self, from: usize, back: impl Fn((usize, usize)) -> (usize, usize)) {
        let Some(t) = &mut self.trace else { return };
        t.via.pop();
        for d in &mut t.decisions[from..] {
            d.range = back(d.range);
        }
    }

    /// It turned out not to be what it was judged as.
    pub(super) fn abandon(&mut self, from: usize) {
        let Some(t) = &mut self.trace else { return };
        t.via.pop();
        t.decisions.truncate(from);
    }

    /// Notes the gates that opened in a decoded text.
    pub(super) fn opened(&mut self, r: &Ruleset, index: &Index, buf: &[u8]) {
        if let Some(t) = &mut self.trace {
            t.open(r, index, buf);
        }
    }

    /// Settles findings of `text` that overlap.
    pub(super) fn settle(&mut self, r: &Ruleset, text: &[u8], findings: &mut Vec<Finding>) {
        let Self { trace, unsettled, scratch, .. } = self;
        let widened = |f: &mut Finding| {
            if let Some(key) = scratch.pseudonyms.key(f.pseudonym) {
                f.pseudonym = r.verdict().pseudonym(key, &text[f.start..f.end], scratch);
            }
        };
        let lost = |lost: &Finding, step| {
            *unsettled = true;
            let Some(t) = trace else { return };
            let is = |o: &&mut super::Decision| {
                o.detector == lost.detector
                    && o.refused.is_none()
                    && lost.start <= o.range.0
                    && o.range.1 <= lost.end
            };
            if let Some(o) = t.decisions.iter_mut().rev().find(is) {
                o.refused = Some(step);
            }
        };
        super::settle(findings, &r.catalog, lost, widened);
    }
}
