//! Telephone numbers: ITU-T E.164 (length, country codes) and the North American Numbering Plan.

/// A number in international (`+…`) or North American writing; the detector's regex has already
/// fixed the separators, an extension may follow.
pub(super) fn phone_number(text: &[u8]) -> bool {
    let end = text.iter().position(|b| b.is_ascii_alphabetic()).unwrap_or(text.len());
    let text = text[..end].trim_ascii_end();
    match text.strip_prefix(b"+") {
        Some(rest) => international(rest),
        None => {
            let (digits, len) = digits(text);
            north_american(&digits[..len.min(MAX)]) && len <= MAX
        }
    }
}

/// The most digits of an E.164 number.
const MAX: usize = 15;

/// `1 415 555 2671`, `49 170 1234567`. Where a number of another meaning stands one space behind,
/// the regex has taken it too: it is enough that some of the groups make a number.
fn international(text: &[u8]) -> bool {
    let (digits, len) = digits(text);
    match digits[0] {
        b'0' => false,
        b'1' => len == 11 && north_american(&digits[..len]),
        _ if text.iter().all(u8::is_ascii_digit) => {
            // Eight digits in one run are a counter or a clock (`m=+23456789`) far more often.
            (9..=MAX).contains(&len) && country(&digits[..len]) && !russia_is_short(digits[0], len)
        }
        _ => {
            text.iter().take_while(|b| b.is_ascii_digit()).count() < 8
                && !russia_is_short(digits[0], len)
                && country(&digits[..len.min(MAX)])
                && ends_of_groups(text).any(|n| (8..=MAX).contains(&n))
        }
    }
}

/// Ten digits, or eleven with a leading 1: area and exchange begin with 2 to 9 and are no service
/// codes (`N11`), the area's second digit is no 9.
fn north_american(digits: &[u8]) -> bool {
    let national = match digits {
        [b'1', rest @ ..] if rest.len() == 10 => rest,
        all => all,
    };
    let &[a, b, c, d, e, f, ..] = national else { return false };
    national.len() == 10
        && (b'2'..=b'9').contains(&a)
        && b != b'9'
        && [b, c] != *b"11"
        && (b'2'..=b'9').contains(&d)
        && [e, f] != *b"11"
}

/// +7 has eleven digits, always.
fn russia_is_short(first: u8, len: usize) -> bool {
    first == b'7' && len < 11
}

/// Whether the digits begin with an assigned country code.
fn country(digits: &[u8]) -> bool {
    matches!(
        digits,
        [b'7', ..]
            | [b'2', b'0' | b'7', ..]
            | [b'2', b'1'..=b'6' | b'9', _, ..]
            | [b'3', b'0' | b'1' | b'2' | b'3' | b'4' | b'6' | b'9', ..]
            | [b'3', b'5' | b'7' | b'8', _, ..]
            | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
            | [b'4', b'2', b'0' | b'1' | b'3', ..]
            | [b'5', b'1'..=b'8', ..]
            | [b'5', b'0' | b'9', _, ..]
            | [b'6', b'0'..=b'6', ..]
            | [b'6', b'7' | b'8' | b'9', _, ..]
            | [b'8', b'1' | b'2' | b'4' | b'6', ..]
            | [b'8', b'0' | b'5' | b'7' | b'8', _, ..]
            | [b'9', b'0'..=b'5' | b'8', ..]
            | [b'9', b'6' | b'7' | b'9', _, ..]
    )
}

/// The digits, and how many there are in all (which may be more than are kept).
fn digits(text: &[u8]) -> ([u8; MAX + 1], usize) {
    let mut kept = [0; MAX + 1];
    let mut len = 0;
    for &digit in text.iter().filter(|b| b.is_ascii_digit()) {
        if let Some(slot) = kept.get_mut(len) {
            *slot = digit;
        }
        len += 1;
    }
    (kept, len)
}

/// How many digits stand before the end of each group.
fn ends_of_groups(text: &[u8]) -> impl Iterator<Item = usize> {
    let mut count = 0;
    text.iter().enumerate().filter_map(move |(i, b)| {
        count += usize::from(b.is_ascii_digit());
        let last = text.get(i + 1).is_none_or(|next| !next.is_ascii_digit());
        (b.is_ascii_digit() && last).then_some(count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for good in [
            "+14155552671",
            "+1 (415) 555-0132",
            "415-555-2671",
            "(415) 555-2671",
            "1-415-555-2671",
            "415.555.2671",
            "+49 170 1234567",
            "+33 1 42 68 53 00",
            "+55 11 98456 5666",
            "+3545551234",
            "+7 495 123-45-67",
            "415-555-2671 x12",
            "+49 170 1234567 20240506",
        ] {
            assert!(phone_number(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for bad in [
            "+12345678",            // a monotonic clock
            "+53753544",            // and another
            "+1 115 555 2671",      // area
            "+0123456789",          // no country begins with 0
            "+2101234",             // too short
            "+1234567890123456789", // too long
            "415-155-2671",         // exchange
            "411-555-2671",         // service code
            "294-911-2671",         // reserved area, service code
            "415.555.2671.5",       // an object identifier
            "+73012345",            // Russia has eleven digits
            "+23456789.1",          // a measurement
            "",
        ] {
            assert!(!phone_number(bad.as_bytes()), "{bad}");
        }
    }
}
