//! US social security numbers, by the Social Security Administration's numbering rules (20 CFR
//! 422.103; RM 10201.035): what was never assigned is refused.

/// Nine digits: no area 000, 666 or from 900 on, no group 00, no serial 0000.
pub(super) fn us_ssn(digits: &[u8]) -> bool {
    let &[a, b, c, d, e, ref serial @ ..] = digits else { return false };
    digits.len() == 9
        && digits.iter().all(u8::is_ascii_digit)
        && a != b'9'
        && ![*b"000", *b"666"].contains(&[a, b, c])
        && [d, e] != *b"00"
        && serial != b"0000"
        && !(digits.windows(2).all(|pair| pair[0] == pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assigned_ranges() {
        for good in ["123456789", "078051123", "899990001", "001010001"] {
            assert!(us_ssn(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn never_assigned() {
        for bad in [
            "000123456",
            "666123456",
            "900123456",
            "987654321",
            "123006789",
            "123450000",
            "111111111",
            "12345678",
            "1234567890",
            "12345678x",
            "",
        ] {
            assert!(!us_ssn(bad.as_bytes()), "{bad}");
        }
    }
}
