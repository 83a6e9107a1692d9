//! Checks in code, for what a regular expression cannot say: checksums, issuer tables, ranges.
//!
//! A validator is pure: the match, normalised as its detector asks, goes in; whether it can be
//! real comes out. It allocates nothing, and it never sees what stands around the match.

mod address;
mod bank;
mod card;
mod credentials;
mod ip;
mod phone;
mod ssn;

/// The validator that packs call `name`; `None` where there is none of that name.
pub(crate) fn by_name(name: &str) -> Option<fn(&[u8]) -> bool> {
    Some(match name {
        "email_address" => address::email_address,
        "flag_value" => credentials::flag_value,
        "http_credentials" => credentials::http_credentials,
        "iban" => bank::iban,
        "ipv4_global" => ip::ipv4_global,
        "ipv6_global" => ip::ipv6_global,
        "payment_card" => card::payment_card,
        "phone_number" => phone::phone_number,
        "us_ssn" => ssn::us_ssn,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::by_name;
    use crate::engine::detect::Pack;

    #[test]
    fn every_validator_of_the_packs_exists() {
        let packs = [
            ("core.toml", include_str!("../../../patterns/core.toml")),
            ("secrets.toml", include_str!("../../../patterns/secrets.toml")),
        ];
        for (file, text) in packs {
            for detector in Pack::parse(file, text).unwrap().detectors {
                if let Some(name) = &detector.validator {
                    assert!(by_name(name).is_some(), "{}: no validator {name}", detector.id);
                }
            }
        }
    }

    #[test]
    fn every_validator_survives_any_short_input() {
        let packs_schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../schemas/pack.json")).unwrap();
        let names = packs_schema["$defs"]["detector"]["properties"]["validator"]["enum"]
            .as_array()
            .unwrap()
            .clone();
        assert!(!names.is_empty());
        let inputs: [&[u8]; 8] =
            [b"", b"@", b"+", b".", b"%", b"0", b"\xff\xfe\x80", b"(((((((((((((((((((((((((("];
        for name in &names {
            let name = name.as_str().unwrap();
            let check = by_name(name).unwrap_or_else(|| panic!("the schema names {name}"));
            for input in inputs {
                assert!(!check(input), "{name} takes {input:?}");
            }
        }
    }

    #[test]
    fn an_unknown_name_is_none() {
        assert!(by_name("luhm").is_none());
    }
}
