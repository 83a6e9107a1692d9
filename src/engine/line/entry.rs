//! One line of a chunk, and what is done with it that does not depend on the rules.

use crate::engine::chunk::HEAD;
use crate::engine::outcome::{Detail, Output, Payload, Reason, Reject};
use crate::engine::redact;
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::{Line, Stop};

/// One line of a chunk.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) line: Line<'a>,
    /// Where it starts, white space included; `line.end` is its newline.
    pub(super) start: usize,
    /// The first byte that is forwarded: where the line starts, or after a prefix that is removed.
    pub(super) from: usize,
    pub(super) number: u32,
    /// It may have a control character; a byte ≥ 0x80.
    pub(super) control: bool,
    pub(super) high: bool,
    /// Every reject is reported, not just the first of each reason.
    pub(super) bodies: bool,
    /// What it is judged by, and the route that it takes.
    pub(super) r: &'a Ruleset,
    pub(super) route: u16,
}

/// Copies the run of untouched lines before this one, and begins a new one after it.
pub(super) fn flush(buf: &[u8], run: &mut usize, e: Entry<'_>, out: &mut Output) {
    out.clean.extend_from_slice(&buf[*run..e.from]);
    *run = e.line.end + 1;
}

pub(super) fn content_end(e: &Entry<'_>) -> usize {
    e.line.buf[e.line.start..e.line.end].trim_ascii_end().len() + e.line.start
}

/// Control characters inside strings, and UTF-8.
#[cold]
pub(super) fn rare(e: &Entry<'_>) -> Result<(), Stop> {
    let Line { buf, start, end, quotes, .. } = e.line;
    if e.control {
        for pair in quotes.as_chunks::<2>().0 {
            let from = pair[0] as usize + 1;
            let content = &buf[from..pair[1] as usize];
            if let Some(i) = content.iter().position(|&b| b < 0x20) {
                return Err(Stop { reason: Reason::Control, at: from + i });
            }
        }
    }
    if e.high && simdutf8::basic::from_utf8(&buf[start..end]).is_err() {
        let valid = simdutf8::compat::from_utf8(&buf[start..end])
            .map_or_else(|e| e.valid_up_to(), |_| end - start);
        return Err(Stop { reason: Reason::Utf8, at: start + valid });
    }
    Ok(())
}

pub(super) fn shape(e: &Entry<'_>, out: &mut Output) -> Payload {
    if !e.bodies {
        return Payload::None;
    }
    redact::shape::append(&e.line.buf[e.start..e.line.end], &mut out.bodies);
    Payload::Shape
}

pub(super) fn reject(
    e: Entry<'_>,
    reason: Reason,
    at: usize,
    payload: Payload,
    body: usize,
    out: &mut Output,
) {
    out.tally.reject(e.route, reason);
    if !e.bodies && out.tally.rejected[reason.index()] > 1 {
        // Without a dead letter only the first of each reason is reported: the rest is counted.
        return;
    }
    let end = e.line.end;
    let dict = matches!(reason, Reason::Syntax | Reason::Unterminated)
        && e.line.buf[e.line.start..].starts_with(b"{'");
    let len = end - e.start - usize::from(end > e.start && e.line.buf[end - 1] == b'\r');
    out.rejects.push(Reject {
        reason,
        line: e.number,
        offset: (e.start - HEAD) as u32,
        len: len as u32,
        pointer: String::new(),
        missing: String::new(),
        detail: dict.then_some(Detail::PythonDict),
        at: at as u32,
        payload,
        body: body..out.bodies.len(),
        joined: Vec::new(),
        route: e.route,
    });
}

/// Refuses an event that does not say which route it takes, for the field `name`. No ruleset is strict
/// enough for it: nothing but its shape is shown.
#[cold]
pub(super) fn unclear(e: Entry<'_>, reason: Reason, name: &[u8], out: &mut Output) {
    let from = out.bodies.len();
    let payload = shape(&e, out);
    let before = out.rejects.len();
    reject(e, reason, 0, payload, from, out);
    let name = String::from_utf8_lossy(name);
    for r in &mut out.rejects[before..] {
        match reason {
            Reason::Required => r.missing = name.clone().into_owned(),
            _ => r.pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        }
    }
}
