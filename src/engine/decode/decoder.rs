//! What a way to spell a text has in common with the others.

use super::map::OffsetMap;

/// How a text was spelt before it was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decoding {
    /// JSON's escapes, `\u0040`.
    Escapes,
    /// JSON inside a string.
    Json,
    /// Percent-encoding, `%40`.
    Percent,
    /// A number that is no plain integer, `-1.2e9`.
    Number,
}

/// What a decoder makes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text, which may hold JSON and what other decoders decode.
    Text,
    /// The digits of a number.
    Digits,
}

/// What JSON is looked for in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Objects.
    Objects,
    /// Objects, and arrays that begin with one.
    Meant,
    /// Every object and array.
    All,
}

/// Why a string's escapes can't be decoded. The offset is that of the backslash, in the raw text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EscapeError {
    /// Not an escape of RFC 8259, or cut short.
    Invalid(usize),
    /// A surrogate (`\ud800` to `\udfff`) without its other half: no Unicode scalar value.
    LoneSurrogate(usize),
}

impl EscapeError {
    /// Where the backslash is.
    pub(crate) fn at(self) -> usize {
        match self {
            Self::Invalid(at) | Self::LoneSurrogate(at) => at,
        }
    }
}

/// A way to spell a text. None is called for a text that has nothing to decode.
pub(crate) trait Decoder: Sync {
    /// How explanations call it.
    fn decoding(&self) -> Decoding;

    /// The sign by which the index marks texts that may be spelt so. A decoder without one is applied
    /// where the grammar says so: escapes in JSON strings, JSON in decoded texts.
    fn sign(&self) -> Option<u8> {
        None
    }

    /// Returns whether `text` has anything to decode; `false` is certain.
    fn spot(&self, _text: &[u8], _look: Look) -> bool {
        true
    }

    /// Appends what `text` spells to `out`, and returns whether it spells anything; else `out` is as
    /// it was.
    ///
    /// `map` is cleared first; its offsets count from where `out` ended.
    fn decode(
        &self,
        text: &[u8],
        out: &mut Vec<u8>,
        map: &mut OffsetMap,
    ) -> Result<bool, EscapeError>;

    /// What it decodes to.
    fn content(&self) -> Content {
        Content::Text
    }

    /// The cost of a decoded byte, which is scanned for candidates again, in units of the budget.
    fn cost(&self) -> usize {
        3
    }

    /// Whether a quote in what replaces a finding must be escaped once more.
    fn escapes_quotes(&self) -> bool {
        false
    }

    /// Whether a finding takes the whole text, because no part of it can be replaced.
    fn is_whole(&self) -> bool {
        false
    }
}
