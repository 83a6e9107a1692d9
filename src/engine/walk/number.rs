//! RFC 8259 numbers, eight digits at a time.

use crate::engine::decode::FEWEST_DIGITS;

#[inline(always)]
fn digits(b: &[u8], at: usize) -> usize {
    let mut n = 0;
    loop {
        let Some(w) = b.get(at + n..at + n + 8).and_then(|w| w.first_chunk::<8>()) else {
            return n;
        };
        let x = u64::from_le_bytes(*w) ^ 0x3030_3030_3030_3030;
        let other = (x.wrapping_add(0x7676_7676_7676_7676) | x) & 0x8080_8080_8080_8080;
        let k = (other.trailing_zeros() / 8) as usize;
        n += k;
        if k < 8 {
            return n;
        }
    }
}

/// The length of the number at `at`; 0 if there is none. Any size and precision is a number. The bit
/// [`SPELT`] is set where it may be an integer that [`Numbers`](crate::engine::decode::Numbers) spells in another way.
#[inline(always)]
pub(super) fn len(b: &[u8], at: usize) -> usize {
    let sign = usize::from(b[at] == b'-');
    let whole = digits(b, at + sign);
    if whole == 0 || (whole > 1 && b[at + sign] == b'0') {
        return 0;
    }
    let mut n = sign + whole;
    if b[at + n] == b'.' {
        let fraction = digits(b, at + n + 1);
        if fraction == 0 {
            return 0;
        }
        n += 1 + fraction;
    }
    if b[at + n] | 0x20 == b'e' {
        return with_exponent(b, at, n);
    }
    if whole >= FEWEST_DIGITS && n != whole {
        return with_sign_or_fraction(b, at, sign + whole, n);
    }
    n
}

/// The length `n` of the number at `at`, which has a sign or, behind its byte `point`, a fraction.
#[cold]
#[inline(never)]
fn with_sign_or_fraction(b: &[u8], at: usize, point: usize, n: usize) -> usize {
    let spelt = if n == point { b[at] == b'-' } else { b[at + point + 1] == b'0' };
    if spelt { n | SPELT } else { n }
}

/// The length of the number at `at` whose exponent begins at its byte `e`.
#[cold]
#[inline(never)]
fn with_exponent(b: &[u8], at: usize, e: usize) -> usize {
    let sign = usize::from(matches!(b[at + e + 1], b'+' | b'-'));
    match digits(b, at + e + 1 + sign) {
        0 => 0,
        exponent => (e + 1 + sign + exponent) | SPELT,
    }
}

/// A bit of a length: see [`len`].
pub(super) const SPELT: usize = 1 << 63;

/// Whether `b[start..end]` is a number, and may be an integer that [`Numbers`](crate::engine::decode::Numbers) spells in another way.
/// Behind it stands what ends a number.
#[inline]
pub(crate) fn is_other_spelling(b: &[u8], start: usize, end: usize) -> bool {
    matches!(b[start], b'-' | b'0'..=b'9') && b[end - 1].is_ascii_digit() && is_whole(b, start, end)
}

#[inline(never)]
fn is_whole(b: &[u8], start: usize, end: usize) -> bool {
    len(b, start) == (end - start) | SPELT
}

#[cfg(test)]
mod tests {
    use crate::engine::decode::{Decoder as _, Numbers, OffsetMap};

    #[test]
    fn numbers() {
        let len = |s: &str| {
            let mut b = s.as_bytes().to_vec();
            b.extend_from_slice(&[b'\n'; 64]);
            super::len(&b, 0) & !super::SPELT
        };
        for ok in
            ["0", "-0", "10", "1.50", "1e400", "1E+2", "-12.5e-3", "123456789012345678901234567890"]
        {
            assert_eq!(len(ok), ok.len(), "{ok}");
        }
        for bad in ["-", "01", "1.", "1.e2", "1e", "1e+", ".5", "+1", "-a"] {
            assert_eq!(len(bad), 0, "{bad}");
        }
        assert_eq!(len("12,"), 2);
        assert_eq!(len("0x"), 1);
    }

    #[test]
    fn integers_are_spelt_out() {
        let plain = |raw: &str| {
            let mut out = vec![];
            let is = Numbers.decode(raw.as_bytes(), &mut out, &mut OffsetMap::default()).unwrap();
            let mut b = raw.as_bytes().to_vec();
            b.extend_from_slice(&[b'\n'; 64]);
            assert!(!is || super::len(&b, 0) == raw.len() | super::SPELT, "{raw}: not looked at");
            is.then(|| String::from_utf8(out).unwrap())
        };
        for (raw, wanted) in [
            ("-4111111111111111", "4111111111111111"),
            ("4111111111111111.0", "4111111111111111"),
            ("4111111111111111.000", "4111111111111111"),
            ("-4111111111111111.0e0", "4111111111111111"),
            ("4.111111111111111e15", "4111111111111111"),
            ("4.111111111111111E+15", "4111111111111111"),
            ("0.0004111111111111111e19", "4111111111111111"),
            ("41111111111111110e-1", "4111111111111111"),
            ("1.23456789e8", "123456789"),
            ("12345.6789e4", "123456789"),
            ("12345e4", "123450000"),
            ("0.1e7", "1000000"),
            ("1e6", "1000000"),
            ("-1234567", "1234567"),
            ("1234567.0", "1234567"),
        ] {
            assert_eq!(plain(raw).as_deref(), Some(wanted), "{raw}");
        }
        let long = format!("{}.0", "1".repeat(65));
        for raw in [
            "4111111111111111",
            "123456",
            "-123456",
            "123456.0",
            "1234567.5",
            "1234567.05",
            "1.23456789e7",
            "1e-9",
            "1e400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0e9",
            "-0.0",
            "0",
            &long,
        ] {
            assert_eq!(plain(raw), None, "{raw}");
        }
    }
}
