//! Every keyword: what passes, and what doesn't for which reason.

use super::super::{Contract as _, NodeId, Schema};
use super::{judge, schema};
use crate::engine::outcome::Reason;

fn check(text: &str, pass: &[&str], fail: &[(&str, Reason)]) {
    let schema = schema(text);
    for event in pass {
        assert_eq!(judge(&schema, event), Ok(()), "{text} on {event}");
    }
    for (event, reason) in fail {
        assert_eq!(judge(&schema, event), Err(*reason), "{text} on {event}");
    }
}

/// One value of each type.
const EACH: [&str; 7] = ["null", "true", "\"x\"", "1.5", "1", "[]", "{}"];

#[test]
fn types() {
    let names = ["null", "boolean", "string", "number", "integer", "array", "object"];
    for (i, name) in names.iter().enumerate() {
        let one = schema(&format!(r#"{{"type":"{name}"}}"#));
        let listed = schema(&format!(r#"{{"type":["{name}"]}}"#));
        for (j, value) in EACH.iter().enumerate() {
            let fits = i == j || (*name, *value) == ("number", "1");
            let want = if fits { Ok(()) } else { Err(Reason::Type) };
            assert_eq!(judge(&one, value), want, "{name} on {value}");
            assert_eq!(judge(&listed, value), want, "[{name}] on {value}");
        }
    }
    let big = "9".repeat(100);
    let integers = ["1.0", "-0.0", "1e400", "1.5e1", "18446744073709551616", big.as_str()];
    check(r#"{"type":"integer"}"#, &integers, &[("1e-1", Reason::Type), ("0.5", Reason::Type)]);
    check(r#"{"type":["string","null"]}"#, &["null", "\"\""], &[("0", Reason::Type)]);
    check(r#"{"type":["integer","number"]}"#, &["1", "1.5"], &[("[]", Reason::Type)]);
}

#[test]
fn booleans_and_nothing() {
    for any in
        ["true", "{}", r#"{"title":"x","x-pii":"email"}"#, r#"{"items":true,"properties":{}}"#]
    {
        check(any, &EACH, &[]);
        assert_eq!(schema(any).root(), NodeId::ANY, "{any}");
    }
    check("false", &[], &EACH.map(|v| (v, Reason::Type)));
}

#[test]
fn objects() {
    check(
        r#"{"required":["a","b"],"properties":{"a":{"type":"string"},"c":false}}"#,
        &[
            r#"{"a":"","b":0,"x":[]}"#,
            r#"{"b":null,"\u0061":"x"}"#,
            "[]",
            "1",
            r#"{"a":"","b":0,"x":1,"x":2}"#,
        ],
        &[
            (r#"{"a":""}"#, Reason::Required),
            ("{}", Reason::Required),
            (r#"{"a":1,"b":0}"#, Reason::Type),
            (r#"{"a":"","b":0,"c":0}"#, Reason::AdditionalProperties),
            (r#"{"a":"","b":0,"a":""}"#, Reason::DuplicateKey),
            (r#"{"a":"","b":0,"\u0062":0}"#, Reason::DuplicateKey),
        ],
    );
    check(
        r#"{"properties":{"a":{}},"additionalProperties":false,"required":["z"]}"#,
        &["0"],
        &[(r#"{"a":1}"#, Reason::Required), (r#"{"z":1}"#, Reason::AdditionalProperties)],
    );
    check(
        r#"{"properties":{"a":true},"additionalProperties":{"type":"integer"},"required":["n"]}"#,
        &[r#"{"a":"x","n":1,"m":2}"#],
        &[(r#"{"n":"x"}"#, Reason::Type), (r#"{"n":1,"m":"x"}"#, Reason::Type)],
    );
    check(
        r#"{"properties":{"a":{"properties":{"b":{"required":["c"]}},"additionalProperties":false}}}"#,
        &[r#"{"a":{"b":{"c":1}}}"#, r#"{"a":[{"x":1}]}"#, r#"{"a":{"b":0}}"#],
        &[
            (r#"{"a":{"b":{}}}"#, Reason::Required),
            (r#"{"a":{"x":1}}"#, Reason::AdditionalProperties),
        ],
    );
}

#[test]
fn properties_by_name() {
    let s = schema(r#"{"required":["r","p"],"properties":{"p":{"type":"null"},"q":{}}}"#);
    let of = |key: &str| s.property(s.root(), key.as_bytes());
    assert_eq!(
        (of("r").required_bit, of("p").required_bit, of("q").required_bit),
        (Some(0), Some(1), None)
    );
    assert!(
        of("r").constrained && of("p").constrained && of("q").constrained && !of("x").constrained
    );
    assert_eq!((s.required(s.root()), of("r").node, of("x").node), (3, NodeId::ANY, NodeId::ANY));
    assert!(s.checks(of("p").node) && !s.checks(of("q").node) && !s.checks(s.root()));
    assert_eq!(s.property(NodeId::ANY, b"p").node, NodeId::ANY);
    assert_eq!((s.items(NodeId::ANY), s.required(NodeId::ANY)), (NodeId::ANY, 0));
}

#[test]
fn required_fields_to_the_limit() {
    let names: Vec<String> = (0..65).map(|i| format!("f{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let s = Schema::require(&names[..64]).unwrap();
    assert_eq!((s.name(), s.required(s.root())), ("require", u64::MAX));
    let all: Vec<String> = names[..64].iter().map(|n| format!("\"{n}\":null")).collect();
    assert_eq!(judge(&s, &format!("{{{}}}", all.join(","))), Ok(()));
    assert_eq!(judge(&s, &format!("{{{}}}", all[1..].join(","))), Err(Reason::Required));
    assert!(
        Schema::require(&names)
            .unwrap_err()
            .what
            .starts_with("`f64` is one required field too many")
    );
}

#[test]
fn enums_and_constants() {
    check(
        r#"{"enum":["a","a much longer word",1,1e400,true,null,[1,{"k":[]}],{"a":1,"b":2}]}"#,
        &[
            "\"a\"",
            "\"a much longer word\"",
            "1.0",
            "10e-1",
            "10e399",
            "true",
            "null",
            "[1.0,{\"k\":[]}]",
            "{\"b\":2,\"a\":1}",
        ],
        &[
            ("\"A\"", Reason::Enum),
            ("\"a much longer worD\"", Reason::Enum),
            ("\"\"", Reason::Enum),
            ("2", Reason::Enum),
            ("1e401", Reason::Enum),
            ("false", Reason::Enum),
            ("[1]", Reason::Enum),
            ("[]", Reason::Enum),
            ("{}", Reason::Enum),
            ("{\"a\":1,\"b\":2,\"c\":3}", Reason::Enum),
        ],
    );
    check(
        r#"{"const":{"a":false}}"#,
        &[r#"{"a":false}"#],
        &[(r#"{"a":0}"#, Reason::Const), ("[]", Reason::Const), ("0", Reason::Const)],
    );
    check(
        r#"{"const":0}"#,
        &["0", "-0.0", "0e5"],
        &[
            ("false", Reason::Const),
            ("\"0\"", Reason::Const),
            ("1", Reason::Const),
            ("{}", Reason::Const),
        ],
    );
    check(
        r#"{"const":9007199254740993}"#,
        &["9007199254740993"],
        &[("9007199254740992", Reason::Const)],
    );
    check(r#"{"const":null}"#, &["null"], &[("false", Reason::Const)]);
    check(r#"{"enum":[]}"#, &[], &EACH.map(|v| (v, Reason::Enum)));
    check(r#"{"enum":[[]],"type":"object"}"#, &[], &[("[]", Reason::Type), ("{}", Reason::Enum)]);
    check(r#"{"enum":["a","b"],"const":"b"}"#, &["\"b\""], &[("\"a\"", Reason::Const)]);
    let deep = "[".repeat(300) + &"]".repeat(300);
    check(r#"{"enum":[[[]]]}"#, &["[[]]"], &[("[[[]]]", Reason::Enum)]);
    let s = schema(r#"{"enum":[[[]]]}"#);
    assert_eq!(s.check_container(s.root(), deep.as_bytes()), Err(Reason::Enum));
}

#[test]
fn lengths() {
    check(
        r#"{"minLength":2}"#,
        &["\"ab\"", "\"éé\"", "\"😀😀\"", "1", "[]"],
        &[("\"a\"", Reason::MinLength), ("\"😀\"", Reason::MinLength), ("\"\"", Reason::MinLength)],
    );
    check(
        r#"{"maxLength":2.0}"#,
        &["\"\"", "\"ab\"", "\"😀😀\"", "1", "{}"],
        &[
            ("\"abc\"", Reason::MaxLength),
            ("\"ééé\"", Reason::MaxLength),
            ("\"😀😀😀\"", Reason::MaxLength),
        ],
    );
    check(r#"{"maxLength":0,"minLength":0}"#, &["\"\""], &[("\"a\"", Reason::MaxLength)]);
    check(r#"{"maxLength":1e30}"#, &["\"a\""], &[]);
    check(r#"{"minLength":1e30}"#, &[], &[("\"a\"", Reason::MinLength)]);
}

#[test]
fn bounds() {
    check(
        r#"{"minimum":0}"#,
        &["0", "-0", "-0.0", "0.001", "1e400", "\"-1\"", "null"],
        &[("-1", Reason::Minimum), ("-1e-400", Reason::Minimum)],
    );
    check(
        r#"{"minimum":1.1,"maximum":1e400}"#,
        &["1.1", "1.10", "2", "1e400", "9e399"],
        &[
            ("1", Reason::Minimum),
            ("1.0999999999999999999999", Reason::Minimum),
            ("1.1e400", Reason::Maximum),
        ],
    );
    check(
        r#"{"maximum":18446744073709551616}"#,
        &["18446744073709551616", "-1e999"],
        &[("18446744073709551617", Reason::Maximum)],
    );
    check(
        r#"{"maximum":9007199254740992}"#,
        &["9007199254740992"],
        &[("9007199254740992.5", Reason::Maximum), ("9007199254740993", Reason::Maximum)],
    );
}

#[test]
fn formats() {
    check(
        r#"{"format":"date-time"}"#,
        &["\"2024-02-29T00:00:00Z\"", "1", "null"],
        &[("\"2023-02-29T00:00:00Z\"", Reason::Format), ("\"\"", Reason::Format)],
    );
}

#[test]
fn arrays() {
    check(
        r#"{"items":{"type":"integer"}}"#,
        &["[]", "[1,2.0]", "{\"0\":\"x\"}", "\"x\""],
        &[("[1,\"x\"]", Reason::Type)],
    );
    check(r#"{"items":false}"#, &["[]", "0"], &[("[null]", Reason::Type)]);
    check(
        r#"{"items":{"items":{"maximum":1}}}"#,
        &["[[1],[]]", "[2]"],
        &[("[[1],[2]]", Reason::Maximum)],
    );
}

#[test]
fn the_service_log() {
    let s = Schema::builtin("service-log").unwrap().unwrap();
    assert_eq!(s.name(), "service-log");
    let event = |field: &str, value: &str| {
        let mut event = serde_json::json!({
            "timestamp": "2026-03-14T09:26:53.589Z", "level": "info", "service": "checkout",
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
            "event": "payment_failed", "http": {"status": 500},
        });
        match value {
            "" => drop(event.as_object_mut().unwrap().remove(field)),
            value => event[field] = serde_json::from_str(value).unwrap(),
        }
        judge(&s, &event.to_string())
    };
    for (field, value) in [
        ("reason", "\"card\""),
        ("duration_ms", "12.5"),
        ("duration_ms", "0"),
        ("message", "\"\""),
        ("level", "\"fatal\""),
        ("x", "{}"),
    ] {
        assert_eq!(event(field, value), Ok(()), "{field} {value}");
    }
    for (field, value, reason) in [
        ("timestamp", "", Reason::Required),
        ("event", "", Reason::Required),
        ("timestamp", "\"2026-03-14 09:26:53\"", Reason::Format),
        ("timestamp", "1773480413", Reason::Type),
        ("level", "\"INFO\"", Reason::Enum),
        ("level", "30", Reason::Enum),
        ("service", "\"\"", Reason::MinLength),
        ("trace_id", "\"4BF92F3577B34DA6A3CE929D0E0E4736\"", Reason::Pattern),
        ("span_id", "\"00f067aa0ba902b\"", Reason::Pattern),
        ("event", "\"Payment failed\"", Reason::Pattern),
        ("event", "\"_x\"", Reason::Pattern),
        ("reason", "null", Reason::Type),
        ("duration_ms", "-0.1", Reason::Minimum),
        ("duration_ms", "\"5\"", Reason::Type),
    ] {
        assert_eq!(event(field, value), Err(reason), "{field} {value}");
    }
}
