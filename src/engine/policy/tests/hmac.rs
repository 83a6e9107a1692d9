//! Pseudonyms: every carrier of a finding, and what holds for all of them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::{Action, Numbers, Policy, Rule, all, clean, plan, rule, run};
use crate::engine::policy::{KeyRing, PseudonymKey};

const HMAC: Action = Action::Hmac { key: 0 };
const EMAIL: &str = "ada@example.com";

fn key(id: &str, secret: u8) -> PseudonymKey {
    PseudonymKey::new(id, &[secret; 16]).unwrap()
}

fn ring(name: &str, active: PseudonymKey, previous: Vec<PseudonymKey>) -> KeyRing {
    KeyRing { name: name.into(), active, previous }
}

fn policy(rules: Vec<Rule>) -> Policy {
    let keys = vec![
        ring("person", key("2026-11", 1), vec![key("2026-10", 2)]),
        ring("other", key("078-05-1120", 3), vec![]),
    ];
    Policy { rules, keys, ..Policy::default() }
}

fn emails() -> Policy {
    policy(vec![rule("", &["email"], HMAC)])
}

/// The pseudonym of a value by the active key.
fn p(value: &str) -> String {
    key("2026-11", 1).pseudonym(value.as_bytes())
}

/// `wanted` with the pseudonym of an address in the place of `<it>`.
fn cases(policy: Policy, cases: &[(&str, &str)]) {
    let wanted = |text: &str| {
        ["ada@example.com", "bob@example.com", "4111111111111111", "-5", "x y", "a\"\u{e9}"]
            .iter()
            .fold(text.to_owned(), |text, value| text.replace(&format!("<{value}>"), &p(value)))
    };
    let made: Vec<_> = cases.iter().map(|(event, text)| (*event, wanted(text))).collect();
    let made: Vec<_> = made.iter().map(|(event, text)| (*event, text.as_str())).collect();
    all(policy, &made);
}

#[test]
fn a_finding_becomes_a_pseudonym_wherever_it_stands() {
    cases(
        emails(),
        &[
            (r#"{"u":"ada@example.com"}"#, r#"{"u":"<ada@example.com>"}"#),
            (r#"{"u":"to ada@example.com, now"}"#, r#"{"u":"to <ada@example.com>, now"}"#),
            (r#"{"u":"\u0061da\u0040example.com"}"#, r#"{"u":"<ada@example.com>"}"#),
            (r#"{"u":"u=ada%40example.com&x"}"#, r#"{"u":"u=<ada@example.com>&x"}"#),
            (
                r#"{"u":"{\"a\":\"\\u0061da@example.com\"}"}"#,
                r#"{"u":"{\"a\":\"<ada@example.com>\"}"}"#,
            ),
            (
                r#"{"u":"got {\"a\":[\"bob@example.com\"]} of ada@example.com"}"#,
                r#"{"u":"got {\"a\":[\"<bob@example.com>\"]} of <ada@example.com>"}"#,
            ),
            (r#"{"ada@example.com":{"n":1}}"#, r#"{"<ada@example.com>":{"n":1}}"#),
            (r#"{"\u0061da@example.com\n":1}"#, r#"{"<ada@example.com>\n":1}"#),
            (
                r#"{"m":"{\"ada@example.com\":\"ada@example.com\"}"}"#,
                r#"{"m":"{\"<ada@example.com>\":\"<ada@example.com>\"}"}"#,
            ),
            ("mail to ada@example.com", r#"{"message":"mail to <ada@example.com>"}"#),
            (
                r#"user={"m":"ada@example.com"}"#,
                r#"{"message":"user={\"m\":\"<ada@example.com>\"}"}"#,
            ),
        ],
    );
}

#[test]
fn whole_values_by_path_and_by_key_become_pseudonyms() {
    cases(
        policy(vec![
            rule("name", &[], HMAC),
            rule("", &["secret_field", "secret_assignment"], HMAC),
        ]),
        &[
            (r#"{"name":"x y"}"#, r#"{"name":"<x y>"}"#),
            (r#"{"name":"a\"\u00e9"}"#, r#"{"name":"<a"é>"}"#),
            (r#"{"name":["x y",{"a":"x y"},""]}"#, r#"{"name":["<x y>",{"a":"<x y>"},""]}"#),
            (r#"{"name":true,"m":1}"#, r#"{"name":null,"m":1}"#),
            (r#"{"password":"x y"}"#, r#"{"password":"<x y>"}"#),
            (r#"{"m":"--password='x y' z"}"#, r#"{"m":"--password='<x y>' z"}"#),
        ],
    );
}

#[test]
fn a_number_becomes_what_numbers_says() {
    let rules = || vec![rule("n", &[], HMAC), rule("", &["payment_card"], HMAC)];
    let event = r#"{"n":-5,"card":4111111111111111,"s":"{\"n\":-5}"}"#;
    for (numbers, wanted) in [
        (Numbers::Null, r#"{"n":null,"card":null,"s":"{\"n\":null}"}"#),
        (Numbers::Zero, r#"{"n":0,"card":0,"s":"{\"n\":0}"}"#),
        (
            Numbers::Placeholder,
            r#"{"n":"<-5>","card":"<4111111111111111>","s":"{\"n\":\"<-5>\"}"}"#,
        ),
    ] {
        cases(Policy { numbers, ..policy(rules()) }, &[(event, wanted)]);
    }
}

#[test]
fn keys_that_differ_never_become_the_same() {
    let plan = plan(emails());
    for (event, pseudonyms) in [
        (r#"{"ada@example.com":1,"bob@example.com":2,"x":3}"#, 2),
        // Other spellings of one value, and one that is there already.
        (r#"{"ada@example.com":1,"ada%40example.com":2}"#, 1),
        (r#"{"ada%40example.com":1,"ada@example.com":2,"%61da@example.com":3}"#, 1),
        (&format!(r#"{{"ada@example.com":1,"{}":2}}"#, p(EMAIL)), 1),
        (&format!(r#"{{"ada@example.com":1,"\u005b{}":2}}"#, &p(EMAIL)[1..]), 0),
        // Keys that hold JSON, and others that overlap.
        (r#"{"{\"a\":\"ada@example.com\"}":1,"{\"b\":\"ada@example.com\"}":2}"#, 2),
        (r#"{"http://ada@example.com:pw1@h":1,"http://ada@example.com:pw2@h":2}"#, 0),
    ] {
        let before: Value = serde_json::from_str(event).unwrap();
        let clean = clean(&plan, event);
        let after: Value = serde_json::from_str(&clean).unwrap();
        let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
        assert_eq!(before.len(), after.len(), "{event}\n{clean}");
        assert!(after.keys().filter(|key| key.contains("[HMAC:")).count() >= pseudonyms, "{clean}");
        assert!(!clean.contains("ada"), "{clean}");
    }
    // Equal keys stay equal.
    let twice = format!(r#"{{"{EMAIL}":1,"{EMAIL}":2,"o":{{"{EMAIL}":3}}}}"#);
    assert_eq!(clean(&plan, &twice), twice.replace(EMAIL, &p(EMAIL)));
}

#[test]
fn previous_keys_are_known_and_no_others() {
    let plan = plan(policy(vec![rule("name", &[], HMAC), rule("", &["secret_field"], HMAC)]));
    for known in [key("2026-11", 8), key("2026-10", 2), key("078-05-1120", 3)] {
        let text = known.pseudonym(b"x");
        for event in [
            format!(r#"{{"name":"{text}","password":"{text}"}}"#),
            format!(r#"{{"m":"ssn {text} and password={text}, card no. {text}"}}"#),
            format!(r#"{{"{text}":"{text}@example.com","t":"http://{text}@h/"}}"#),
        ] {
            let out = run(&plan, &event);
            assert_eq!(String::from_utf8_lossy(&out.clean).trim_end(), event);
        }
    }
    let other = key("2026-09", 2).pseudonym(b"x");
    let becomes = format!(r#"{{"name":"{}"}}"#, p(&other));
    assert_eq!(clean(&plan, &format!(r#"{{"name":"{other}"}}"#)), becomes);
}

#[test]
fn rules_choose_among_keys() {
    let other = Action::Hmac { key: 1 };
    let policy = policy(vec![rule("a", &["email"], other), rule("", &["email"], HMAC)]);
    let by_other = key("078-05-1120", 3).pseudonym(EMAIL.as_bytes());
    assert_eq!(
        clean(&plan(policy), r#"{"a":"ada@example.com","b":"ada@example.com"}"#),
        format!(r#"{{"a":"{by_other}","b":"{}"}}"#, p(EMAIL))
    );
}

#[test]
fn a_drop_rule_still_drops_and_a_record_key_is_checked() {
    let engine = crate::engine::Engine::new(plan(emails()));
    assert!(engine.is_pseudonym(p(EMAIL).as_bytes(), EMAIL.as_bytes()));
    assert!(!engine.is_pseudonym(p(EMAIL).as_bytes(), b"bob@example.com"));
    assert!(!engine.is_pseudonym(EMAIL.as_bytes(), EMAIL.as_bytes()));
}

proptest! {
    /// The same value has the same pseudonym wherever it stands, another value or key another one.
    #[test]
    fn pseudonyms_are_values_in_disguise(names in prop::collection::vec("u[a-z]{3,8}[0-9]{0,3}", 2..5)) {
        let distinct: BTreeSet<_> = names.iter().collect();
        let plan = plan(emails());
        let event = |n: &String| {
            let mail = format!("{n}@example.com");
            clean(&plan, &format!(r#"{{"a":"{mail}","b":["x {mail}"],"{mail}":"{{\"c\":\"{mail}\"}}"}}"#))
        };
        let mut all = BTreeSet::new();
        for name in &names {
            let clean = event(name);
            let pseudonym = p(&format!("{name}@example.com"));
            prop_assert_eq!(clean.matches(&pseudonym).count(), 4, "{}", clean);
            prop_assert!(!clean.contains("@example"));
            prop_assert_ne!(&pseudonym, &key("2026-11", 7).pseudonym(format!("{name}@example.com").as_bytes()));
            all.insert(pseudonym);
        }
        prop_assert_eq!(all.len(), distinct.len());
    }
}
