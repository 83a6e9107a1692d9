//! The CRI format: a time, a stream, tags, and the raw text.

use super::{Piece, Stream, is_time};

/// `2026-11-28T02:00:00.000000000Z stdout F text`
pub(super) fn piece(line: &[u8]) -> Option<Piece> {
    let mut words = line.splitn(4, |&b| b == b' ');
    let (time, stream, tag) = (words.next()?, words.next()?, words.next()?);
    let more = match tag {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    let start = line.len().min(time.len() + stream.len() + tag.len() + 3);
    let stream = Stream::named(stream).filter(|_| is_time(time))?;
    Some(Piece { stream, more, start, end: line.len(), bare: true })
}

/// Returns the wrapper of the line `line`, up to the text, marked as a complete line.
pub(super) fn head(line: &[u8], start: usize, whole: bool, out: &mut Vec<u8>) {
    let mut words = line[..start].splitn(3, |&b| b == b' ');
    let (time, stream) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    out.extend_from_slice(time);
    out.push(b' ');
    out.extend_from_slice(stream);
    out.extend_from_slice(if whole { b" F " } else { b" P " });
}
