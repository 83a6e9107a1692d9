//! Wraps the judged lines again.

use std::ops::Range;

use super::{
    Wrapper, cri, docker,
    open::{Line, Opened, Record, Verdict},
};
use crate::{
    engine::{self, Chunk, Fate, Payload, Run},
    pipeline::{EngineReason, Output, Reason, Reject},
};

/// What happened to a record.
enum End<'a> {
    /// Nothing is forwarded or reported: it is blank, or was reported before.
    Blank,
    Refused(Reason, Option<&'a engine::Reject>),
    /// This is forwarded, for that line of the inner chunk.
    Forwarded(usize, &'a [u8]),
}

/// Wraps lines again.
pub(super) struct Closing<'a> {
    pub(super) chunk: &'a Chunk,
    pub(super) wrapper: Wrapper,
    pub(super) opened: &'a Opened,
    pub(super) judged: &'a engine::Output,
    pub(super) fates: Vec<Fate>,
    pub(super) bodies: bool,
}

impl Closing<'_> {
    pub(super) fn close(&self, out: &mut Output) {
        let Opened { lines, records, .. } = self.opened;
        let starts = self.inner_starts();
        // If any of its wrappers is refused or changed, this applies to the whole record.
        let mut refused = vec![false; records.len()];
        let mut changed = vec![false; records.len()];
        // The reject that reports it, if one does.
        let mut reported: Vec<Option<usize>> = vec![None; records.len()];
        for line in lines {
            let Some(outer) = line.outer else { continue };
            match self.wrapper_of(outer) {
                Some(text) => {
                    changed[line.record] |= text != self.inner_line(&starts, outer).trim_ascii();
                }
                None => refused[line.record] = true,
            }
        }
        for line in lines {
            let record = &records[line.record];
            out.tally.read += 1;
            let first = record.first == line.number;
            let fate = match self.fate(record) {
                End::Forwarded(..) if refused[line.record] => End::Refused(Reason::NoWrapper, None),
                fate => fate,
            };
            match fate {
                End::Blank | End::Refused(..)
                    if !first || matches!(record.verdict, Verdict::Lost) =>
                {
                    out.tally.joined += 1;
                    if let Some(reject) = reported[line.record] {
                        let Range { start, end } = line.range;
                        out.rejects[reject].joined.push(start as u32..end as u32);
                    }
                }
                End::Blank => out.tally.blank += 1,
                End::Refused(reason, reject) => {
                    reported[line.record] = self.reject(line, reason, reject, out);
                }
                End::Forwarded(inner, text) => {
                    let route = route_of(&self.judged.runs, inner);
                    if let Some(counts) = out.tally.of_route(route).filter(|_| first) {
                        counts.forwarded += 1;
                    }
                    let same = !changed[line.record] && text == self.inner_line(&starts, inner);
                    match (same, first) {
                        (true, true) => out.tally.clean += 1,
                        (false, true) => out.tally.redacted += 1,
                        (_, false) => out.tally.joined += 1,
                    }
                    if same {
                        let range = &line.range;
                        out.clean.extend_from_slice(&self.chunk.data()[range.start..=range.end]);
                    } else if first {
                        self.write(line, record.whole, text, out);
                    }
                }
            }
        }
    }

    /// Returns what is forwarded of a record, and the line of the inner chunk; or why nothing is,
    /// unless it is blank.
    fn fate(&self, record: &Record) -> End<'_> {
        match record.verdict {
            Verdict::Lost => End::Blank,
            Verdict::Refused(reason) => End::Refused(reason, None),
            Verdict::Inner(inner) => match &self.fates[inner] {
                Fate::Blank => End::Blank,
                Fate::Rejected(i) => {
                    let reject = &self.judged.rejects[*i];
                    End::Refused(reject.reason.into(), Some(reject))
                }
                Fate::Forwarded(range) => End::Forwarded(inner, &self.judged.clean[range.clone()]),
            },
        }
    }

    fn inner_starts(&self) -> Vec<usize> {
        let ends = memchr::memchr_iter(b'\n', self.opened.inner.data()).map(|at| at + 1);
        std::iter::once(0).chain(ends).collect()
    }

    fn inner_line(&self, starts: &[usize], number: usize) -> &[u8] {
        &self.opened.inner.data()[starts[number]..starts[number + 1] - 1]
    }

    /// Returns a redacted wrapper without its text, or `None` if it is invalid. The schema is about
    /// its content, so violations do not count here.
    fn wrapper_of(&self, outer: usize) -> Option<&[u8]> {
        match &self.fates[outer] {
            Fate::Forwarded(range) => Some(self.judged.clean[range.clone()].trim_ascii()),
            Fate::Rejected(i) => {
                let reject = &self.judged.rejects[*i];
                let redacted =
                    reject.payload == Payload::Redacted && reject.reason.keyword().is_some();
                let redacted = redacted || reject.reason == EngineReason::DuplicateKey;
                redacted.then(|| self.judged.bodies[reject.body.clone()].trim_ascii())
            }
            Fate::Blank => None,
        }
    }

    /// Writes one wrapper, the first one's, around the redacted text.
    fn write(&self, line: &Line, whole: bool, text: &[u8], out: &mut Output) {
        let wrapped = &self.chunk.data()[line.range.clone()];
        let Some(piece) = &line.piece else {
            // A line without a wrapper, among wrapped ones.
            out.clean.extend_from_slice(text);
            return out.clean.push(b'\n');
        };
        if self.wrapper == Wrapper::Cri {
            cri::head(wrapped, piece.start, whole, &mut out.clean);
            out.clean.extend_from_slice(text);
            return out.clean.push(b'\n');
        }
        let redacted = line.outer.and_then(|outer| self.wrapper_of(outer));
        let place = redacted.and_then(docker::piece).map(|p| (p.start, p.end));
        let (wrapper, (start, end)) = match (redacted, place) {
            (Some(redacted), Some(place)) => (redacted, place),
            _ => (wrapped, (piece.start, piece.end)),
        };
        out.clean.extend_from_slice(&wrapper[..start]);
        docker::escape(text, &mut out.clean);
        if whole {
            out.clean.extend_from_slice(b"\\n");
        }
        out.clean.extend_from_slice(&wrapper[end..]);
        out.clean.push(b'\n');
    }

    /// Reports a record that is not forwarded, at the location of its first wrapper, with the
    /// reject that is reported if more than the first of a reason is wanted.
    fn reject(
        &self,
        line: &Line,
        reason: Reason,
        inner: Option<&engine::Reject>,
        out: &mut Output,
    ) -> Option<usize> {
        let route = inner.map_or(0, |reject| reject.route);
        out.tally.reject(route, reason, 1);
        if !self.bodies && out.tally.rejected[reason.index()] > 1 {
            return None;
        }
        let range = &line.range;
        let from = out.bodies.len();
        let mut payload = Payload::None;
        if let Some(inner) = inner.filter(|_| self.bodies) {
            out.bodies.extend_from_slice(&self.judged.bodies[inner.body.clone()]);
            payload = inner.payload;
        }
        let content = self.chunk.data()[range.clone()].strip_suffix(b"\r");
        out.rejects.push(Reject {
            reason,
            line: line.number as u32,
            offset: range.start as u32,
            len: (range.len() - usize::from(content.is_some())) as u32,
            pointer: inner.map(|r| r.pointer.clone()).unwrap_or_default(),
            missing: inner.map(|r| r.missing.clone()).unwrap_or_default(),
            detail: inner.and_then(|r| r.detail),
            at: 0,
            payload,
            body: from..out.bodies.len(),
            joined: Vec::new(),
            route,
        });
        self.bodies.then(|| out.rejects.len() - 1)
    }
}

/// Returns the route of the line with this number.
fn route_of(runs: &[Run], line: usize) -> u16 {
    let after = runs.partition_point(|run| run.first as usize <= line);
    after.checked_sub(1).map_or(0, |run| runs[run].route)
}
