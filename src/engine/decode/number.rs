//! Integers that JSON spells in another way: `-4.1e9`.

use super::decoder::{Content, Decoder, Decoding, EscapeError};
use super::map::OffsetMap;

/// Decodes a number to the digits of the integer that it is.
pub(crate) struct Numbers;

impl Decoder for Numbers {
    fn decoding(&self) -> Decoding {
        Decoding::Number
    }

    fn decode(
        &self,
        text: &[u8],
        out: &mut Vec<u8>,
        map: &mut OffsetMap,
    ) -> Result<bool, EscapeError> {
        map.clear();
        Ok(plain(text, out))
    }

    fn content(&self) -> Content {
        Content::Digits
    }

    /// The digits are few.
    fn cost(&self) -> usize {
        0
    }

    /// Whatever is found in its digits, the number is the finding.
    fn is_whole(&self) -> bool {
        true
    }
}

/// The fewest digits that a detector looks at: those that open a gate.
pub(crate) const FEWEST_DIGITS: usize = 7;
/// The most digits that are spelt out.
const MOST: usize = 64;

/// Appends the digits of the integer that `raw` spells, without its sign: `-1.2e3` are `1200`. Returns
/// whether it is one, is not spelt so already, and has as many digits as detectors look at.
#[inline(never)]
pub(crate) fn plain(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let unsigned = raw.strip_prefix(b"-").unwrap_or(raw);
    let e = unsigned.iter().position(|b| b | 0x20 == b'e');
    let (mantissa, exponent) =
        e.map_or((unsigned, 0), |e| (&unsigned[..e], exponent(&unsigned[e + 1..])));
    let dot = mantissa.iter().position(|&b| b == b'.');
    if e.is_none() && dot.is_none() && unsigned.len() == raw.len() {
        return false;
    }
    let whole = dot.unwrap_or(mantissa.len());
    let digits = || mantissa.iter().copied().filter(u8::is_ascii_digit);
    let zeros = digits().take_while(|&b| b == b'0').count();
    let trailing =
        mantissa.iter().rev().filter(|b| **b != b'.').take_while(|&&b| b == b'0').count();
    let all = mantissa.len() - usize::from(dot.is_some());
    // How many of the digits, or of zeros after them, are before the point; the first counts.
    let count = exponent.saturating_add(whole as i64).saturating_sub(zeros as i64);
    let significant = all.saturating_sub(zeros + trailing);
    let Some(count) = usize::try_from(count).ok().filter(|n| (FEWEST_DIGITS..=MOST).contains(n))
    else {
        return false;
    };
    if significant == 0 || significant > count {
        return false;
    }
    out.extend(digits().skip(zeros).chain(std::iter::repeat(b'0')).take(count));
    true
}

/// The exponent after the `e`.
fn exponent(raw: &[u8]) -> i64 {
    let digits = raw.strip_prefix(b"+").or(raw.strip_prefix(b"-")).unwrap_or(raw);
    let digit = |n: i64, d: &u8| n.saturating_mul(10).saturating_add(i64::from(d & 15));
    let n = digits.iter().fold(0, digit);
    if raw.first() == Some(&b'-') { -n } else { n }
}
