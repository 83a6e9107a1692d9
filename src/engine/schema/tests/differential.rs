//! The same verdict as the `jsonschema` crate.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::Schema;
use super::{judge, schema};

const SCHEMAS: &[&str] = &[
    r#"{"type":"object","required":["a"],"properties":{"a":{"type":["integer","null"]},"b":{"items":{"type":"string","maxLength":3}}},"additionalProperties":{"minimum":-1.5}}"#,
    r#"{"properties":{"a":{"enum":["x","info",1,true,null,[1],{"a":1}]},"b":{"const":1}},"additionalProperties":false}"#,
    r#"{"items":{"properties":{"a":{"pattern":"^[a-z]{2,3}$"},"b":{"pattern":"[0-9]+|x"}},"required":["b","c"]},"minLength":2}"#,
    r#"{"properties":{"a":{"minimum":0,"maximum":10},"b":{"type":"number","maximum":1e3},"c":false},"type":["object","array","string"]}"#,
    r#"{"additionalProperties":{"additionalProperties":{"type":"boolean"},"items":false,"minLength":1}}"#,
];

type Pair = (Schema, jsonschema::Validator);

fn pair(text: &str) -> Pair {
    let theirs = jsonschema::options().should_validate_formats(true);
    (schema(text), theirs.build(&serde_json::from_str(text).unwrap()).unwrap())
}

static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| SCHEMAS.iter().map(|s| pair(s)).collect());
static SERVICE_LOG: LazyLock<Pair> =
    LazyLock::new(|| pair(Schema::builtin_text("service-log").unwrap()));

fn agree((ours, theirs): &Pair, event: &Value) -> Result<(), TestCaseError> {
    let text = event.to_string();
    prop_assert_eq!(judge(ours, &text).is_ok(), theirs.is_valid(event), "{}", text);
    Ok(())
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-20..20i64).prop_map(Value::from),
        (-40..40i64).prop_map(|n| json!(n as f64 / 2.0)),
        any::<f64>().prop_map(|n| json!(n)),
        "[a-zé0-9 ]{0,4}|x|info".prop_map(Value::from),
    ]
}

fn event() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abcd]", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// A service event with some of its fields out of order, or gone.
fn service_event() -> impl Strategy<Value = Value> {
    let or_other = |good: BoxedStrategy<Value>| prop_oneof![12 => good.prop_map(Some), 1 => scalar().prop_map(Some), 1 => Just(None)];
    let text = |regex: &'static str| {
        or_other(proptest::string::string_regex(regex).unwrap().prop_map(Value::from).boxed())
    };
    (
        text(r"20[0-9]{2}-(0[1-9]|1[0-3])-([0-2][0-9]|3[01])T([01][0-9]|2[0-4]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-6][0-9])"),
        text("trace|debug|info|warn|error|fatal|warning"),
        text("[a-z]{0,3}"),
        text("[0-9a-f]{32}"),
        text("[0-9a-f]{15,16}"),
        text("[a-z][a-z0-9_]{0,20}|[a-z ]{2,9}"),
        text("[ -~]{0,20}"),
        or_other((-10..1000i64).prop_map(|n| json!(n as f64 / 4.0)).boxed()),
        or_other(event().boxed()),
    )
        .prop_map(|(timestamp, level, service, trace, span, event, reason, duration, other)| {
            let fields = [
                ("timestamp", timestamp),
                ("level", level),
                ("service", service),
                ("trace_id", trace),
                ("span_id", span),
                ("event", event),
                ("reason", reason),
                ("duration_ms", duration),
                ("other", other),
            ];
            let there = fields.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?)));
            Value::Object(there.collect())
        })
}

proptest! {
    #[test]
    fn on_any_event(event in event()) {
        for pair in PAIRS.iter() {
            agree(pair, &event)?;
        }
    }

    #[test]
    fn on_service_events(event in service_event()) {
        agree(&SERVICE_LOG, &event)?;
    }
}
