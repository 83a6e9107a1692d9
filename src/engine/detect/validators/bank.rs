//! IBAN: ISO 13616-1, with the lengths of SWIFT's registry; check digits by ISO/IEC 7064 MOD 97-10.

/// Country and length, sorted by country.
const LENGTHS: [(&[u8; 2], u8); 89] = [
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16),
    (b"BG", 22), (b"BH", 22), (b"BI", 27), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22),
    (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DJ", 27), (b"DK", 18), (b"DO", 28), (b"EE", 20),
    (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FK", 18), (b"FO", 18), (b"FR", 27), (b"GB", 22),
    (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HN", 28), (b"HR", 21),
    (b"HU", 28), (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26), (b"IT", 27), (b"JO", 30),
    (b"KW", 30), (b"KZ", 20), (b"LB", 28), (b"LC", 32), (b"LI", 21), (b"LT", 20), (b"LU", 20),
    (b"LV", 21), (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22), (b"MK", 19), (b"MN", 20),
    (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NI", 28), (b"NL", 18), (b"NO", 15), (b"OM", 23),
    (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22),
    (b"RU", 33), (b"SA", 24), (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24),
    (b"SM", 27), (b"SO", 23), (b"ST", 25), (b"SV", 28), (b"TL", 23), (b"TN", 24), (b"TR", 26),
    (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20), (b"YE", 30),
];

/// An IBAN in capitals without separators: a country of the registry, its length, check digits.
pub(super) fn iban(text: &[u8]) -> bool {
    let Some(country) = text.first_chunk::<2>() else { return false };
    let Ok(found) = LENGTHS.binary_search_by(|(code, _)| (*code).cmp(country)) else {
        return false;
    };
    text.len() == usize::from(LENGTHS[found].1)
        && text[2..4].iter().all(u8::is_ascii_digit)
        && mod97(text) == Some(1)
}

/// The remainder by 97 of the number that the text stands for: its first four characters moved to
/// the end, letters as 10 to 35.
fn mod97(text: &[u8]) -> Option<u32> {
    text[4..].iter().chain(&text[..4]).try_fold(0, |rest: u32, &byte| match byte {
        b'0'..=b'9' => Some((rest * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((rest * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_registry() {
        for good in [
            "DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606",
            "NO9386011117947", "BE68539007547034", "NL91ABNA0417164300", "CH9300762011623852957",
            "MT84MALT011000012345MTLCAST001S", "LC55HEMM000100010012001200023015",
            "BR9700360305000010009795493P1", "XK051212012345678906",
        ] {
            assert!(iban(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn what_is_no_iban() {
        for bad in [
            "DE89370400440532013001",  // check digits
            "DE8937040044053201300",   // length
            "ZZ89370400440532013000",  // country
            "DEAB370400440532013000",  // check digits that are none
            "DE89370400440532O1300x",  // not normalised
            "DE", "",
        ] {
            assert!(!iban(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(LENGTHS.windows(2).all(|w| w[0].0 < w[1].0));
    }
}
