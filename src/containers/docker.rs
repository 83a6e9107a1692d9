//! Docker's json-file format: one object per line.

use std::ops::Range;

use super::{Piece, Stream, is_time};

/// Parses `{"log":"…\n","stream":"stdout","time":"…"}`, in any order and with other fields.
///
/// This does not check that the line is valid JSON. A wrapper that is not [bare](Piece::bare) is
/// judged as an event in addition to its text, and refused if it is invalid.
pub(super) fn piece(line: &[u8]) -> Option<Piece> {
    let (mut log, mut stream, mut time) = (None, None, None);
    members(line, |key, value| match key {
        b"log" if log.is_none() && line[value.start] == b'"' => log = Some(value),
        b"stream" => stream = Stream::named(content(line, &value)),
        b"time" => time = Some(value),
        _ => {}
    })?;
    let (log, stream, time) = (log?, stream?, time?);
    let text = content(line, &log);
    let bare = line.starts_with(b"{\"log\":\"")
        && log.start == 7
        && is_time(content(line, &time))
        && match stream {
            Stream::Out => line[log.end..].starts_with(b",\"stream\":\"stdout\",\"time\":\""),
            Stream::Err => line[log.end..].starts_with(b",\"stream\":\"stderr\",\"time\":\""),
        }
        && time.start == log.end + 27 - 1
        && &line[time.end..] == b"}";
    Some(Piece { stream, more: !ends_line(text), start: log.start + 1, end: log.end - 1, bare })
}

/// Decodes a JSON string; `None` if it is invalid.
pub(super) fn unescape(raw: &[u8]) -> Option<String> {
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice(&quoted).ok()
}

/// Appends `text` as a JSON string without quotes.
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) {
    let quoted = serde_json::to_vec(&String::from_utf8_lossy(text)).unwrap_or_default();
    out.extend_from_slice(quoted.get(1..quoted.len() - 1).unwrap_or_default());
}

/// Returns whether the escaped text ends with a line end.
fn ends_line(raw: &[u8]) -> bool {
    let newline = |escape: &[u8]| {
        raw.strip_suffix(escape).is_some_and(|before| {
            // The backslash may itself be escaped.
            before.iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 0
        })
    };
    newline(b"\\n") || newline(b"\\u000a") || newline(b"\\u000A")
}

/// Returns the content of a string without its quotes.
fn content<'l>(line: &'l [u8], value: &Range<usize>) -> &'l [u8] {
    line[value.clone()].strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or_default()
}

/// Visits each member of the object `line`: the raw key, and the range of the value. Returns `None`
/// if this is not an object, as far as it is checked.
fn members<'l>(line: &'l [u8], mut told: impl FnMut(&'l [u8], Range<usize>)) -> Option<()> {
    let mut at = blank(line, 0);
    if line.get(at) != Some(&b'{') {
        return None;
    }
    at = blank(line, at + 1);
    if line.get(at) == Some(&b'}') {
        return (blank(line, at + 1) == line.len()).then_some(());
    }
    loop {
        let key = at..string(line, at)?;
        at = blank(line, key.end);
        if line.get(at) != Some(&b':') {
            return None;
        }
        let start = blank(line, at + 1);
        let end = value(line, start)?;
        told(&line[key.start + 1..key.end - 1], start..end);
        at = blank(line, end);
        match line.get(at)? {
            b',' => at = blank(line, at + 1),
            b'}' => return (blank(line, at + 1) == line.len()).then_some(()),
            _ => return None,
        }
    }
}

fn blank(line: &[u8], from: usize) -> usize {
    let rest = &line[from.min(line.len())..];
    from + rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count()
}

/// Returns where the string that begins at `at` ends.
fn string(line: &[u8], at: usize) -> Option<usize> {
    if line.get(at) != Some(&b'"') {
        return None;
    }
    let mut from = at + 1;
    loop {
        from += memchr::memchr2(b'"', b'\\', line.get(from..)?)?;
        match line[from] {
            b'"' => return Some(from + 1),
            _ => from += 2,
        }
    }
}

/// Returns where the value that begins at `at` ends.
fn value(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at)? {
        b'"' => string(line, at),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0_usize, at);
            loop {
                match line.get(at)? {
                    b'"' => {
                        at = string(line, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let plain = line[at..].iter().take_while(|b| !b",}] \t\r".contains(b)).count();
            (plain > 0).then_some(at + plain)
        }
    }
}
