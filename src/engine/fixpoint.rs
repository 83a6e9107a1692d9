//! The fixpoint: an event whose edits may show something new is judged again until nothing is found in
//! it. So redacting what was redacted changes nothing.
//!
//! A placeholder is longer or shorter than what it stands for and ends at a bracket: what did not
//! match next to the raw value may match next to it, and a word may come into a context's reach. The
//! judge knows of each event whether something in it could ([`Judge::is_unsettled`]); in nearly none.

use std::mem;

use super::chunk::{HEAD, TAIL};
use super::index::{Index, Simd};
use super::judge::Judge;
use super::memory;
use super::outcome::Reason;
use super::path::Paths;
use super::ruleset::Ruleset;
use super::walk::{Line, Stop, Walk};

/// Nothing that is no attack takes more than three.
const ROUNDS: usize = 12;

/// Scratch space.
#[derive(Default)]
pub(super) struct Fixpoint {
    index: Index,
    text: Vec<u8>,
    /// The detectors of the edits that were made.
    detectors: Vec<u16>,
}

/// What judges an event.
pub(super) struct Event<'a> {
    pub(super) r: &'a Ruleset,
    pub(super) simd: Simd,
    pub(super) walk: &'a mut Walk,
    pub(super) paths: &'a mut Paths,
    pub(super) judge: &'a mut Judge,
    /// The event conforms to the schema, and must still do so.
    pub(super) obeys: bool,
}

impl Fixpoint {
    /// The bytes of memory that it holds.
    pub(super) fn memory(&self) -> usize {
        self.index.memory() + memory::of(&self.text) + memory::of(&self.detectors)
    }

    /// Judges the event `out[from..]` again, which is what the judge's edits made of another, until
    /// nothing is found in it. Adds the detectors of what was found to the judge's. If the event must
    /// conform to the schema and does not, the error says at which of its bytes, and `out` is the
    /// event so far.
    #[cold]
    pub(super) fn event(
        &mut self,
        e: &mut Event<'_>,
        from: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        self.detectors.clear();
        let kept = e.judge.begin_repeats();
        let settled = self.rounds(e, from, out);
        e.judge.end_repeats(kept);
        mem::swap(e.judge.detectors(), &mut self.detectors);
        settled
    }

    fn rounds(&mut self, e: &mut Event<'_>, from: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        let Event { r, simd, walk, paths, judge, obeys } = e;
        let Self { index, text, detectors } = self;
        let stop = |reason| Stop { reason, at: 0 };
        for _ in 0..ROUNDS {
            detectors.extend_from_slice(judge.detectors());
            text.clear();
            text.resize(HEAD, b'\n');
            text.extend_from_slice(&out[from..]);
            let newline = text.pop_if(|b| *b == b'\n').is_some();
            let end = text.len();
            text.resize(end + TAIL, b'\n');
            index.scan(*simd, text, HEAD, end, &r.catalog.gates, false);
            let start = end - text[HEAD..end].trim_ascii_start().len();
            let line = Line { buf: text, start, end, quotes: index.quotes(), marks: &index.marks };
            walk.event(&line, paths).map_err(|s| stop(s.reason))?;
            if let Some(violation) = walk.violation.filter(|_| *obeys) {
                return Err(Stop { reason: violation.reason, at: violation.at - HEAD });
            }
            if !judge.is_unsettled() {
                return Ok(());
            }
            judge.event(r, &line, walk).map_err(|s| stop(s.reason))?;
            if judge.counts().dropped.is_some() {
                return Err(stop(Reason::Rule));
            }
            if judge.edits().is_empty() {
                return Ok(());
            }
            out.truncate(from);
            let to = end + usize::from(newline);
            judge.edits().splice(text, HEAD, to, out);
            if !(judge.is_unsettled() || *obeys && judge.is_unchecked()) {
                detectors.extend_from_slice(judge.detectors());
                return Ok(());
            }
        }
        Err(stop(Reason::TooCostly))
    }
}

/// Judges the text line `out[from..]` again, like an event.
pub(super) fn text(
    r: &Ruleset,
    judge: &mut Judge,
    from: usize,
    out: &mut Vec<u8>,
) -> Result<(), Reason> {
    if !judge.is_unsettled() {
        return Ok(());
    }
    let mut detectors = mem::take(judge.detectors());
    let kept = judge.begin_repeats();
    let settled = text_rounds(r, judge, &mut detectors, from, out);
    judge.end_repeats(kept);
    *judge.detectors() = detectors;
    settled
}

#[cold]
fn text_rounds(
    r: &Ruleset,
    judge: &mut Judge,
    detectors: &mut Vec<u16>,
    from: usize,
    out: &mut Vec<u8>,
) -> Result<(), Reason> {
    let mut text = Vec::new();
    let row = &r.precedence.message;
    for _ in 0..ROUNDS {
        text.clear();
        text.extend_from_slice(&out[from..]);
        let end = text.trim_ascii_end().len();
        judge.text(r, &text, (0, end), row).map_err(|s| s.reason)?;
        if judge.counts().dropped.is_some() {
            return Err(Reason::Rule);
        }
        if judge.edits().is_empty() {
            return Ok(());
        }
        detectors.extend_from_slice(judge.detectors());
        out.truncate(from);
        judge.edits().splice(&text, 0, text.len(), out);
    }
    Err(Reason::TooCostly)
}

#[cfg(test)]
mod tests;
