//! A record's value, as what is judged of it: one line of a chunk, or several.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::{
    engine::Chunk,
    pipeline::{EngineReason, Reason, Stays},
};

/// What stands for a line end inside a value while that is judged. Both are white space of JSON's,
/// and, as a line end, forbidden inside its strings.
const STAND_INS: [u8; 2] = [b'\t', b'\r'];
/// What stands before a value's text where that is of a schema in Confluent's registry: a zero, and the
/// schema's number.
const SCHEMA_ID: usize = 5;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueFraming {
    /// One event, which may span lines.
    #[default]
    Event,
    /// Lines, each an event.
    Lines,
    /// Something in which a worker finds events; see [`Value::Whole`].
    Whole,
}

/// How a value was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// A record's value.
#[derive(Debug, Clone)]
pub enum Value {
    /// There is none.
    Tombstone,
    /// A line of the chunk, its end apart.
    Line {
        /// Where in the chunk's data.
        range: Range<usize>,
        /// Where line ends were.
        breaks: Breaks,
    },
    /// Lines of the chunk.
    Lines {
        /// Where in the chunk's data, as it came.
        range: Range<usize>,
        /// How many.
        count: u32,
        /// The last one had a line end.
        ended: bool,
    },
    /// All of it, in the arena: events of it are counted as lines are.
    Whole(Range<usize>),
    /// Not judged; nothing is kept of it.
    Refused(Reason),
    /// A dead letter that is not replayed.
    Stays(Stays),
}

/// How the line ends inside a value are found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breaks {
    /// There are none.
    None,
    /// They are this byte now, which the value had not.
    As(u8),
    /// They were here, in the value, and are `\r` now, as others are.
    At(Vec<u32>),
}

/// How much stands before a value's text and is kept as it is.
///
/// # Errors
/// There is no text behind it.
pub fn prefix(value: &[u8]) -> Result<usize, Reason> {
    if value.starts_with(BYTE_ORDER_MARK) {
        return Ok(BYTE_ORDER_MARK.len());
    }
    // UTF-16 without a byte order mark, which is said of it where it is judged.
    let utf16 = matches!(value, [0, b, 0, d, ..] if *b > 0 && *d > 0);
    if value.first() != Some(&0) || utf16 {
        return Ok(0);
    }
    match value.get(SCHEMA_ID..) {
        Some(text) if is_json(text) => Ok(SCHEMA_ID),
        _ => Err(Reason::Binary),
    }
}

/// It begins as an object does, and has no byte that JSON cannot have.
fn is_json(text: &[u8]) -> bool {
    let plain = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\r' | b'\n');
    text.trim_ascii_start().first() == Some(&b'{')
        && text.iter().all(plain)
        && simdutf8::basic::from_utf8(text).is_ok()
}

impl Value {
    /// The text of a value that is one event, in `chunk`.
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

    /// The text of a value that is lines, in `chunk`: `most` of them at most.
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

    /// How many lines it has in the chunk.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Tombstone | Self::Refused(_) | Self::Stays(_) => 0,
            Self::Line { .. } | Self::Whole(_) => 1,
            Self::Lines { count, .. } => *count as usize,
        }
    }
}

impl Breaks {
    /// Puts line ends back into what became of a value: as it was (`same`), redacted, or, as text that
    /// is `wrapped` into an event, written as an escape.
    pub fn restore(&self, bytes: &mut [u8], same: bool, wrapped: bool) {
        match self {
            Self::None => {}
            // Others that were `\r` all along cannot be told apart any more.
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
