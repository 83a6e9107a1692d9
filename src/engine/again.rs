//! Once more: an event whose edits may show something new is judged again, and again, until nothing
//! is found in it. So redacting what was redacted changes nothing.
//!
//! A placeholder is longer or shorter than what it stands for and ends at a bracket: what did not
//! match beside the raw value may match beside it, and a word may come into a context's reach. The
//! judge knows of each event whether something in it could ([`Judge::unsettled`]); in nearly none.
//!
//! [`Judge::unsettled`]: super::judge::Judge

use std::mem;

use super::Engine;
use super::chunk::{HEAD, TAIL};
use super::index::Index;
use super::outcome::Reason;
use super::plan::Plan;
use super::redact::splice;
use super::walk::{Line, Stop};

/// Nothing that is no attack takes more than three.
const ROUNDS: usize = 12;

/// Scratch space.
#[derive(Default)]
pub(super) struct Again {
    index: Index,
    text: Vec<u8>,
    /// The detectors of the edits that were made.
    detectors: Vec<u16>,
}

impl Engine {
    /// Judges the event `out[from..]` again, which is what the judge's edits made of another, until
    /// nothing is found in it. Adds the detectors of what was found to the judge's. `obeys`: the
    /// event obeys the schema, and must still do so; where it does not, the error says at which of
    /// its bytes, and `out` is the event that far.
    pub(super) fn settle(
        &mut self,
        plan: &Plan,
        from: usize,
        out: &mut Vec<u8>,
        obeys: bool,
    ) -> Result<(), Stop> {
        if !(self.judge.unsettled || obeys && self.judge.unchecked) {
            return Ok(());
        }
        // An explanation still wants the first judgement's decisions and edits.
        let j = &mut self.judge;
        let kept =
            j.trace.take().map(|t| (t, mem::take(&mut j.edits), mem::take(&mut j.replacements)));
        let mut again = mem::take(&mut self.again);
        again.detectors.clear();
        self.judge.again = true;
        let settled = self.rounds(plan, &mut again, from, out, obeys);
        let j = &mut self.judge;
        j.again = false;
        mem::swap(&mut j.detectors, &mut again.detectors);
        if let Some((trace, edits, replacements)) = kept {
            (j.trace, j.edits, j.replacements) = (Some(trace), edits, replacements);
        }
        self.again = again;
        settled
    }

    /// The same of the text line `out[from..]`.
    pub(super) fn settle_text(
        &mut self,
        plan: &Plan,
        from: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        if !self.judge.unsettled {
            return Ok(());
        }
        let mut detectors = mem::take(&mut self.judge.detectors);
        self.judge.again = true;
        let settled = self.text_rounds(plan, &mut detectors, from, out);
        self.judge.again = false;
        self.judge.detectors = detectors;
        settled
    }

    #[cold]
    fn text_rounds(
        &mut self,
        plan: &Plan,
        detectors: &mut Vec<u16>,
        from: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        let mut text = Vec::new();
        let row = &plan.ruleset.precedence.message;
        for _ in 0..ROUNDS {
            text.clear();
            text.extend_from_slice(&out[from..]);
            let end = text.trim_ascii_end().len();
            self.judge.text(&plan.ruleset, &text, (0, end), row).map_err(|s| s.reason)?;
            let j = &self.judge;
            if j.dropped.is_some() {
                return Err(Reason::Rule);
            }
            if j.edits.is_empty() {
                return Ok(());
            }
            detectors.extend_from_slice(&j.detectors);
            out.truncate(from);
            splice::splice(&text, 0, text.len(), &j.edits, &j.replacements, out);
        }
        Err(Reason::TooCostly)
    }

    #[cold]
    fn rounds(
        &mut self,
        plan: &Plan,
        again: &mut Again,
        from: usize,
        out: &mut Vec<u8>,
        obeys: bool,
    ) -> Result<(), Stop> {
        let stop = |reason| Stop { reason, at: 0 };
        for _ in 0..ROUNDS {
            again.detectors.extend_from_slice(&self.judge.detectors);
            let Again { index, text, .. } = again;
            text.clear();
            text.resize(HEAD, b'\n');
            text.extend_from_slice(&out[from..]);
            let newline = text.pop_if(|b| *b == b'\n').is_some();
            let end = text.len();
            text.resize(end + TAIL, b'\n');
            index.scan(plan.simd, text, HEAD, end, &plan.ruleset.catalog.gates, false);
            let start = end - text[HEAD..end].trim_ascii_start().len();
            let line = Line { buf: text, start, end, quotes: index.quotes(), marks: &index.marks };
            self.walk.event(&line, &mut self.paths).map_err(|s| stop(s.reason))?;
            if let Some(violation) = self.walk.violation.filter(|_| obeys) {
                return Err(Stop { reason: violation.reason, at: violation.at - HEAD });
            }
            if !self.judge.unsettled {
                return Ok(());
            }
            self.judge.event(&plan.ruleset, &line, &self.walk).map_err(|s| stop(s.reason))?;
            let j = &self.judge;
            if j.dropped.is_some() {
                return Err(stop(Reason::Rule));
            }
            if j.edits.is_empty() {
                return Ok(());
            }
            out.truncate(from);
            let to = end + usize::from(newline);
            splice::splice(text, HEAD, to, &j.edits, &j.replacements, out);
            if !(j.unsettled || obeys && j.unchecked) {
                again.detectors.extend_from_slice(&j.detectors);
                return Ok(());
            }
        }
        Err(stop(Reason::TooCostly))
    }
}

#[cfg(test)]
mod tests;
