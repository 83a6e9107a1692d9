//! Numbers are judged by value: whatever JSON's spelling of it, a number is redacted where the plain
//! one is, and left where the plain one is.

use std::sync::Arc;

use proptest::prelude::*;
use tamis::engine::{
    Plan,
    policy::{Numbers, Policy},
};

use crate::shipped;

fn clean(plan: &Arc<Plan>, line: &str) -> String {
    let out = shipped::process(plan, line.as_bytes());
    String::from_utf8(out.clean).unwrap().trim_end().to_owned()
}

/// `digits` with the point `places` further to the left, and an exponent that moves it back.
fn with_exponent(digits: &str, places: usize, exponent: &str) -> String {
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{whole}{point}{fraction}{exponent}{places}")
}

/// Some spellings of the integer `digits`.
fn spellings(digits: &str) -> Vec<String> {
    let mut all = vec![format!("{digits}.0"), format!("{digits}.000"), format!("{digits}e0")];
    all.push(format!("{digits}00e-2"));
    for places in [1, digits.len() / 2, digits.len() - 1, digits.len(), digits.len() + 3] {
        all.extend(["e", "E", "e+", "E+0"].map(|e| with_exponent(digits, places, e)));
    }
    let negative: Vec<_> = all.iter().map(|one| format!("-{one}")).collect();
    all.extend(negative);
    all.push(format!("-{digits}"));
    all
}

/// A number that is found under a key, and one that is not.
const NUMBERS: &[(&str, &str)] = &[
    ("card", "4111111111111111"),
    ("ssn", "536228145"),
    ("card_number", "378282246310005"),
    ("card", "4111111111111112"),
    ("trace_id", "4111111111111111"),
    ("count", "536228145"),
];

#[test]
fn every_spelling_is_what_the_plain_one_is() {
    let plan = shipped::default_plan();
    for (key, digits) in NUMBERS {
        for form in [
            "{\"K\":N}",
            "{\"K\":[0, N ]}",
            "{\"K\":{\"n\":N}}",
            r#"{"m":"{\"K\":N}"}"#,
            "{\"a\":{\"K\" : N}}",
        ] {
            let line = |n: &str| form.replace('K', key).replace('N', n);
            let plain = clean(&plan, &line(digits));
            let redacted = plain == line("null");
            assert!(redacted || plain == line(digits), "{plain}");
            for spelling in spellings(digits) {
                let wanted = if redacted { line("null") } else { line(&spelling) };
                assert_eq!(clean(&plan, &line(&spelling)), wanted, "{}", line(&spelling));
            }
        }
    }
}

#[test]
fn in_a_string_a_fraction_of_zeros_hides_nothing() {
    let plan = shipped::default_plan();
    for (key, digits, id) in
        [("card", "4111111111111111", "payment_card"), ("ssn", "536228145", "us_ssn_digits")]
    {
        let line = |value: &str| format!("{{\"{key}\":\"{value}\"}}");
        for spelling in [".0", ".000", "e0", ".0E+0"].map(|end| format!("{digits}{end}")) {
            let wanted = line(&format!("[REDACTED:{id}]"));
            assert_eq!(clean(&plan, &line(&spelling)), wanted, "{spelling}");
            assert_eq!(clean(&plan, &wanted), wanted);
        }
        for other in [".5", ".01"].map(|end| format!("{digits}{end}")) {
            assert_eq!(clean(&plan, &line(&other)), line(&other));
        }
    }
}

/// In strings and text a number goes whole: with its sign, its fraction of zeros, its exponent. Its digits
/// stand together there: else each fraction would be a candidate.
#[test]
fn in_text_a_spelling_hides_nothing() {
    let plan = shipped::default_plan();
    for (name, digits, id) in
        [("card", "4111111111111111", "payment_card"), ("ssn", "536228145", "us_ssn_digits")]
    {
        let endings = [".0", ".00000000000000000000", "e0", "E+00", ".0e0"];
        let mut all: Vec<_> = endings.iter().map(|end| format!("{digits}{end}")).collect();
        all.push(digits.to_owned());
        for spelling in all.iter().flat_map(|one| [one.clone(), format!("-{one}")]) {
            for form in [
                "{\"K\":\"N\"}",
                "{\"K\":[\"N\",\"N\"]}",
                "{\"m\":\"K N x\"}",
                "{\"m\":\"K=N, K: (N)\"}",
                r#"{"m":"{\"K\":\"N\"}"}"#,
            ] {
                let line = |n: &str| form.replace('K', name).replace('N', n);
                let wanted = line(&format!("[REDACTED:{id}]"));
                assert_eq!(clean(&plan, &line(&spelling)), wanted, "{}", line(&spelling));
                assert_eq!(clean(&plan, &wanted), wanted);
            }
        }
        for spelling in all {
            let out = clean(&plan, &format!("{{\"{name}\":\"+{spelling}\"}}"));
            assert!(out.contains(":\"[REDACTED:") && out.ends_with("]\"}"), "+{spelling}: {out}");
        }
        for spelling in [format!("{digits}.5"), format!("{digits}e1"), format!("x-{digits}")] {
            let line = format!("{{\"m\":\"{name} {spelling} x\"}}");
            assert_eq!(clean(&plan, &line), line);
        }
    }
}

#[test]
fn another_value_is_none() {
    for line in [
        r#"{"card":4111111111111111.5}"#,
        r#"{"card":4111111111111111e1}"#,
        r#"{"card":4111111111111111e-1}"#,
        r#"{"card":4.111e999999999999999999}"#,
        r#"{"card":-0.0e0,"ssn":1e9,"price":-12.50}"#,
    ] {
        assert_eq!(clean(&shipped::default_plan(), line), line);
    }
}

#[test]
fn zero_is_settled_however_it_is_spelt() {
    let policy = Policy { numbers: Numbers::Zero, ..Policy::default() };
    let plan = shipped::plan(|settings| settings.policy = policy);
    let line = r#"{"pin":[0,-0,0.0,-0.00E+5,0e9],"password":1.0}"#;
    let wanted = r#"{"pin":[0,-0,0.0,-0.00E+5,0e9],"password":0}"#;
    assert_eq!(clean(&plan, line), wanted);
}

proptest! {
    #[test]
    fn spelt_by_chance(card in any::<bool>(), places in 0..30usize, negative in any::<bool>()) {
        let (key, digits) = NUMBERS[usize::from(card)];
        let sign = if negative { "-" } else { "" };
        let line = format!("{{\"{key}\":{sign}{}}}", with_exponent(digits, places, "e"));
        let clean = clean(&shipped::default_plan(), &line);
        prop_assert_eq!(clean, format!("{{\"{key}\":null}}"), "{}", line);
    }
}
