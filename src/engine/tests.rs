//! The engine as a whole, on the packs that ship.

use std::sync::Arc;

use super::*;
use crate::engine::detect::Pack;
use crate::engine::schema::Schema;

pub(crate) fn packs() -> Vec<Pack> {
    [
        ("core.toml", include_str!("../../patterns/core.toml")),
        ("secrets.toml", include_str!("../../patterns/secrets.toml")),
    ]
    .iter()
    .map(|(name, text)| Pack::parse(name, text).unwrap())
    .collect()
}

fn settings() -> Settings {
    Settings { packs: packs(), bodies: true, ..Settings::default() }
}

fn run(settings: Settings, input: &[u8]) -> Output {
    let plan = Plan::compile(settings).unwrap_or_else(|e| panic!("{e}"));
    let mut out = Output::default();
    Engine::new(Arc::new(plan)).process(&Chunk::from_bytes(input), &mut out);
    assert_eq!(out.tally.unaccounted(), 0);
    out
}

fn clean(input: &str) -> String {
    String::from_utf8(run(settings(), input.as_bytes()).clean).unwrap()
}

#[test]
fn clean_events_leave_byte_for_byte() {
    let input = "{ \"a\" :1.50, \"b\":-0,\"c\":[1e400, \"x\" , {}] }\r\n{\"a\":\"\\u00e9\"}\n";
    assert_eq!(clean(input), input);
}

#[test]
fn findings_are_spliced_in_place() {
    for (from, to) in [
        (r#"{"m":"mail john.doe@acme-corp.com now"}"#, r#"{"m":"mail [REDACTED:email] now"}"#),
        (r#"{"m":"mail john\u0040acme-corp.com now"}"#, r#"{"m":"mail [REDACTED:email] now"}"#),
        (r#"{"password":"hunter2"}"#, r#"{"password":"[REDACTED:secret_field]"}"#),
        (r#"{"password":12345}"#, r#"{"password":null}"#),
        (
            r#"{"password":["a","b"],"x":1}"#,
            r#"{"password":["[REDACTED:secret_field]","[REDACTED:secret_field]"],"x":1}"#,
        ),
        (r#"{"m":"\u003c+14155550132"}"#, r#"{"m":"\u003c[REDACTED:phone]"}"#),
        (r#"{"m":"\u0026(415) 555-0132"}"#, r#"{"m":"\u0026[REDACTED:phone]"}"#),
        (r#"{"m":"x-----BEGIN RSA PRIVATE KEY-----\nabc"}"#, r#"{"m":"x[REDACTED:private_key]"}"#),
        (
            r#"{"headers":["Author\u0069zation","abc"]}"#,
            r#"{"headers":["Author\u0069zation","[REDACTED:secret_field]"]}"#,
        ),
        (r#"{"a":"password: ","headers":"abc"}"#, r#"{"a":"password: ","headers":"abc"}"#),
        (r#"{"secret":{"current":"x"}}"#, r#"{"secret":{"current":"[REDACTED:secret_field]"}}"#),
        (
            r#"{"h":[{"name":"Authorization","value":"abc"}]}"#,
            r#"{"h":[{"name":"Authorization","value":"[REDACTED:secret_field]"}]}"#,
        ),
        (
            r#"{"headers":["Host","x","Authorization","abc"]}"#,
            r#"{"headers":["Host","x","Authorization","[REDACTED:secret_field]"]}"#,
        ),
        (
            r#"{"body":"{\"password\":\"x\",\"a\":[1]}"}"#,
            r#"{"body":"{\"password\":\"[REDACTED:secret_field]\",\"a\":[1]}"}"#,
        ),
        (
            r#"{"body":"{\"password\":\"x\",\"a"}"#,
            r#"{"body":"{\"password\":\"[REDACTED:secret_assignment]\",\"a"}"#,
        ),
        (r#"{"u":"/x?email=john%40acme.com&y=1"}"#, r#"{"u":"/x?email=[REDACTED:email]&y=1"}"#),
        (
            r#"{"j.doe@acme.com":1,"b@acme.com":2}"#,
            r##"{"[REDACTED:email]":1,"[REDACTED:email#2]":2}"##,
        ),
        (r#"{"m":"\n123-45-6789"}"#, r#"{"m":"\n[REDACTED:us_ssn]"}"#),
        (
            r#"{"m":"AKIAIOSFODNN7EXAMPLE.password=x"}"#,
            r#"{"m":"[REDACTED:aws_access_key_id].password=[REDACTED:secret_assignment]"}"#,
        ),
        (
            r#"{"m":"card=4111111111111111,dsn=pg://u:p@h"}"#,
            r#"{"m":"card=[REDACTED:payment_card],dsn=pg://[REDACTED:url_credentials]@h"}"#,
        ),
        (
            r#"{"m":"curl j@acme.com -u 'a:b'"}"#,
            r#"{"m":"curl [REDACTED:email] -u '[REDACTED:curl_user]'"}"#,
        ),
        (r#"{"xoxb-000000000000-0":1}"#, r#"{"[REDACTED:slack_token]":1}"#),
        (
            r#"{"m":"a_password=Password: x"}"#,
            r#"{"m":"a_password=[REDACTED:secret_assignment]: [REDACTED:secret_assignment]"}"#,
        ),
        (
            r#"{"m":"https://x-access-token:ghs_000000000000000000000000000000000000@github.com/a/b.git"}"#,
            r#"{"m":"https://[REDACTED:url_credentials]@github.com/a/b.git"}"#,
        ),
        (
            r#"{"m":"curl -u deploy:[REDACTED:curl_user] https://x.org"}"#,
            r#"{"m":"curl -u deploy:[REDACTED:curl_user] https://x.org"}"#,
        ),
        (r#"{"ip":"8.8.4.4"}"#, r#"{"ip":"8.8.4.0"}"#),
        // A key with escapes is a context, too.
        (r#"{"\u0063ard":4111111111111111}"#, r#"{"\u0063ard":null}"#),
    ] {
        assert_eq!(clean(from), format!("{to}\n"));
        assert_eq!(clean(to), format!("{to}\n"), "redacting again");
    }
}

/// The fuzzer's: an assignment inside another one's value.
#[test]
fn an_assignment_in_anothers_value_leaves_neither() {
    let cut =
        r#"cretAccessKey":"wJalrXUtnF81-11111etAccessKey":"wJalrXUtnFEMI/K7MDENG","7b34":"x""#;
    let once = clean(cut);
    assert!(!once.contains("wJalr"), "{once}");
    assert_eq!(clean(&once), once);
}

#[test]
fn floods_are_judged_not_dropped() {
    for unit in [
        "4111 1111 1111 1112 ",
        "4111111111111112",
        "123-45-",
        "fd12:3456:",
        "2a02::",
        "1.2.3.4.",
        "a@",
        "a@b.",
        "http://a:b@",
        "://:@",
        "eyJ",
        "eyJhbGciOiJIUzI1NiJ9.",
        "password=",
        "password: ",
        "'password' => ",
        "curl ",
        "curl -u a",
        "identified by ",
        "password '",
        "-----BEGIN PRIVATE KEY-----",
        "bearer ",
        "+1 ",
        "DE89 3704 ",
        "sk-ant-",
        "%40",
        "%2540",
        "{\"a\":",
        "[",
        "\"",
        "\\",
        "\n123-45-",
        "é@",
    ] {
        let text = unit.repeat((100 << 10) / unit.len());
        for line in [serde_json::json!({ "message": text }).to_string(), format!("x {text}")] {
            let out = run(settings(), line.replace('\n', " ").as_bytes());
            assert!(out.rejects.is_empty(), "{unit}: {:?}", out.rejects[0].reason);
        }
    }
}

#[test]
fn text_lines_are_wrapped() {
    assert_eq!(
        clean("panic: \"bad\" mail j@acme.com\n\n[1,2]\n"),
        "{\"message\":\"panic: \\\"bad\\\" mail [REDACTED:email]\"}\n{\"message\":\"[1,2]\"}\n"
    );
}

#[test]
fn malformed_lines_are_rejected_with_a_reason() {
    for (line, reason) in [
        ("{", Reason::Unterminated),
        ("{\"a\":1", Reason::Unterminated),
        ("{\"a\":\"x", Reason::Unterminated),
        ("{\"a\":1}{\"b\":2}", Reason::Trailing),
        ("{\"a\":1} x", Reason::Trailing),
        ("{a:1}", Reason::Syntax),
        ("{'a':1}", Reason::Syntax),
        ("{\"a\":NaN}", Reason::Syntax),
        ("{\"a\":1,}", Reason::Syntax),
        ("{\"a\":01}", Reason::Syntax),
        ("{\"a\":\"\\x\"}", Reason::Escape),
        ("{\"a\":\"\\ud800\"}", Reason::Surrogate),
        ("{\"a\":\"\t\"}", Reason::Control),
    ] {
        let out = run(settings(), line.as_bytes());
        assert_eq!(out.rejects.len(), 1, "{line}");
        assert_eq!(out.rejects[0].reason, reason, "{line}");
        assert!(out.clean.is_empty());
    }
}

/// The fuzzer's: three lines in one block of the index, each with such a byte.
#[test]
fn a_short_line_between_two_like_it_is_checked() {
    for (bad, reason) in [(b'\0', Reason::Control), (0xff, Reason::Utf8)] {
        let line = [b"{\"a".as_slice(), &[bad], b"\":1}\n"].concat();
        for around in ["\0\u{e9}\n", "\u{e9}\0\n"] {
            let out = run(settings(), &[around.as_bytes(), &line, around.as_bytes()].concat());
            assert!(out.rejects.iter().any(|r| r.reason == reason), "{around:?}");
            assert!(!out.clean.contains(&b'{'), "{around:?}");
        }
    }
}

#[test]
fn schemas_are_enforced() {
    let good = r#"{"timestamp":"2025-01-15T09:23:11Z","level":"info","service":"s","trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","event":"case"}"#;
    let schema = || Schema::builtin("service-log").unwrap().unwrap();
    let with = |l: &str| {
        let s = Settings { schema: Some(Arc::new(schema())), ..settings() };
        run(s, l.as_bytes())
    };
    assert_eq!(with(good).tally.clean, 1);
    for (from, to, reason, pointer) in [
        ("\"info\"", "\"loud\"", Reason::Enum, "/level"),
        ("\"event\":\"case\"", "\"x\":1", Reason::Required, ""),
        ("\"case\"", "7", Reason::Type, "/event"),
        ("\"case\"", "\"A b\"", Reason::Pattern, "/event"),
        ("\"case\"", "\"case\",\"duration_ms\":-1", Reason::Minimum, "/duration_ms"),
        ("\"case\"", "\"case\",\"event\":\"case\"", Reason::DuplicateKey, "/event"),
        ("2025-01-15T", "2025-02-30T", Reason::Format, "/timestamp"),
    ] {
        let out = with(&good.replace(from, to));
        assert_eq!(out.rejects.len(), 1, "{to}");
        assert_eq!((out.rejects[0].reason, &*out.rejects[0].pointer), (reason, pointer));
    }
    assert_eq!(with("plain").rejects[0].reason, Reason::NotJson);
}
