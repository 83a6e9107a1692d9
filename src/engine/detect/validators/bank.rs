//! IBAN: ISO 13616-1, with the lengths of SWIFT's registry; check digits by ISO/IEC 7064 MOD 97-10.

/// Lengths, and the countries that use them.
const LENGTHS: [(usize, &str); 18] = [
    (15, "NO"),
    (16, "BE"),
    (18, "DK FI FK FO GL NL SD"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU MN XK"),
    (21, "CH HR LI LV"),
    (22, "BG BH CR DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ OM SO TL"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "LY PT ST"),
    (26, "IS TR"),
    (27, "BI DJ FR GR IT MC MR SM"),
    (28, "AL AZ BY CY DO GT HN HU LB NI PL SV"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (33, "RU"),
];

/// An IBAN in capitals without separators: a country of the registry, its length, check digits.
pub(super) fn iban(text: &[u8]) -> bool {
    let Some(country) = text.first_chunk::<2>() else { return false };
    let of_length = LENGTHS.iter().find(|(length, _)| *length == text.len());
    of_length.is_some_and(|(_, codes)| codes.split(' ').any(|code| code.as_bytes() == country))
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
            "DE89370400440532013000",
            "GB29NWBK60161331926819",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "BE68539007547034",
            "NL91ABNA0417164300",
            "CH9300762011623852957",
            "MT84MALT011000012345MTLCAST001S",
            "LC55HEMM000100010012001200023015",
            "BR9700360305000010009795493P1",
            "XK051212012345678906",
        ] {
            assert!(iban(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn what_is_no_iban() {
        for bad in [
            "DE89370400440532013001", // check digits
            "DE8937040044053201300",  // length
            "ZZ89370400440532013000", // country
            "DEAB370400440532013000", // check digits that are none
            "DE89370400440532O1300x", // not normalised
            "DE",
            "",
        ] {
            assert!(!iban(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn every_country_has_one_length() {
        let codes: Vec<_> = LENGTHS.iter().flat_map(|(_, codes)| codes.split(' ')).collect();
        assert_eq!(codes.len(), codes.iter().collect::<std::collections::HashSet<_>>().len());
        assert!(codes.iter().all(|code| code.len() == 2) && codes.len() == 89);
    }
}
