//! Events that are judged again, and events that are refused: what they leave.

use std::mem;

use super::LineJudge;
use super::entry::{Entry, content_end, reject};
use crate::engine::fixpoint::Event;
use crate::engine::outcome::{Detail, Output, Payload, Reason};
use crate::engine::path::locate;
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::Stop;

impl LineJudge {
    /// Judges what was redacted to `out.clean[from..]` again if need be; if that is too costly, or
    /// what came of it breaks the schema, the line is not forwarded.
    #[inline(always)]
    pub(super) fn settled(&mut self, e: &Entry<'_>, from: usize, out: &mut Output) -> bool {
        let settled = self.settle(e.r, from, &mut out.clean, true);
        match settled {
            Ok(()) => {}
            Err(stop) if stop.reason.is_violation() => self.spoilt(e, stop, from, out),
            Err(stop) => {
                out.clean.truncate(from);
                reject(*e, stop.reason, 0, Payload::None, out.bodies.len(), out);
            }
        }
        settled.is_ok()
    }

    /// Refuses an event that its redaction, `out.clean[from..]`, made break the schema.
    #[cold]
    fn spoilt(&mut self, e: &Entry<'_>, stop: Stop, from: usize, out: &mut Output) {
        let redacted = out.clean[from..].trim_ascii_end();
        let lead = redacted.len() - redacted.trim_ascii_start().len();
        let pointer = locate::pointer(redacted, stop.at);
        let (body, mut payload) = (out.bodies.len(), Payload::None);
        if e.bodies {
            out.bodies.extend_from_slice(&redacted[lead..]);
            payload = self.redacted_body(e, body, out);
        }
        out.clean.truncate(from);
        reject(*e, stop.reason, 0, payload, body, out);
        if e.bodies || !mem::replace(&mut self.located[stop.reason.index()], true) {
            let pointer = self.redacted(e.r, pointer);
            if let Some(r) = out.rejects.last_mut() {
                (r.pointer, r.detail) = (pointer, Some(Detail::RedactionBreaksSchema));
            }
        }
    }

    /// Judges the redacted event `out[from..]` again if its edits may show something new or break the
    /// schema: see [`Fixpoint::event`].
    #[inline(always)]
    fn settle(
        &mut self,
        r: &Ruleset,
        from: usize,
        out: &mut Vec<u8>,
        obeys: bool,
    ) -> Result<(), Stop> {
        if !(self.judge.is_unsettled() || obeys && self.judge.is_unchecked()) {
            return Ok(());
        }
        let Self { walk, learning, judge, simd, .. } = self;
        let paths = &mut learning.now.paths;
        self.fixpoint.event(&mut Event { r, simd: *simd, walk, paths, judge, obeys }, from, out)
    }

    /// Settles the redacted event `out.bodies[body..]`, and counts what was redacted in it.
    pub(super) fn redacted_body(
        &mut self,
        e: &Entry<'_>,
        body: usize,
        out: &mut Output,
    ) -> Payload {
        if self.settle(e.r, body, &mut out.bodies, false).is_ok() {
            self.count(e, out);
            return Payload::Redacted;
        }
        out.bodies.truncate(body);
        Payload::None
    }

    #[cold]
    pub(super) fn refused(&mut self, e: &Entry<'_>, reason: Reason, at: usize, out: &mut Output) {
        let from = out.bodies.len();
        let payload = if e.bodies {
            self.splice(e, e.line.start, content_end(e), &mut out.bodies);
            self.redacted_body(e, from, out)
        } else {
            Payload::None
        };
        reject(*e, reason, at - e.start, payload, from, out);
        if e.bodies || !mem::replace(&mut self.located[reason.index()], true) {
            let event = &e.line.buf[e.line.start..content_end(e)];
            let pointer = locate::pointer(event, at - e.line.start);
            let schema = e.r.schema.as_ref().filter(|_| reason == Reason::Required);
            let missing = schema.and_then(|s| s.missing(event, &pointer)).unwrap_or_default();
            let pointer = self.redacted(e.r, pointer);
            if let Some(r) = out.rejects.last_mut() {
                (r.pointer, r.missing) = (pointer, missing);
            }
        }
    }

    /// A pointer's keys can be personal data too.
    fn redacted(&mut self, r: &Ruleset, text: String) -> String {
        let judge = &mut self.judge;
        let kept = judge.begin_repeats();
        let bytes = text.as_bytes();
        let mut redacted = Vec::with_capacity(bytes.len());
        if judge.text(r, bytes, (0, bytes.len()), &[]).is_ok() {
            judge.edits().splice(bytes, 0, bytes.len(), &mut redacted);
        }
        judge.end_repeats(kept);
        String::from_utf8_lossy(&redacted).into_owned()
    }
}
