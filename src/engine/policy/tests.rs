//! What rules and entries make of events.

mod hmac;

use std::sync::Arc;

use super::{Action, Allow, Numbers, Policy, Rule};
use crate::engine::tests::packs;
use crate::engine::{Chunk, Engine, Output, Plan, Reason, Settings};

fn rule(path: &str, detectors: &[&str], action: Action) -> Rule {
    Rule {
        label: format!("{path} {detectors:?}"),
        name: None,
        detectors: detectors.iter().map(|d| (*d).to_owned()).collect(),
        path: (!path.is_empty()).then(|| path.to_owned()),
        action,
        secrets: false,
    }
}

fn rules(rules: Vec<Rule>) -> Policy {
    Policy { rules, ..Policy::default() }
}

fn plan(policy: Policy) -> Arc<Plan> {
    let settings = Settings { packs: packs(), bodies: true, policy, ..Settings::default() };
    Arc::new(Plan::compile(settings).unwrap_or_else(|e| panic!("{e}")))
}

fn run(plan: &Arc<Plan>, input: &str) -> Output {
    let mut out = Output::default();
    Engine::new(plan.clone()).process(&Chunk::from_bytes(input.as_bytes()), &mut out);
    assert_eq!(out.tally.unaccounted(), 0, "{input}");
    out
}

/// What an event becomes, and stays on the second pass.
fn clean(plan: &Arc<Plan>, event: &str) -> String {
    let once = String::from_utf8(run(plan, event).clean).unwrap();
    let twice = run(plan, &once);
    assert_eq!(String::from_utf8(twice.clean).unwrap(), once, "the second pass of {event}");
    assert_eq!(twice.tally.redacted, 0, "the second pass of {event}");
    once.trim_end().to_owned()
}

fn all(policy: Policy, cases: &[(&str, &str)]) {
    let plan = plan(policy);
    for (event, wanted) in cases {
        assert_eq!(clean(&plan, event), *wanted, "{event}");
        if wanted.starts_with('{') {
            serde_json::from_str::<serde_json::Value>(wanted).unwrap();
        }
    }
}

const MASK: Action = Action::Mask { first: 0, last: 4 };

#[test]
fn a_path_takes_its_value_whatever_it_holds() {
    all(
        rules(vec![
            rule("user.*.email", &[], Action::Replace),
            rule("**.pin", &[], Action::Replace),
        ]),
        &[
            (r#"{"user":{"x":{"email":"a"}}}"#, r#"{"user":{"x":{"email":"[REDACTED:path]"}}}"#),
            (r#"{"user":{"x":{"email":""}}}"#, r#"{"user":{"x":{"email":""}}}"#),
            (
                r#"{ "user" : [ {"email" : "a\u00e9"} ] }"#,
                r#"{ "user" : [ {"email" : "[REDACTED:path]"} ] }"#,
            ),
            (r#"{"user":{"email":"x"}}"#, r#"{"user":{"email":"x"}}"#),
            (
                r#"{"pin":1,"a":[{"pin":[true,null,"x",{"b":-1.5}]}]}"#,
                r#"{"pin":null,"a":[{"pin":[null,null,"[REDACTED:path]",{"b":null}]}]}"#,
            ),
            // Twice, in a dotted key, with escapes, and in JSON inside a string.
            (r#"{"pin":"a","pin":"b"}"#, r#"{"pin":"[REDACTED:path]","pin":"[REDACTED:path]"}"#),
            (r#"{"my.pin":"a"}"#, r#"{"my.pin":"[REDACTED:path]"}"#),
            (r#"{"\u0070in":"a"}"#, r#"{"\u0070in":"[REDACTED:path]"}"#),
            (
                r#"{"m":"{\"pin\":\"a\",\"b\":1}"}"#,
                r#"{"m":"{\"pin\":\"[REDACTED:path]\",\"b\":1}"}"#,
            ),
            (r#"{"m":"[{\"pin\":\"a\"}]"}"#, r#"{"m":"[{\"pin\":\"[REDACTED:path]\"}]"}"#),
        ],
    );
}

#[test]
fn a_text_in_a_string_continues_the_path() {
    all(
        rules(vec![
            rule("body.user.id", &[], Action::Null),
            rule("body.items.*.id", &[], Action::Remove),
            rule("n.*", &[], Action::Remove),
        ]),
        &[
            (
                r#"{"user":{"id":"x"},"body":"{\"user\":{\"id\":\"x\",\"n\":1}}"}"#,
                r#"{"user":{"id":"x"},"body":"{\"user\":{\"id\":null,\"n\":1}}"}"#,
            ),
            (
                r#"{"body":"{\"items\":[{\"id\":\"x\"},{\"n\":1, \"id\":2}]}"}"#,
                r#"{"body":"{\"items\":[{},{\"n\":1}]}"}"#,
            ),
            (
                r#"{"other":"{\"user\":{\"id\":\"x\"}}"}"#,
                r#"{"other":"{\"user\":{\"id\":\"x\"}}"}"#,
            ),
        ],
    );
}

#[test]
fn fields_become_null_or_go() {
    all(
        rules(vec![
            rule("gone", &[], Action::Remove),
            rule("a.gone", &[], Action::Remove),
            rule("tags.*", &[], Action::Remove),
            rule("nil", &[], Action::Null),
            rule("", &["email"], Action::Remove),
            rule("", &["phone"], Action::Null),
        ]),
        &[
            (r#"{"gone":{"b":[1,{"c":"\u0041"}]},"x":1}"#, r#"{"x":1}"#),
            (r#"{"x":1, "gone":null }"#, r#"{"x":1 }"#),
            (r#"{"a":{"gone":1},"gone":2}"#, r#"{"a":{}}"#),
            (r#"{"tags":["a",{"b":1},[2]],"x":1}"#, r#"{"tags":[null,null,null],"x":1}"#),
            (r#"{"nil":{"a":"ada@example.com"},"x":"y"}"#, r#"{"nil":null,"x":"y"}"#),
            (r#"{"nil":""}"#, r#"{"nil":null}"#),
            (r#"{"m":"to ada@example.com now","x":1}"#, r#"{"x":1}"#),
            (r#"{"m":"to ada\u0040example.com now","x":1}"#, r#"{"x":1}"#),
            (r#"{"m":["ada@example.com",1]}"#, r#"{"m":[null,1]}"#),
            (r#"{"ada@example.com":1}"#, r#"{"[REDACTED:email]":1}"#),
            (r#"{"m":"call +14155550132 now"}"#, r#"{"m":null}"#),
            (r#"{"m":"{\"to\":\"ada@example.com\",\"n\":1}","x":1}"#, r#"{"m":"{\"n\":1}","x":1}"#),
            (r#"{"u":"/?e=ada%40example.com","x":1}"#, r#"{"x":1}"#),
            (r#"{"a":"ada@example.com","b":"bo@example.com"}"#, r#"{}"#),
            // A text line is no field.
            ("mail ada@example.com", r#"{"message":"mail [REDACTED:email]"}"#),
            ("call +14155550132 now", r#"{"message":"call [REDACTED:phone] now"}"#),
        ],
    );
}

#[test]
fn masks_keep_some_and_are_masks() {
    let first = Action::Mask { first: 2, last: 0 };
    all(
        rules(vec![
            rule("", &["payment_card", "secret_field", "secret_assignment"], MASK),
            rule("", &["email"], first),
            rule("**.iban", &[], MASK),
        ]),
        &[
            (r#"{"m":"card 4111111111111111 ok"}"#, r#"{"m":"card ************1111 ok"}"#),
            (r#"{"m":"to ada\u0040example.com."}"#, r#"{"m":"to ad*************."}"#),
            (r#"{"password":"hunter2"}"#, r#"{"password":"****er2"}"#),
            (r#"{"password":"h\u00fcnter2"}"#, r#"{"password":"****er2"}"#),
            (r#"{"password":"hunte\u00fc2"}"#, r#"{"password":"****e\u00fc2"}"#),
            (r#"{"password":"x"}"#, r#"{"password":"*"}"#),
            (r#"{"password":12345}"#, r#"{"password":null}"#),
            (r#"{"m":"password=hunter22 x"}"#, r#"{"m":"password=****er22 x"}"#),
            (
                r#"{"iban":"日本語日本語","n":{"iban":7}}"#,
                r#"{"iban":"***日本語","n":{"iban":null}}"#,
            ),
            (
                r#"{"m":"{\"password\":\"hunt\\u0065r22\"}"}"#,
                r#"{"m":"{\"password\":\"****\\u0065r22\"}"}"#,
            ),
            (r#"{"u":"/?e=ada%40example.com"}"#, r#"{"u":"/?e=ad*************"}"#),
            ("to ada@example.com.", r#"{"message":"to ad*************."}"#),
        ],
    );
}

#[test]
fn an_entry_outranks_a_rule_by_path_and_that_one_for_a_detector() {
    let text = |t: &str| vec![t.to_owned()];
    let policy = Policy {
        allow: vec![
            Allow { exact: text("support@example.com"), ..Allow::default() },
            Allow { cidr: text("8.8.0.0/16"), ..Allow::default() },
            Allow { exact: text("changeme"), detectors: text("secret_field"), ..Allow::default() },
        ],
        rules: vec![
            rule("keep", &[], Action::Keep),
            rule("all", &[], Action::Replace),
            rule("masked", &["contact"], Action::Mask { first: 1, last: 0 }),
            rule("", &["email"], Action::Null),
            rule("", &["email"], Action::Replace),
        ],
        ..Policy::default()
    };
    all(
        policy,
        &[
            (r#"{"m":"a support@example.com b"}"#, r#"{"m":"a support@example.com b"}"#),
            (r#"{"all":"support@example.com"}"#, r#"{"all":"support@example.com"}"#),
            (r#"{"all":"support\u0040example.com"}"#, r#"{"all":"support\u0040example.com"}"#),
            (r#"{"all":"xsupport@example.com"}"#, r#"{"all":"[REDACTED:path]"}"#),
            (r#"{"ip":"8.8.4.4","b":"9.9.9.9"}"#, r#"{"ip":"8.8.4.4","b":"9.9.9.0"}"#),
            (
                r#"{"password":"changeme","token":"changeme2"}"#,
                r#"{"password":"changeme","token":"[REDACTED:secret_field]"}"#,
            ),
            (r#"{"m":"password=changeme"}"#, r#"{"m":"password=[REDACTED:secret_assignment]"}"#),
            (r#"{"m":"ada@example.com"}"#, r#"{"m":null}"#),
            (r#"{"masked":"ada@example.com"}"#, r#"{"masked":"a**************"}"#),
            // What is kept is personal data, never a secret.
            (
                r#"{"keep":{"m":"ada@example.com","password":"x"}}"#,
                r#"{"keep":{"m":"ada@example.com","password":"[REDACTED:secret_field]"}}"#,
            ),
            (r#"{"keep":"AKIAIOSFODNN7EXAMPLE"}"#, r#"{"keep":"[REDACTED:aws_access_key_id]"}"#),
        ],
    );
    let mut says_so = rule("keep", &[], Action::Keep);
    says_so.secrets = true;
    all(
        rules(vec![says_so, rule("named", &["secret_field"], Action::Keep)]),
        &[
            (r#"{"keep":{"password":"x"}}"#, r#"{"keep":{"password":"x"}}"#),
            (r#"{"named":{"password":"x"}}"#, r#"{"named":{"password":"x"}}"#),
            (
                r#"{"named":{"password":"AKIAIOSFODNN7EXAMPLE"}}"#,
                r#"{"named":{"password":"[REDACTED:aws_access_key_id]"}}"#,
            ),
        ],
    );
}

#[test]
fn what_is_observed_is_counted_and_stays() {
    let plan = plan(rules(vec![
        rule("", &["email", "secret_field"], Action::Observe),
        rule("seen", &[], Action::Observe),
    ]));
    let event = "{\"m\":\"ada@example.com\",\"password\":\"x\",\"seen\":[1,\"y\",null]}\n";
    let out = run(&plan, event);
    assert_eq!((out.clean.as_slice(), out.tally.clean), (event.as_bytes(), 1));
    assert_eq!(out.tally.redactions.iter().sum::<u64>(), 0);
    let of = |id: &str| {
        let at = plan.detectors().iter().position(|d| d.id == id).unwrap();
        out.tally.observed[at]
    };
    assert_eq!((of("email"), of("secret_field"), of("path")), (1, 1, 2));
    assert_eq!(out.tally.hits, [2, 2]);
    // What only one detector observes another one still finds.
    let event =
        r#"{"password":"+14155550132","seen":"bo@example.com +14155550132 ssn 219-09-9999"}"#;
    assert_eq!(
        clean(&plan, event),
        r#"{"password":"[REDACTED:phone]","seen":"bo@example.com [REDACTED:phone] ssn [REDACTED:us_ssn]"}"#
    );
    let out = run(&plan, event);
    let at = plan.detectors().iter().position(|d| d.id == "email").unwrap();
    assert_eq!(out.tally.observed[at], 1, "counted once, though judged again");
}

#[test]
fn what_a_rule_drops_goes_redacted_to_the_dead_letter() {
    let plan =
        plan(rules(vec![rule("", &["us_ssn"], Action::Drop), rule("internal", &[], Action::Drop)]));
    for (event, body) in [
        (
            r#"{"m":"ssn 219-09-9999","to":"ada@example.com"}"#,
            r#"{"m":"ssn [REDACTED:us_ssn]","to":"[REDACTED:email]"}"#,
        ),
        (r#"{"internal":"x"}"#, r#"{"internal":"[REDACTED:path]"}"#),
        (r#"{"internal":{"a":["x"]},"b":1}"#, r#"{"internal":"[REDACTED:path]","b":1}"#),
        (r#"{"internal":true}"#, r#"{"internal":null}"#),
        ("ssn 219-09-9999", r#"{"message":"ssn [REDACTED:us_ssn]"}"#),
        (
            r#"{"b":"{\"internal\":1}","219-09-9999":1}"#,
            r#"{"b":"{\"internal\":null}","[REDACTED:us_ssn]":1}"#,
        ),
    ] {
        let out = run(&plan, event);
        assert_eq!(out.tally.rejected[Reason::Rule.index()], 1, "{event}");
        assert_eq!((out.clean.len(), out.rejects.len()), (0, 1), "{event}");
        assert_eq!(String::from_utf8_lossy(&out.bodies), body, "{event}");
    }
    assert_eq!(clean(&plan, r#"{"internal":null}"#), r#"{"internal":null}"#);
}

#[test]
fn numbers_become_what_was_chosen() {
    for (numbers, wanted) in [
        (Numbers::Null, r#"{"password":null,"card":null,"p":[null]}"#),
        (Numbers::Zero, r#"{"password":0,"card":0,"p":[0]}"#),
        (
            Numbers::Placeholder,
            r#"{"password":"[REDACTED:secret_field]","card":"[REDACTED:payment_card]","p":["[REDACTED:path]"]}"#,
        ),
    ] {
        let policy = Policy { numbers, ..rules(vec![rule("p", &[], MASK)]) };
        all(policy, &[(r#"{"password":-1.5,"card":4111111111111111,"p":[1e9]}"#, wanted)]);
    }
}

#[test]
fn a_rule_for_message_holds_for_text_lines() {
    all(
        rules(vec![
            rule("message", &["email"], Action::Keep),
            rule("message.n", &[], Action::Null),
        ]),
        &[
            ("mail ada@example.com", r#"{"message":"mail ada@example.com"}"#),
            (r#"[{"n":"x","o":1}]"#, r#"{"message":"[{\"n\":null,\"o\":1}]"}"#),
        ],
    );
    all(
        rules(vec![rule("message", &[], Action::Remove)]),
        &[("hello", r#"{"message":"[REDACTED:path]"}"#), (r#"{"message":"hello"}"#, "{}")],
    );
}

#[test]
fn random_key_orders_obey_too() {
    let policy = rules(vec![
        rule("**.secret_note", &[], Action::Replace),
        rule("u.*.name", &[], Action::Remove),
    ]);
    let plan = plan(policy);
    let (mut input, mut wanted) = (String::new(), String::new());
    for n in 0..6000u32 {
        let key = n.wrapping_mul(2_654_435_761);
        let secret = format!("\"k{key:x}\":{{\"secret_note\":");
        let user = format!("\"u\":{{\"i{key:x}\":{{");
        input.push_str(&format!("{{{secret}\"x\"}},{user}\"name\":[1],\"a\":2}}}}}}\n"));
        wanted.push_str(&format!("{{{secret}\"[REDACTED:path]\"}},{user}\"a\":2}}}}}}\n"));
    }
    assert_eq!(String::from_utf8(run(&plan, &input).clean).unwrap(), wanted);
}

#[test]
fn what_cannot_be_is_refused() {
    for (policy, wanted) in [
        (rules(vec![rule("", &["email"], Action::Truncate)]), "only IP addresses are truncated"),
        (rules(vec![rule("a", &[], Action::Truncate)]), "only IP addresses are truncated"),
        (rules(vec![rule("", &[], Action::Keep)]), "has neither"),
        (rules(vec![rule("a..b", &[], Action::Keep)]), "an empty segment"),
        (
            rules(vec![Rule { name: Some("email".into()), ..rule("a", &[], Action::Null) }]),
            "a detector is called `email`",
        ),
    ] {
        let settings = Settings { packs: packs(), policy, ..Settings::default() };
        let what = Plan::compile(settings).err().map(|e| e.what).unwrap_or_default();
        assert!(what.contains(wanted), "{what}");
    }
    let truncated = rules(vec![rule("a", &["network"], Action::Truncate)]);
    all(truncated, &[(r#"{"a":"8.8.4.4"}"#, r#"{"a":"8.8.4.0"}"#)]);
}
