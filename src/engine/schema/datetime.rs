//! `format: date-time`, that is `date-time` of RFC 3339, section 5.6.

use super::word::splat;

/// Whether `s` is an RFC 3339 `date-time`.
///
/// Exactly its grammar: years of four digits, `T` and `Z` in either case (no space), an offset that
/// isn't optional, any number of fraction digits. Months have their length, leap years of the
/// Gregorian calendar too (section 5.7); second 60 stands only at the end of a month in UTC. Which
/// months really had a leap second isn't known here.
pub(super) fn is_date_time(s: &[u8]) -> bool {
    let Some((head, tail)) = s.split_first_chunk::<19>() else { return false };
    let eight = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let date = pairs(eight(0), b"0000-00-");
    let time = pairs(eight(8) | LOWER_T, b"00t00:00");
    let end = pairs(eight(11), b"00:00:00");
    let (Some(date), Some(time), Some(end)) = (date, time, end) else { return false };
    let (year, month) = (u32::from(date[0]) * 100 + u32::from(date[2]), date[5]);
    let (day, hour, minute, second) = (time[0], time[3], time[6], end[6]);
    let in_range = (1..=12).contains(&month)
        && day >= 1
        && (day <= 28 || day <= days(year, month))
        && hour < 24
        && minute < 60
        && second <= 60;
    let Some(offset) = offset(fraction_skipped(tail)) else { return false };
    if second < 60 || !in_range {
        return in_range;
    }
    // Minutes since the local day began, in UTC: the day may end there, or a minute before it began.
    match i32::from(hour) * 60 + i32::from(minute) - offset {
        1439 => day == days(year, month),
        -1 => day == 1,
        _ => false,
    }
}

/// Makes the `T` of the time's word lower case.
const LOWER_T: u64 = 0x20 << 16;

/// In each place the number that the digit there and the next one spell; `None` unless `w` has digits
/// where `form` has `0`, and `form`'s own bytes elsewhere.
#[inline(always)]
fn pairs(w: u64, form: &[u8; 8]) -> Option<[u8; 8]> {
    const TOPS: u64 = splat(0x80);
    let digits = w ^ u64::from_le_bytes(*form);
    // Sets the top bit of a digit above 9, and of any other byte that isn't the form's.
    let past = u64::from_le_bytes(form.map(|b| if b == b'0' { 0x80 - 10 } else { 0x80 - 1 }));
    let wrong = (digits | digits.wrapping_add(past)) & TOPS;
    (wrong == 0).then(|| (digits * 10 + (digits >> 8)).to_le_bytes())
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
fn days(year: u32, month: u8) -> u8 {
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
