//! A private key that is printed line by line: the text lines after its BEGIN line are the key, too.
//!
//! A program that writes a key to its log writes each line of it as a text line of its own, in which
//! no detector could recognize it. So the engine remembers from line to line that a key is open.
//! What it remembers depends on nothing but the lines, and is small: chunks, workers and restarts
//! pass it on, and lines are judged alike however an input is cut.

use std::ops::Range;

/// What is known, before or after a text line, of a private key that spans lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyBlock {
    /// How many lines may still belong to the key; 0: no key is open.
    left: u16,
    /// The text line before was a line of the key.
    inside: bool,
}

/// The most lines of a key: an armored key of 64 KiB has a thousand.
const MOST: u16 = 2048;
/// Base64 of this length or longer after a BEGIN line is taken for a line of the key. The last line
/// may be shorter: directly after another one, any length will do that base64 can have.
const LINE: usize = 16;
/// The same where something stands before it on its line, such as a logger's time and level.
const AFTER_PREFIX: usize = 32;
/// The shortest last line that padding tells from a word.
const PADDED: usize = 4;
/// The most bytes of the label in a BEGIN line: `RSA PRIVATE KEY`.
const LABEL: usize = 80;
/// The bit of [`KeyBlock::bits`] for a line inside the key.
const INSIDE: u16 = 1 << 15;

impl KeyBlock {
    /// No key is open.
    pub const CLOSED: Self = Self { left: 0, inside: false };

    /// Whether a key is open.
    pub fn is_open(self) -> bool {
        self.left > 0
    }

    /// The same as a number, to be stored; 0 where no key is open.
    pub fn bits(self) -> u16 {
        if self.inside { self.left | INSIDE } else { self.left }
    }

    /// What [`bits`](Self::bits) returned. A number that it never returns stands for no key.
    pub fn from_bits(bits: u16) -> Self {
        let left = bits & !INSIDE;
        if left > MOST {
            Self::default()
        } else {
            Self { left, inside: bits & INSIDE != 0 && left > 0 }
        }
    }

    /// Counts a line, whatever it is: a key that is not closed does not stay open for ever.
    #[inline(always)]
    pub(super) fn count_line(&mut self) {
        if self.left > 0 {
            self.left -= 1;
        }
    }

    /// Moves on past the text line `text`, which was counted; returns the part of it that is a line of the key.
    #[inline]
    pub(super) fn pass(&mut self, text: &[u8]) -> Option<Range<usize>> {
        if !self.is_open() && memchr::memchr(b'-', text).is_none() {
            return None;
        }
        self.pass_any(text)
    }

    fn pass_any(&mut self, text: &[u8]) -> Option<Range<usize>> {
        let before = *self;
        *self = Self::default();
        if begins(text) {
            self.left = MOST;
            return None;
        }
        if !before.is_open() || ends(text) {
            return None;
        }
        let end = text.trim_ascii_end().len();
        let base64 = |b: &&u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
        let len = text[..end].iter().rev().take_while(base64).count();
        let prefix = text[..end - len].trim_ascii_start();
        let least = match (prefix.is_empty(), before.inside) {
            (true, true) => 1,
            // Padding ends the last line.
            (false, true) if text[..end].ends_with(b"=") => PADDED,
            (true, false) | (false, true) => LINE,
            (false, false) => AFTER_PREFIX,
        };
        let short = len < LINE && len % 4 != 0 && !text[end - len..].starts_with(b"=");
        let whole = prefix.last().is_none_or(u8::is_ascii_whitespace);
        let inside = len >= least && whole && !short;
        *self = Self { left: before.left, inside };
        inside.then_some(end - len..end)
    }
}

/// Whether the last BEGIN line of a private key in `text` has no END line after it.
fn begins(text: &[u8]) -> bool {
    let last = |opening: &[u8], closing: &[u8]| {
        let at = memchr::memmem::rfind(text, opening)? + opening.len();
        Some(is_of_key(&text[at..], closing) && !ends(&text[at..]))
    };
    last(b"-----BEGIN ", b"-----").or_else(|| last(b"---- BEGIN SSH2 ", b" ----")) == Some(true)
}

/// Whether an END line of a private key stands in `text`. That of a certificate ends none.
fn ends(text: &[u8]) -> bool {
    let any = |opening: &[u8], closing: &[u8]| {
        let mut places = memchr::memmem::find_iter(text, opening);
        places.any(|at| is_of_key(&text[at + opening.len()..], closing))
    };
    any(b"-----END ", b"-----") || any(b"---- END SSH2 ", b" ----")
}

/// Whether `text` begins with the label of a private key and with what closes its line.
fn is_of_key(text: &[u8], closing: &[u8]) -> bool {
    let label = &text[..text.len().min(LABEL)];
    let Some(end) = memchr::memmem::find(label, closing) else { return false };
    let label = label[..end].strip_suffix(b" BLOCK").unwrap_or(&label[..end]);
    label.ends_with(b"PRIVATE KEY")
        && label.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begin_lines_are_those_of_private_keys() {
        for yes in [
            "-----BEGIN PRIVATE KEY-----",
            "12:00 app -----BEGIN RSA PRIVATE KEY-----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----",
            "-----END PRIVATE KEY----------BEGIN EC PRIVATE KEY-----",
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
            "-----BEGIN PRIVATE KEY-----\\nMIIE",
        ] {
            assert!(begins(yes.as_bytes()), "{yes}");
        }
        for no in [
            "",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN PRIVATE KEY-----MIIE-----END PRIVATE KEY-----",
            "-----BEGIN no PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY",
            "---- BEGIN SSH2 PUBLIC KEY ----",
        ] {
            assert!(!begins(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn only_the_end_of_a_private_key_ends_one() {
        let open = |end: &str| {
            let mut block = KeyBlock::default();
            block.pass(b"-----BEGIN PRIVATE KEY-----");
            block.pass(end.as_bytes());
            block.is_open()
        };
        for end in [
            "-----END RSA PRIVATE KEY-----",
            "x -----END PGP PRIVATE KEY BLOCK-----",
            "---- END SSH2 ENCRYPTED PRIVATE KEY ----",
        ] {
            assert!(!open(end), "{end}");
        }
        for other in ["-----END CERTIFICATE-----", "---- END SSH2 PUBLIC KEY ----", "-----END "] {
            assert!(open(other), "{other}");
        }
    }

    #[test]
    fn a_short_last_line_is_of_the_key() {
        let mut block = KeyBlock::default();
        block.pass(b"I -----BEGIN PRIVATE KEY-----");
        assert!(block.pass(b"I MIIEvQIBADANBgkqhkiG9w0BAQEFAASC").is_some());
        assert_eq!(block.pass(b"I VwQ8Zw=="), Some(2..10));
        assert_eq!(block.pass(b"I am here"), None);
    }

    #[test]
    fn what_is_known_can_be_stored() {
        let mut block = KeyBlock::default();
        assert_eq!(block.bits(), 0);
        for line in ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0B", "no line of it"] {
            block.pass(line.as_bytes());
            assert!(block.is_open());
            assert_eq!(KeyBlock::from_bits(block.bits()), block, "{line}");
        }
        block.pass(b"-----END PRIVATE KEY-----");
        assert_eq!(block, KeyBlock::default());
        for bits in [MOST + 1, INSIDE, u16::MAX] {
            assert_eq!(KeyBlock::from_bits(bits), KeyBlock::default());
        }
    }

    #[test]
    fn a_key_without_an_end_ends_after_so_many_lines() {
        let mut block = KeyBlock::default();
        block.pass(b"-----BEGIN PRIVATE KEY-----");
        let mut pass = || {
            block.count_line();
            block.pass(&[b'A'; 64]).is_some()
        };
        let lines = (0..10_000).filter(|_| pass()).count();
        assert_eq!(lines, usize::from(MOST) - 1);
        assert!(!block.is_open());
    }
}
