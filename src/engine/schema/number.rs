//! Numbers by value, exactly, from their JSON spelling: 1e400 and hundred-digit integers too.

use std::cmp::Ordering;

/// A JSON number as it was spelled, cut into sign, significant digits and the decimal point's place.
///
/// The value is `0.d₁d₂… × 10^point`; no digits mean zero. Exponents beyond 64 bits count as the
/// largest of 64 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal<'a> {
    negative: bool,
    /// The digits before the point and those behind it; no zeros at either end of the whole.
    head: &'a [u8],
    tail: &'a [u8],
    point: i64,
}

impl<'a> Decimal<'a> {
    /// Reads a number's JSON spelling, which must be valid (otherwise the value is some number).
    pub(super) fn new(raw: &'a [u8]) -> Self {
        let (negative, raw) = raw.strip_prefix(b"-").map_or((false, raw), |rest| (true, rest));
        let e = raw.iter().position(|b| matches!(b, b'e' | b'E'));
        let (digits, exponent) = e.map_or((raw, 0), |e| (&raw[..e], exponent(&raw[e + 1..])));
        let dot = digits.iter().position(|&b| b == b'.');
        let (head, tail) = dot.map_or((digits, &[][..]), |d| (&digits[..d], &digits[d + 1..]));
        let zeros = |s: &[u8]| s.iter().take_while(|&&b| b == b'0').count();
        let zeros_behind = |s: &[u8]| s.iter().rev().take_while(|&&b| b == b'0').count();

        let head = &head[zeros(head)..];
        let mut point = exponent.saturating_add(head.len() as i64);
        let mut tail = &tail[..tail.len() - zeros_behind(tail)];
        if head.is_empty() {
            point = exponent.saturating_sub(zeros(tail) as i64);
            tail = &tail[zeros(tail)..];
        }
        let head = if tail.is_empty() { &head[..head.len() - zeros_behind(head)] } else { head };
        let zero = head.is_empty() && tail.is_empty();
        Self { negative: negative && !zero, head, tail, point: if zero { 0 } else { point } }
    }

    /// A mathematical integer, however it is spelled: `1.0` and `1e2` are, `1e-1` isn't.
    pub(super) fn is_integer(&self) -> bool {
        self.is_zero() || self.point >= (self.head.len() + self.tail.len()) as i64
    }

    fn is_zero(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    fn sign(&self) -> i8 {
        if self.is_zero() { 0 } else { 1 - 2 * i8::from(self.negative) }
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.head.iter().chain(self.tail).copied()
    }

    /// The value as a count (`3`, `3.0`, `3e0`); `None` below zero or between integers.
    /// A count beyond `usize` is the largest `usize`.
    pub(super) fn count(&self) -> Option<usize> {
        if self.negative || !self.is_integer() {
            return None;
        }
        if self.point > 20 {
            return Some(usize::MAX);
        }
        let padded = self.digits().chain(std::iter::repeat(b'0'));
        let digit = |n: usize, d: u8| n.saturating_mul(10).saturating_add(usize::from(d & 15));
        Some(padded.take(self.point.max(0) as usize).fold(0, digit))
    }
}

/// The exponent behind the `e`.
fn exponent(raw: &[u8]) -> i64 {
    let negative = raw.first() == Some(&b'-');
    let digits = raw.strip_prefix(b"+").or(raw.strip_prefix(b"-")).unwrap_or(raw);
    let n =
        digits.iter().fold(0i64, |n, &d| n.saturating_mul(10).saturating_add(i64::from(d & 15)));
    if negative { -n } else { n }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sign().cmp(&other.sign()).then_with(|| {
            // Without zeros at the ends, digits compare like words: a longer one wins.
            let size = self.point.cmp(&other.point).then_with(|| self.digits().cmp(other.digits()));
            if self.negative { size.reverse() } else { size }
        })
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal<'_> {}

/// Whether `raw` spells an integer by value; the plain spelling is decided at a glance.
pub(super) fn is_integer(raw: &[u8]) -> bool {
    let plain = !raw.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
    plain || Decimal::new(raw).is_integer()
}

/// A bound of `minimum` or `maximum`.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    raw: Box<[u8]>,
    /// The bound as a small integer, if it is one.
    small: Option<i64>,
}

impl Bound {
    pub(super) fn new(raw: &str) -> Self {
        let small =
            small(raw.as_bytes()).or_else(|| Decimal::new(raw.as_bytes()).is_zero().then_some(0));
        Self { raw: raw.as_bytes().into(), small }
    }

    /// How the number spelled `raw` compares with the bound.
    pub(super) fn compare(&self, raw: &[u8]) -> Ordering {
        match (small(raw), self.small) {
            (Some(n), Some(bound)) => n.cmp(&bound),
            // `12.5` against 0: the sign says it, and mostly the first byte already does.
            (None, Some(0)) if matches!(raw.first(), Some(b'1'..=b'9')) => Ordering::Greater,
            (None, Some(0)) => Decimal::new(raw).sign().cmp(&0),
            _ => Decimal::new(raw).cmp(&Decimal::new(&self.raw)),
        }
    }
}

/// The value of a plain integer of at most 18 digits.
fn small(raw: &[u8]) -> Option<i64> {
    let (negative, digits) = raw.strip_prefix(b"-").map_or((false, raw), |rest| (true, rest));
    if digits.len() > 18 {
        return None;
    }
    let mut n = 0i64;
    for &d in digits {
        let d = d.wrapping_sub(b'0');
        if d > 9 {
            return None;
        }
        n = n * 10 + i64::from(d);
    }
    Some(if negative { -n } else { n })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cmp(a: &str, b: &str) -> Ordering {
        let by_value = Decimal::new(a.as_bytes()).cmp(&Decimal::new(b.as_bytes()));
        assert_eq!(Bound::new(b).compare(a.as_bytes()), by_value, "{a} {b}");
        assert_eq!(Bound::new(a).compare(b.as_bytes()), by_value.reverse(), "{b} {a}");
        by_value
    }

    #[test]
    fn compares_by_value() {
        let rising = [
            "-1e400",
            "-123456789012345678901234567890",
            "-1e2",
            "-99.9",
            "-1",
            "-1e-1",
            "-1e-400",
            "-0.0",
            "1e-999999999999999999999",
            "1e-400",
            "0.001",
            "0.0011",
            "0.1",
            "0.99",
            "1",
            "1.0000000000000000000000000001",
            "9",
            "10",
            "10.5",
            "11",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "170141183460469231731687303715884105728",
            "1e100",
            "1e400",
            "2e400",
            "1e999999999999999999999",
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(cmp(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn spelling_does_not_count() {
        for same in [
            &["0", "-0", "0.0", "0e9", "-0.00E-5", "0e99999999999999999999"][..],
            &["1", "1.0", "10e-1", "0.1e1", "1E0", "0.001e+3", "1.000e00"],
            &["-120", "-1.2e2", "-12e1", "-0.12E+3", "-120.0"],
            &["1e400", "10e399", "0.01e402"],
        ] {
            for (a, b) in same.iter().flat_map(|a| same.iter().map(move |b| (a, b))) {
                assert_eq!(cmp(a, b), Ordering::Equal, "{a} {b}");
            }
        }
    }

    #[test]
    fn integers() {
        for n in [
            "0",
            "-0.0",
            "0e-5",
            "1",
            "1.0",
            "1e400",
            "1.5e1",
            "100e-2",
            "-12.30e1",
            "1e99999999999999999999",
        ] {
            assert!(is_integer(n.as_bytes()), "{n}");
        }
        assert!(is_integer("9".repeat(100).as_bytes()));
        for n in ["1.5", "1e-1", "0.1", "1.05e1", "-1e-400", "12.345e2", "1e-99999999999999999999"]
        {
            assert!(!is_integer(n.as_bytes()), "{n}");
        }
    }

    #[test]
    fn counts() {
        let count = |n: &str| Decimal::new(n.as_bytes()).count();
        assert_eq!(count("0"), Some(0));
        assert_eq!(count("2.0"), Some(2));
        assert_eq!(count("12e1"), Some(120));
        assert_eq!(count("1e400"), Some(usize::MAX));
        assert_eq!(count("99999999999999999999"), Some(usize::MAX));
        assert_eq!(count("-1"), None);
        assert_eq!(count("1.5"), None);
    }

    proptest! {
        #[test]
        fn like_integers(a in -1_000_000i128..1_000_000, b in -1_000_000i128..1_000_000, e in 0..6u32) {
            // a × 10^-e against b
            let scaled = b * 10i128.pow(e);
            prop_assert_eq!(cmp(&format!("{a}e-{e}"), &b.to_string()), a.cmp(&scaled));
            prop_assert_eq!(is_integer(format!("{a}e-{e}").as_bytes()), a % 10i128.pow(e) == 0);
        }

        #[test]
        fn like_floats(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a.is_finite() && b.is_finite());
            prop_assert_eq!(Some(cmp(&format!("{a:?}"), &format!("{b:?}"))), a.partial_cmp(&b));
            prop_assert_eq!(Some(cmp(&format!("{a:e}"), &format!("{a}"))), Some(Ordering::Equal));
        }

        #[test]
        fn total(raw in prop::collection::vec(prop::sample::select(b"-+.eE0123x".to_vec()), 0..20)) {
            let n = Decimal::new(&raw);
            let _ = (n.count(), is_integer(&raw), Bound::new("1").compare(&raw));
        }
    }
}
