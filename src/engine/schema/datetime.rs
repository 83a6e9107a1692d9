//! `format: date-time`, that is `date-time` of RFC 3339, section 5.6.

/// Whether `s` is an RFC 3339 `date-time`.
///
/// Exactly its grammar: years of four digits, `T` and `Z` in either case (no space), an offset that
/// isn't optional, any number of fraction digits. Months have their length, leap years of the
/// Gregorian calendar too (section 5.7); second 60 stands only at the end of a month in UTC. Which
/// months really had a leap second isn't known here.
pub(super) fn is_date_time(s: &[u8]) -> bool {
    let Some((head, tail)) = s.split_at_checked(19) else { return false };
    // One pass over the digits: each group's value, out of range if a byte isn't a digit.
    let pair = |at: usize| {
        let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        if tens > 9 || ones > 9 { u32::from(u8::MAX) } else { u32::from(tens * 10 + ones) }
    };
    let marks = (head[4], head[7], head[10] | 0x20, head[13], head[16]);
    let (century, year) = (pair(0), pair(2));
    let (month, day) = (pair(5), pair(8));
    let (hour, minute, second) = (pair(11), pair(14), pair(17));
    let in_range = century < 100
        && year < 100
        && (1..=12).contains(&month)
        && day >= 1
        && day <= days(century * 100 + year, month)
        && hour < 24
        && minute < 60
        && second <= 60;
    if marks != (b'-', b'-', b't', b':', b':') || !in_range {
        return false;
    }
    let Some(offset) = offset(fraction_skipped(tail)) else { return false };
    if second < 60 {
        return true;
    }
    // Minutes since the local day began, in UTC: the day may end there, or one minute before it began.
    match (hour * 60 + minute) as i32 - offset {
        1439 => day == days(century * 100 + year, month),
        -1 => day == 1,
        _ => false,
    }
}

/// What follows the fraction of a second; all of it where there is none.
fn fraction_skipped(tail: &[u8]) -> &[u8] {
    let Some(digits) = tail.strip_prefix(b".") else { return tail };
    let n = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    // A point without a digit is left standing, for the offset to be refused.
    if n == 0 { tail } else { &digits[n..] }
}

/// The offset from UTC in minutes.
fn offset(s: &[u8]) -> Option<i32> {
    if matches!(s, [b'Z' | b'z']) {
        return Some(0);
    }
    let &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = s else { return None };
    let digit = |b: u8| char::from(b).to_digit(10);
    let hours = digit(h1)? * 10 + digit(h2)?;
    let minutes = digit(m1)? * 10 + digit(m2)?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = (hours * 60 + minutes) as i32;
    Some(if sign == b'-' { -offset } else { offset })
}

/// The days of a month.
fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepted() {
        for s in [
            "2026-01-02T03:04:05Z",
            "2026-01-02t03:04:05z",
            "2026-12-31T23:59:59.999999999999+14:00",
            "0000-01-01T00:00:00-23:59",
            "2024-02-29T00:00:00Z",
            "2000-02-29T00:00:00.1Z",
            "1990-12-31T23:59:60Z",
            "1990-12-31T15:59:60-08:00",
            "1991-01-01T05:29:60.5+05:30",
            "2012-06-30T23:59:60Z",
            "2026-06-30T23:59:60+00:00",
            "2026-06-30T23:59:59-00:00",
            "2024-03-01T00:59:60+01:00",
        ] {
            assert!(is_date_time(s.as_bytes()), "{s}");
        }
    }

    #[test]
    fn refused() {
        for s in [
            "",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05Z",
            "2026-01-02T03:04Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05,5Z",
            "2026-01-02T03:04:05+0100",
            "2026-01-02T03:04:05+01",
            "2026-01-02T03:04:05+24:00",
            "2026-01-02T03:04:05+01:60",
            "2026-01-02T03:04:05ZZ",
            "2026-01-02T03:04:05Z\n",
            " 2026-01-02T03:04:05Z",
            "2026-13-02T03:04:05Z",
            "2026-00-02T03:04:05Z",
            "2026-01-00T03:04:05Z",
            "2026-04-31T03:04:05Z",
            "2026-02-29T03:04:05Z",
            "1900-02-29T03:04:05Z",
            "2026-01-02T24:00:00Z",
            "2026-01-02T03:60:05Z",
            "2026-01-02T03:04:61Z",
            "2026-01-02T23:59:60Z",
            "1990-12-31T23:58:60Z",
            "1990-12-31T23:59:60-08:00",
            "2026-01-02T0৪:04:05Z",
            "20260102T030405Z",
            "+2026-01-02T03:04:05Z",
            "2026/01/02T03:04:05Z",
        ] {
            assert!(!is_date_time(s.as_bytes()), "{s}");
        }
    }

    proptest! {
        #[test]
        fn total(s in prop::collection::vec(any::<u8>(), 0..40), t in "[0-9TtZz:.+-]{0,32}") {
            is_date_time(&s);
            is_date_time(t.as_bytes());
        }

        #[test]
        fn one_byte_off(i in 0..20usize, b in any::<u8>()) {
            let mut s = *b"2026-01-02T03:04:05Z";
            let free = s[i].is_ascii_digit();
            s[i] = b;
            prop_assert!(!is_date_time(&s) || free && b.is_ascii_digit() || matches!((i, b), (10, b't' | b'T') | (19, b'z' | b'Z')) || s == *b"2026-01-02T03:04:05Z");
        }
    }
}
