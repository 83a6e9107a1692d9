//! Numbers in text that are spelt otherwise than by their digits alone: `-1234567`, `1234567.0`,
//! `1.234567e6`.

use super::pack::Fires;
use crate::engine::decode::plain;

/// Whether the number of a detector that looks at `numbers` has a sign, which goes with it.
pub(super) fn is_signed(numbers: Fires, text: &[u8], low: usize, begin: usize) -> bool {
    numbers != Fires::Never && has_sign(text, low, begin)
}

/// Whether what would be a number's sign joins it to what stands before.
pub(super) fn is_joined(numbers: Fires, text: &[u8], low: usize, begin: usize) -> bool {
    numbers != Fires::Never
        && begin > low
        && matches!(text[begin - 1], b'-' | b'+')
        && !has_sign(text, low, begin)
}

/// Whether a number that begins at `begin` in `text[low..]` has a sign: a `-` or `+` that does not
/// join it to what stands before (`id-1234567`).
fn has_sign(text: &[u8], low: usize, begin: usize) -> bool {
    let joins = |b: u8| b.is_ascii_alphanumeric() || b"_%.#+-)]/\\".contains(&b);
    begin > low
        && matches!(text[begin - 1], b'-' | b'+')
        && (begin - 1 == low || !joins(text[begin - 2]))
}

/// The digits of the integer that `matched` spells otherwise, in `out`. `Some(false)`: it is a number
/// with an exponent, and no such integer.
pub(super) fn digits(matched: &[u8], out: &mut Vec<u8>) -> Option<bool> {
    let number = |b: &u8| b.is_ascii_digit() || b".eE+-".contains(b);
    let exponent = matched.iter().any(|b| b | 0x20 == b'e');
    if !(exponent || matched.contains(&b'.')) || !matched.iter().all(number) {
        return None;
    }
    out.clear();
    let is = plain(matched, out);
    (is || exponent).then_some(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs() {
        for (text, wanted) in [
            ("-1", true),
            ("x -1", true),
            ("x=-1", true),
            ("(+1", true),
            ("\"-1", true),
            ("x-1", false),
            ("--1", false),
            ("1 1", false),
            ("1", false),
        ] {
            assert_eq!(has_sign(text.as_bytes(), 0, text.len() - 1), wanted, "{text}");
        }
        assert!(has_sign(b"x-1", 1, 2));
    }

    #[test]
    fn values() {
        let digits = |text: &str| {
            let mut out = vec![];
            digits(text.as_bytes(), &mut out).map(|is| is.then(|| String::from_utf8(out).unwrap()))
        };
        let is = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(digits("123456789.0"), is("123456789"));
        assert_eq!(digits("1.23456789e+08"), is("123456789"));
        assert_eq!(digits("1.23456789e7"), Some(None));
        for text in ["123456789", "123456789.5", "123456789-1", "1.2.3e4x"] {
            assert_eq!(digits(text), None, "{text}");
        }
    }
}
