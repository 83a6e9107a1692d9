//! Why an event became what it became: every candidate, where it stands, and what decided.
//!
//! The engine itself judges the event, with its trace on; nothing here decides.

use std::ops::Range;
use std::sync::Arc;

use super::chunk::{Chunk, HEAD};
pub use super::decode::Decoding;
use super::detect::Step;
use super::judge::Judge;
pub use super::judge::trace::Kind;
use super::judge::trace::{Decision, Trace};
use super::outcome::{Detail, Output, Reason};
use super::path::locate;
use super::router::Way;
use super::ruleset::Ruleset;
use super::{Engine, Plan, event_start};

/// What became of one event or text line, and why.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What it came to.
    pub outcome: Outcome,
    /// What is forwarded, without its line end. For a refused event, what its dead letter holds
    /// (if [`Settings::bodies`](super::Settings::bodies) is set).
    pub line: Vec<u8>,
    /// The name of the route that it took, if there are any.
    pub route: Option<Arc<str>>,
    /// Every candidate, in the order of the event.
    pub candidates: Vec<Candidate>,
    /// Detectors whose gate opened somewhere, but of whose shapes none stood there
    /// ([`Step::Shape`]).
    pub unshaped: Vec<String>,
    /// Detectors whose gate never opened ([`Step::Gate`]).
    pub unopened: Vec<String>,
}

/// What an event came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing in it is redacted: it leaves byte for byte.
    Clean,
    /// It leaves redacted.
    Redacted,
    /// A text line, which leaves as the message of an event.
    Wrapped,
    /// An empty line: skipped.
    Blank,
    /// It is not forwarded.
    Rejected {
        /// Why. [`Reason::is_violation`] tells what a schema refused from what is malformed.
        reason: Reason,
        /// The value that a schema refused, as a JSON pointer, itself redacted; else empty.
        pointer: String,
        /// Where the parser stopped, in bytes from the start of the line.
        at: usize,
        /// The first field that the schema requires and the object at `pointer` lacks; else empty.
        missing: String,
        /// What is known beyond the reason.
        detail: Option<Detail>,
    },
}

/// A place that some detector's shape, or a rule by key, pointed at. It never holds the raw value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// JSON pointer (RFC 6901) to the value or the key, itself redacted; empty in a text line.
    pub pointer: String,
    /// What it stands in.
    pub kind: Kind,
    /// The bytes of the line: of what is replaced, or of what was looked at.
    pub range: Range<usize>,
    /// How they were spelt, from the line inward; empty: as they stand.
    pub decoded: Vec<Decoding>,
    /// The detector's id.
    pub detector: String,
    /// The step that refused it; `None`: a finding.
    pub refused: Option<Step>,
    /// The entry of the allow-list, or the rule, that decided, as reports call it.
    pub by: Option<String>,
    /// What takes its place, if it is a finding.
    pub becomes: Option<String>,
    /// What was looked at, decoded: letters as `x`, digits as `0`.
    pub shape: String,
}

/// Judges one event or text line, and says of every candidate which step decided about it.
///
/// What stands behind the first newline of `line` is ignored.
pub fn explain(plan: &Arc<Plan>, line: &[u8]) -> Explanation {
    explain_from(plan, &plan.way(|_| false), line)
}

/// The same for a line of a source that goes this way.
pub fn explain_from(plan: &Arc<Plan>, way: &Way, line: &[u8]) -> Explanation {
    let line = line.split(|&b| b == b'\n').next().unwrap_or_default();
    let chunk = Chunk::from_bytes(&[line, b"\n"].concat());
    let (traced, engine, out) = traced(plan, way, &chunk);
    let r = &plan.rulesets[usize::from(engine.lines.learning.now.ruleset)];
    let (buf, _) = chunk.padded();
    let names = |is: &dyn Fn(usize) -> bool| {
        let detectors = r.catalog.list[..r.catalog.declared].iter().enumerate();
        detectors
            .filter(|(i, _)| r.enables(*i as u16) && is(*i))
            .map(|(_, d)| d.id.clone())
            .collect()
    };
    let tried = |i: usize| traced.decisions.iter().any(|d| usize::from(d.detector) == i);
    let unshaped = names(&|i| !tried(i) && traced.opened[i]);
    let unopened = names(&|i| !tried(i) && !traced.opened[i]);
    let outcome = outcome(&out);
    let mut report = Report {
        plan,
        r,
        line: &buf[HEAD..HEAD + line.len()],
        judge: engine.lines.judge,
        of_pointers: Judge::new(plan.simd, r, plan.settings().limits.max_depth),
    };
    let mut candidates: Vec<_> = traced.decisions.iter().map(|d| report.candidate(d)).collect();
    candidates.sort_by_key(|c| (c.range.start, c.range.end));
    candidates.dedup();
    let mut line = out.clean;
    if let Some(reject) = out.rejects.first() {
        line = out.bodies[reject.body.clone()].to_vec();
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    let took = out.runs.first().map(|run| usize::from(run.route));
    let route = took.map(|route| Arc::clone(&out.routes[route].name));
    Explanation { outcome, line, route, candidates, unshaped, unopened }
}

/// Runs the engine on a chunk of one line with its trace on.
pub(crate) fn traced(plan: &Arc<Plan>, way: &Way, chunk: &Chunk) -> (Trace, Engine, Output) {
    let mut engine = Engine::new(Arc::clone(plan));
    engine.set_sources([way]);
    engine.lines.judge.recorder().trace = Some(Trace::default());
    let mut out = Output::default();
    engine.process(chunk, &mut out);
    let mut trace = engine.lines.judge.recorder().trace.take().unwrap_or_default();
    trace.open(&plan.rulesets[0], &engine.index, chunk.padded().0);
    (trace, engine, out)
}

fn outcome(out: &Output) -> Outcome {
    match out.rejects.first() {
        Some(r) => {
            let (pointer, missing) = (r.pointer.clone(), r.missing.clone());
            let (at, detail) = (r.at as usize, r.detail);
            Outcome::Rejected { reason: r.reason, pointer, at, missing, detail }
        }
        None if out.tally.wrapped > 0 => Outcome::Wrapped,
        None if out.tally.redacted > 0 => Outcome::Redacted,
        None if out.tally.clean > 0 => Outcome::Clean,
        None => Outcome::Blank,
    }
}

/// The judge still holds the edits that it made.
struct Report<'a> {
    plan: &'a Plan,
    r: &'a Ruleset,
    line: &'a [u8],
    judge: Judge,
    /// Keys can be personal data too.
    of_pointers: Judge,
}

impl Report<'_> {
    fn candidate(&mut self, d: &Decision) -> Candidate {
        let text =
            self.line.trim_ascii_start().first() != Some(&b'{') && event_start(self.line).is_none();
        let range = d.range.0 - HEAD..d.range.1 - HEAD;
        let becomes = match d.refused {
            None => self.becomes(d.range),
            Some(_) => None,
        };
        Candidate {
            pointer: if text { String::new() } else { self.pointer(range.start) },
            kind: if text && d.via.is_empty() { Kind::Text } else { d.kind },
            range,
            decoded: d.via.clone(),
            detector: self.r.catalog.list[usize::from(d.detector)].id.clone(),
            refused: d.refused,
            by: self.plan.policy().nth(d.by.into()).map(str::to_owned),
            becomes,
            shape: String::from_utf8_lossy(&d.shape).into_owned(),
        }
    }

    fn becomes(&self, (from, to): (usize, usize)) -> Option<String> {
        let edits = self.judge.edits();
        // An edit may leave the ends of what it masks.
        let edit = edits.list.iter().find(|e| e.start < to.max(from + 1) && from < e.end)?;
        Some(String::from_utf8_lossy(edits.replacement(edit)).into_owned())
    }

    fn pointer(&mut self, at: usize) -> String {
        let pointer = locate::pointer(self.line, at);
        let bytes = pointer.as_bytes();
        let j = &mut self.of_pointers;
        if j.text(self.r, bytes, (0, bytes.len()), &[]).is_err() {
            return String::new();
        }
        let mut redacted = Vec::with_capacity(bytes.len());
        j.edits().splice(bytes, 0, bytes.len(), &mut redacted);
        String::from_utf8_lossy(&redacted).into_owned()
    }
}

#[cfg(test)]
mod tests;
