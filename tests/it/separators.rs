//! What may stand between a name and its value: control characters and colours hide nothing.

use crate::shipped;

/// What terminals and careless writers put there.
const BETWEEN: &[&str] = &[
    "",
    "\0",
    "\x01",
    "\x08",
    "\t",
    "\x0b",
    "\x0c",
    "\x7f",
    "\u{80}",
    "\u{9f}",
    "\u{a0}",
    " \0 ",
    "\0\x01\x02",
    "\x1b[m",
    "\x1b[0m",
    "\x1b[22;39m",
    "\x1b[38;5;208m\x1b[1m",
];

/// JSON with an escape for each character that is no plain ASCII, as most encoders write it.
fn escaped(json: &str) -> String {
    let escape = |c: char| match c {
        ' '..='~' => c.to_string(),
        _ => format!("\\u{:04x}", u32::from(c)),
    };
    json.chars().map(escape).collect()
}

#[test]
fn around_the_sign_they_hide_nothing() {
    let (plan, mut left) = (shipped::default_plan(), vec![]);
    for between in BETWEEN {
        for name in ["password", "api_key", "\"password\""] {
            for sign in ["=", ": ", " = "] {
                for text in [
                    format!("x {name}{between}{sign}trombone7 y"),
                    format!("x {name}{sign}{between}trombone7 y"),
                    format!("{between}{name}{between}{sign}{between}trombone7"),
                ] {
                    let json = escaped(&serde_json::json!({ "m": text }).to_string());
                    let nested = escaped(&serde_json::json!({ "m": json }).to_string());
                    for line in [json, nested, text] {
                        let out = shipped::process(&plan, line.as_bytes());
                        let clean = String::from_utf8(out.clean).unwrap();
                        if clean.contains("trombone7") || !clean.contains(":secret_assignment]") {
                            left.push(format!("{line:?}\n{clean}"));
                        }
                    }
                }
            }
        }
    }
    assert!(left.is_empty(), "{} are left:\n{}", left.len(), left.join("\n"));
}

#[test]
fn a_colour_begins_no_word() {
    let plan = shipped::default_plan();
    for (token, id) in [
        ("ghp_000000000000000000000000000000000000", "github_token"),
        ("AKIAIOSFODNN7EXAMPLE", "aws_access_key_id"),
        ("4111111111111111", "payment_card"),
        ("219-09-9999", "us_ssn"),
        ("DE89370400440532013000", "iban"),
        ("2a02:8109:9440:1c9c::1", "ipv6"),
    ] {
        for colour in ["\x1b[m", "\x1b[31m", "\x1b[1;36m", "\x1b[38;5;208m"] {
            let text = |what: &str| format!("x {colour}{what}\x1b[0m y");
            let event = |what: &str| serde_json::json!({ "m": text(what) }).to_string();
            let plain = shipped::process(&plan, format!("{{\"m\":\"x {token} y\"}}").as_bytes());
            let plain = String::from_utf8(plain.clean).unwrap();
            let becomes =
                plain.trim_end().trim_start_matches("{\"m\":\"x ").trim_end_matches(" y\"}");
            assert_ne!(becomes, token, "{id}");
            let out = shipped::process(&plan, event(token).as_bytes());
            assert_eq!(String::from_utf8(out.clean).unwrap().trim_end(), event(becomes), "{id}");
            let out = shipped::process(&plan, text(token).as_bytes());
            assert!(!String::from_utf8(out.clean).unwrap().contains(token), "{id}");
        }
    }
}
