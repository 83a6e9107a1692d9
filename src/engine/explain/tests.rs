use super::*;
use crate::engine::{IpPolicy, Settings};

fn plan() -> Arc<Plan> {
    let packs = crate::engine::tests::packs();
    let settings = Settings { packs, ip: IpPolicy::Truncate, bodies: true, ..Settings::default() };
    Arc::new(Plan::compile(settings).unwrap())
}

fn one<'a>(e: &'a Explanation, detector: &str) -> &'a Candidate {
    let mut of = e.candidates.iter().filter(|c| c.detector == detector);
    let first = of.next().unwrap_or_else(|| panic!("no {detector}: {e:#?}"));
    assert!(of.next().is_none(), "{detector} twice: {e:#?}");
    first
}

#[test]
fn candidates_stand_where_they_stand() {
    let line =
        br#" {"a/b":["x", "mail j.doe\u0040acme.com", {"cut":"{\"password\":\"hunter2\"}"}]}"#;
    let e = explain(&plan(), line);
    assert_eq!(e.outcome, Outcome::Redacted);
    let email = one(&e, "email");
    assert_eq!((email.pointer.as_str(), email.kind), ("/a~1b/1", Kind::String));
    assert_eq!(&line[email.range.clone()], br"j.doe\u0040acme.com");
    assert_eq!(email.decoded, [Decoding::Escapes]);
    assert_eq!(email.shape, "x.xxx@xxxx.xxx");
    assert_eq!(email.becomes.as_deref(), Some("[REDACTED:email]"));
    let secret = one(&e, "secret_field");
    assert_eq!((secret.pointer.as_str(), secret.refused), ("/a~1b/2/cut", None));
    assert_eq!(&line[secret.range.clone()], b"hunter2");
    assert_eq!(secret.decoded, [Decoding::Escapes, Decoding::Json]);
    assert!(e.unopened.contains(&"iban".to_owned()));
    assert!(!String::from_utf8_lossy(&e.line).contains("hunter2"));
}

#[test]
fn each_step_is_named() {
    for (line, detector, step) in [
        (r#"{"m":"card 4012-8888-8888-1882"}"#, "payment_card", Step::Validator),
        (r#"{"bytes":4111111111111111}"#, "payment_card", Step::Context),
        (r#"{"span_id":"4111111111111111"}"#, "payment_card", Step::Veto),
        (r#"{"m":"ping a@channel now"}"#, "email", Step::Regex),
        (r#"{"password":""}"#, "secret_field", Step::Shape),
        (r#"{"password":"[REDACTED:secret_field]"}"#, "secret_field", Step::AllowList),
        (r#"{"env":{"PWD":"/home/x"}}"#, "secret_field", Step::Veto),
        (r#"{"m":"to https://me:pass@example.com/"}"#, "email", Step::Overlap),
    ] {
        assert_eq!(one(&explain(&plan(), line.as_bytes()), detector).refused, Some(step), "{line}");
    }
    let e = explain(&plan(), br#"{"m":"see you @ noon"}"#);
    assert!(e.candidates.is_empty() && e.unshaped.contains(&"email".to_owned()));
}

#[test]
fn keys_numbers_and_text_lines() {
    let e = explain(&plan(), br#"{"u":{"j@acme.com":{"card":4111111111111111}}}"#);
    let key = one(&e, "email");
    assert_eq!((key.pointer.as_str(), key.kind), ("/u/[REDACTED:email]", Kind::Key));
    let card = one(&e, "payment_card");
    assert_eq!((card.pointer.as_str(), card.kind), ("/u/[REDACTED:email]/card", Kind::Number));
    assert_eq!(card.becomes.as_deref(), Some("null"));

    let line = b"  panic: mail j@acme.com";
    let e = explain(&plan(), line);
    assert_eq!(e.outcome, Outcome::Wrapped);
    let email = one(&e, "email");
    assert_eq!((email.pointer.as_str(), email.kind), ("", Kind::Text));
    assert_eq!(&line[email.range.clone()], b"j@acme.com");
    assert_eq!(e.line, br#"{"message":"  panic: mail [REDACTED:email]"}"#);
}

#[test]
fn outcomes() {
    assert_eq!(explain(&plan(), b"{\"a\":1}\nignored").outcome, Outcome::Clean);
    assert_eq!(explain(&plan(), b"").outcome, Outcome::Blank);
    let Outcome::Rejected { reason, at, .. } = explain(&plan(), b"{\"a\":1,}").outcome else {
        panic!("forwarded")
    };
    assert_eq!((reason, at), (Reason::Syntax, 7));
}

#[test]
fn a_refused_event_keeps_its_candidates() {
    let packs = crate::engine::tests::packs();
    for bodies in [false, true] {
        let schema = crate::engine::schema::Schema::parse(
            "s.json",
            r#"{"properties":{"j@acme.com":{"type":"string"}}}"#,
        );
        let schema = Some(Arc::new(schema.unwrap()));
        let settings = Settings { packs: packs.clone(), schema, bodies, ..Settings::default() };
        let plan = Arc::new(Plan::compile(settings).unwrap());
        let e = explain(&plan, br#"{"password":"hunter2","j@acme.com":1}"#);
        let Outcome::Rejected { reason, pointer, .. } = &e.outcome else { panic!("{e:?}") };
        assert_eq!((*reason, pointer.as_str()), (Reason::Type, "/[REDACTED:email]"));
        let secret = one(&e, "secret_field");
        assert_eq!((&secret.range, secret.becomes.is_some()), (&(13..20), true));
        assert_eq!(one(&e, "email").kind, Kind::Key);
    }
}
