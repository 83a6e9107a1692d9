//! The value of a record, as it is judged: as one line of a chunk, or as several.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::{
    engine::Chunk,
    pipeline::{EngineReason, Reason, Stays},
};

/// Replaces line ends inside a value while it is judged. Both bytes are white space in JSON, and,
/// like line ends, not allowed inside its strings.
const STAND_INS: [u8; 2] = [b'\t', b'\r'];
/// The length of the prefix of values whose schema is in Confluent's registry: a zero byte, and the
/// schema's id.
const SCHEMA_ID: usize = 5;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The content of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueFraming {
    /// One event, which may span lines.
    #[default]
    Event,
    /// Lines, each of which is an event.
    Lines,
    /// Data in which a worker finds events; see [`Value::Whole`].
    Whole,
}

/// How a value is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// The value of a record.
#[derive(Debug, Clone)]
pub enum Value {
    /// There is none.
    Tombstone,
    /// A line of the chunk, not including its end.
    Line {
        /// Its range in the chunk's data.
        range: Range<usize>,
        /// The positions of line ends.
        breaks: Breaks,
    },
    /// Lines of the chunk.
    Lines {
        /// Their range in the chunk's data, unchanged.
        range: Range<usize>,
        /// Their number.
        count: u32,
        /// The last one had a line end.
        ended: bool,
    },
    /// All of it, in the arena. Events in it are counted like lines.
    Whole(Range<usize>),
    /// It is not judged, and nothing is kept of it.
    Refused(Reason),
    /// It is a dead letter that is not replayed.
    Stays(Stays),
}

/// How to restore the line ends inside a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breaks {
    /// There are none.
    None,
    /// They were replaced by this byte, which the value did not contain.
    As(u8),
    /// They were at these positions in the value, and were replaced by `\r`, which it also
    /// contained.
    At(Vec<u32>),
}

/// Returns the length of the prefix of a value's text, which is kept unchanged.
///
/// # Errors
/// The value is not text.
pub fn prefix(value: &[u8]) -> Result<usize, Reason> {
    if value.starts_with(BYTE_ORDER_MARK) {
        return Ok(BYTE_ORDER_MARK.len());
    }
    // UTF-16 without a byte order mark, which is reported when it is judged.
    let utf16 = matches!(value, [0, b, 0, d, ..] if *b > 0 && *d > 0);
    if value.first() != Some(&0) || utf16 {
        return Ok(0);
    }
    match value.get(SCHEMA_ID..) {
        Some(text) if is_json(text) => Ok(SCHEMA_ID),
        _ => Err(Reason::Binary),
    }
}

/// It begins like an object, and contains no byte that is invalid in JSON.
fn is_json(text: &[u8]) -> bool {
    let plain = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\r' | b'\n');
    text.trim_ascii_start().first() == Some(&b'{')
        && text.iter().all(plain)
        && simdutf8::basic::from_utf8(text).is_ok()
}

impl Value {
    /// Appends the text of a value that is one event to `chunk`.
    pub fn line(chunk: &mut Chunk, text: &[u8]) -> Self {
        let start = chunk.data().len();
        let breaks = if memchr(b'\n', text).is_none() {
            chunk.extend(text);
            Breaks::None
        } else {
            let unused = STAND_INS.into_iter().find(|byte| memchr(*byte, text).is_none());
            let stand_in = unused.unwrap_or(b'\r');
            let room = chunk.spare(text.len());
            room.copy_from_slice(text);
            room.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = stand_in);
            chunk.commit(text.len());
            match unused {
                Some(byte) => Breaks::As(byte),
                None => Breaks::At(memchr_iter(b'\n', text).map(|at| at as u32).collect()),
            }
        };
        let range = start..chunk.data().len();
        chunk.extend(b"\n");
        Self::Line { range, breaks }
    }

    /// Appends the text of a value that consists of lines to `chunk`: at most `most` lines.
    pub(super) fn lines(chunk: &mut Chunk, text: &[u8], most: usize) -> Self {
        let ended = text.last() == Some(&b'\n');
        let count = memchr_iter(b'\n', text).count() + usize::from(!ended);
        if count > most {
            return Self::Refused(EngineReason::TooCostly.into());
        }
        let start = chunk.data().len();
        chunk.extend(text);
        let range = start..chunk.data().len();
        if !ended {
            chunk.extend(b"\n");
        }
        Self::Lines { range, count: count as u32, ended }
    }

    /// Returns its number of lines in the chunk.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Tombstone | Self::Refused(_) | Self::Stays(_) => 0,
            Self::Line { .. } | Self::Whole(_) => 1,
            Self::Lines { count, .. } => *count as usize,
        }
    }
}

impl Breaks {
    /// Restores line ends in the result for a value that is unchanged (`same`), redacted, or, for
    /// text that is `wrapped` in an event, as escapes.
    pub fn restore(&self, bytes: &mut [u8], same: bool, wrapped: bool) {
        match self {
            Self::None => {}
            // Other bytes that were `\r` from the beginning cannot be distinguished any more.
            Self::At(places) if same => {
                places.iter().for_each(|at| bytes[*at as usize] = b'\n');
            }
            Self::At(_) => {}
            Self::As(byte) if wrapped => {
                let letter = if *byte == b'\t' { b't' } else { b'r' };
                let mut at = 0;
                while let Some(slash) = memchr(b'\\', &bytes[at..]) {
                    let escaped = at + slash + 1;
                    if bytes.get(escaped) == Some(&letter) {
                        bytes[escaped] = b'n';
                    }
                    at = (escaped + 1).min(bytes.len());
                }
            }
            Self::As(stand_in) => {
                bytes.iter_mut().filter(|byte| *byte == stand_in).for_each(|byte| *byte = b'\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_text_is_known() {
        for (value, wanted) in [
            (&b"{}"[..], Ok(0)),
            (b"", Ok(0)),
            (b"\xef\xbb\xbf{}", Ok(3)),
            (b"\0\0\x01\x86\xa0{\"a\":1}", Ok(5)),
            (b"\0\0\0\0\x07 \n{}", Ok(5)),
            (b"\0{\0\"\0a\0\"\0:", Ok(0)),
            (b"\0\0\0\0\x07\x06ada", Err(Reason::Binary)),
            (b"\0\0\0\0\x07{\x02ada", Err(Reason::Binary)),
            (b"\0\0\0\0\x07{\xff}", Err(Reason::Binary)),
            (b"\0\0\0\0\x07", Err(Reason::Binary)),
            (b"\0\0", Err(Reason::Binary)),
        ] {
            assert_eq!(prefix(value), wanted, "{value:?}");
        }
    }
}
