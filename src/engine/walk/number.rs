//! RFC 8259 numbers, eight digits at a time.

#[inline(always)]
fn digits(b: &[u8], at: usize) -> usize {
    let mut n = 0;
    loop {
        let Some(w) = b.get(at + n..at + n + 8).and_then(|w| w.first_chunk::<8>()) else { return n };
        let x = u64::from_le_bytes(*w) ^ 0x3030_3030_3030_3030;
        let other = (x.wrapping_add(0x7676_7676_7676_7676) | x) & 0x8080_8080_8080_8080;
        let k = (other.trailing_zeros() / 8) as usize;
        n += k;
        if k < 8 {
            return n;
        }
    }
}

/// The length of the number at `at`; 0 if there is none. Any size and precision is a number.
#[inline(always)]
pub(super) fn len(b: &[u8], at: usize) -> usize {
    let mut n = usize::from(b[at] == b'-');
    let whole = digits(b, at + n);
    if whole == 0 || (whole > 1 && b[at + n] == b'0') {
        return 0;
    }
    n += whole;
    if b[at + n] == b'.' {
        let fraction = digits(b, at + n + 1);
        if fraction == 0 {
            return 0;
        }
        n += 1 + fraction;
    }
    if b[at + n] | 0x20 == b'e' {
        let mut k = n + 1;
        if matches!(b[at + k], b'+' | b'-') {
            k += 1;
        }
        let exponent = digits(b, at + k);
        if exponent == 0 {
            return 0;
        }
        n = k + exponent;
    }
    n
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers() {
        let len = |s: &str| {
            let mut b = s.as_bytes().to_vec();
            b.extend_from_slice(&[b'\n'; 64]);
            super::len(&b, 0)
        };
        for ok in ["0", "-0", "10", "1.50", "1e400", "1E+2", "-12.5e-3", "123456789012345678901234567890"] {
            assert_eq!(len(ok), ok.len(), "{ok}");
        }
        for bad in ["-", "01", "1.", "1.e2", "1e", "1e+", ".5", "+1", "-a"] {
            assert_eq!(len(bad), 0, "{bad}");
        }
        assert_eq!(len("12,"), 2);
        assert_eq!(len("0x"), 1);
    }
}
