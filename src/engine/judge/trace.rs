//! What was decided about each candidate, for `explain`. Nothing of it is kept, or costs more than
//! a test, unless it was asked for.

use crate::engine::decode::Decoding;
use crate::engine::detect::{Finding, Place, Step};
use crate::engine::index::exact::ByteSet;
use crate::engine::index::fingerprint::LEN;
use crate::engine::index::{Gate, Index};
use crate::engine::redact::shape;
use crate::engine::ruleset::Ruleset;

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

/// Notes decisions, if that was asked for.
#[derive(Default)]
pub(crate) struct Recorder {
    /// `None` in production.
    pub(crate) trace: Option<Trace>,
}

impl Recorder {
    /// How many decisions were noted.
    pub(super) fn len(&self) -> usize {
        self.trace.as_ref().map_or(0, |trace| trace.decisions.len())
    }

    /// Forgets what was decided but for the first `decisions`.
    #[cold]
    pub(super) fn back_to(&mut self, decisions: usize) {
        if let Some(t) = &mut self.trace {
            t.decisions.truncate(decisions);
            t.via.clear();
        }
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

    /// Notes that the finding `lost` was refused by `step` after all.
    pub(super) fn lost(&mut self, lost: &Finding, step: Step) {
        let Some(t) = &mut self.trace else { return };
        let is = |d: &&mut Decision| {
            d.detector == lost.detector
                && d.refused.is_none()
                && lost.start <= d.range.0
                && d.range.1 <= lost.end
        };
        if let Some(d) = t.decisions.iter_mut().rev().find(is) {
            d.refused = Some(step);
        }
    }

    /// A text that was decoded is about to be judged.
    pub(super) fn enter(&mut self, decoding: Decoding) -> usize {
        let Some(t) = &mut self.trace else { return 0 };
        t.via.push(decoding);
        t.decisions.len()
    }

    /// It was judged; `back` leads from its places to those of the text that it was decoded from.
    /// `from` is what [`enter`](Self::enter) returned.
    pub(super) fn leave(&mut self, from: usize, back: impl Fn((usize, usize)) -> (usize, usize)) {
        let Some(t) = &mut self.trace else { return };
        t.via.pop();
        self.map(from, back);
    }

    /// `back` leads from the places of decisions from `from` on to those that they have from now on.
    pub(super) fn map(&mut self, from: usize, back: impl Fn((usize, usize)) -> (usize, usize)) {
        let Some(t) = &mut self.trace else { return };
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
}
