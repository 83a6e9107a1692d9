//! A private key that is spread over text lines: what stands behind its BEGIN line is the key, too.
//!
//! A program that prints a key to a log prints it line by line, and each of these is a text line of
//! its own, in which no detector could know it. What is known of a chunk's lines ends with the
//! chunk.

use std::ops::Range;

/// The private key that the last text lines belong to.
#[derive(Default)]
pub(in crate::engine) struct KeyLines {
    /// The detector that found its BEGIN line, and that no END line was seen since.
    detector: Option<u16>,
    /// The text line before was a line of the key.
    inside: bool,
    /// Lines that may still belong to it.
    left: usize,
}

/// The most lines of a key: armour of 64 KiB has a thousand.
const MOST: usize = 2048;
/// Base64 behind a key's BEGIN line is taken for the key from this length on. Its last line may be
/// shorter: right behind another one any length will do that base64 can have.
const LINE: usize = 16;
/// The same where something stands before it on its line, as loggers write it.
const BEHIND: usize = 32;

impl KeyLines {
    /// Forgets the key: another chunk begins.
    pub(in crate::engine) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Takes note that `detector` found `found`, which goes on to the end of its text line.
    pub(super) fn begin(&mut self, found: &[u8], detector: u16) {
        let begins = [&b"-----BEGIN "[..], b"---- BEGIN "].iter().any(|b| found.starts_with(b));
        if begins && !ends(found) {
            *self = Self { detector: Some(detector), inside: false, left: MOST };
        }
    }

    /// The part of the text line `text` that is a line of the key, and the detector of the key.
    pub(super) fn body(&mut self, text: &[u8]) -> Option<(Range<usize>, u16)> {
        let detector = self.detector?;
        self.left = self.left.saturating_sub(1);
        if ends(text) || self.left == 0 {
            self.forget();
            return None;
        }
        let inside = std::mem::take(&mut self.inside);
        let end = text.trim_ascii_end().len();
        let base64 = |b: &&u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
        let len = text[..end].iter().rev().take_while(base64).count();
        let before = text[..end - len].trim_ascii_start();
        let least = match (before.is_empty(), inside) {
            (true, true) => 1,
            (true, false) | (false, true) => LINE,
            (false, false) => BEHIND,
        };
        let short = len < LINE && len % 4 != 0 && !text[end - len..].starts_with(b"=");
        let whole = before.last().is_none_or(u8::is_ascii_whitespace);
        self.inside = len >= least && whole && !short;
        self.inside.then_some((end - len..end, detector))
    }
}

fn ends(text: &[u8]) -> bool {
    [&b"-----END "[..], b"---- END "].iter().any(|end| memchr::memmem::find(text, end).is_some())
}
