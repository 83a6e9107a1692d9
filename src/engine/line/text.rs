//! Lines that are no JSON.

use super::LineJudge;
use super::entry::{Entry, reject, shape};
use crate::engine::decode;
use crate::engine::fixpoint;
use crate::engine::outcome::{Output, Payload, Reason};
use crate::engine::plan::{Plan, TextPolicy};
use crate::engine::redact::Edits;

/// Judges a text line.
pub(super) fn text_line(
    j: &mut LineJudge,
    plan: &Plan,
    e: &Entry<'_>,
    length: usize,
    out: &mut Output,
) {
    let (buf, from) = (e.line.buf, out.bodies.len());
    let (start, end) = (e.start, e.start + length);
    let text = &buf[start..end];
    let of_key = j.key_block.pass(text);
    if looks_like_utf16(text) || simdutf8::basic::from_utf8(text).is_err() {
        let reason = if looks_like_utf16(text) { Reason::Utf16 } else { Reason::Utf8 };
        let payload = shape(e, out);
        return reject(*e, reason, 0, payload, from, out);
    }
    // It leaves as the value of `message`, and what holds there holds for it.
    let row = &e.r.precedence.message;
    let judged = match of_key.zip(e.r.catalog.keys.filter(|id| e.r.enables(*id))) {
        Some((of_key, detector)) => {
            let body = (start + of_key.start, start + of_key.end);
            j.judge.whole_text(e.r, buf, body, row, detector);
            Ok(())
        }
        None => j.judge.text(e.r, buf, (start, end), row),
    };
    if let Err(stop) = judged {
        return reject(*e, stop.reason, 0, Payload::None, from, out);
    }
    let counts = j.judge.counts();
    if counts.observed() > 0 {
        counts.observe();
    }
    if counts.dropped.is_some() {
        return drop_text(j, e, (start, end), out);
    }
    let settings = plan.settings();
    let refused = match (&e.r.schema, settings.text) {
        (Some(_), _) => Some(Reason::NotJson),
        (None, TextPolicy::Reject) => Some(Reason::Text),
        (None, TextPolicy::Wrap | TextPolicy::Keep) => None,
    };
    if let Some(reason) = refused {
        let mut payload = Payload::None;
        if settings.bodies {
            j.splice(e, start, end, &mut out.bodies);
            j.count(e, out);
            payload = Payload::Redacted;
        }
        return reject(*e, reason, 0, payload, from, out);
    }
    let from = out.clean.len();
    if settings.text == TextPolicy::Keep {
        j.splice(e, start, e.line.end + 1, &mut out.clean);
        return kept(j, e, from, out);
    }
    wrap(j.judge.edits(), buf, (start, end), &mut out.clean);
    out.clean.push(b'\n');
    if j.settled(e, from, out) {
        out.tally.wrapped += 1;
        j.count(e, out);
    }
}

/// A text line as an event, with the judge's edits made.
fn wrap(edits: &Edits, buf: &[u8], (start, end): (usize, usize), out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"message\":\"");
    let mut at = start;
    for edit in &edits.list {
        decode::escape_into(&buf[at..edit.start], out);
        decode::escape_into(edits.replacement(edit), out);
        at = edit.end;
    }
    decode::escape_into(&buf[at..end], out);
    out.extend_from_slice(b"\"}");
}

/// A text line that a rule drops; its dead letter holds it as the event that it would leave as.
#[cold]
fn drop_text(j: &mut LineJudge, e: &Entry<'_>, text: (usize, usize), out: &mut Output) {
    let (from, mut payload) = (out.bodies.len(), Payload::None);
    if e.bodies {
        wrap(j.judge.edits(), e.line.buf, text, &mut out.bodies);
        payload = j.redacted_body(e, from, out);
    }
    reject(*e, Reason::Rule, 0, payload, from, out);
}

/// Counts the text line that was kept in `out.clean[from..]`.
fn kept(j: &mut LineJudge, e: &Entry<'_>, from: usize, out: &mut Output) {
    if j.judge.edits().is_empty() {
        out.tally.clean += 1;
    } else if let Err(reason) = fixpoint::text(e.r, &mut j.judge, from, &mut out.clean) {
        out.clean.truncate(from);
        reject(*e, reason, 0, Payload::None, out.bodies.len(), out);
    } else {
        out.tally.redacted += 1;
        j.count(e, out);
    }
}

pub(super) fn looks_like_utf16(text: &[u8]) -> bool {
    let head = &text[..text.len().min(64)];
    head.starts_with(b"\xff\xfe")
        || head.starts_with(b"\xfe\xff")
        || head.iter().filter(|&&b| b == 0).count() * 4 >= head.len().max(1)
}
