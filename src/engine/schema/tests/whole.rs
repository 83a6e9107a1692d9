//! The engine with schemas that chance made, at the root and below: it forwards what the `jsonschema`
//! crate takes, and nothing else.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::Schema;
use crate::engine::{Chunk, Engine, Output, Plan, Settings};

/// Whether the engine forwards `event`, as it is.
fn forwards(schema: Schema, event: &str) -> bool {
    let settings = Settings { schema: Some(Arc::new(schema)), ..Settings::default() };
    let plan = Arc::new(Plan::compile(settings).unwrap());
    let mut out = Output::default();
    Engine::new(plan).process(&Chunk::from_bytes(event.as_bytes()), &mut out);
    let clean = String::from_utf8(out.clean).unwrap();
    assert!(clean.is_empty() || clean.trim_end() == event, "{clean}");
    assert_eq!((out.tally.read, out.tally.unaccounted()), (1, 0));
    !clean.is_empty()
}

fn agree(schema: &Value, event: &Value) -> Result<(), TestCaseError> {
    let Ok(ours) = Schema::parse("test.json", &schema.to_string()) else { return Ok(()) };
    let theirs = jsonschema::draft202012::new(schema).unwrap();
    let event_text = event.to_string();
    let want = theirs.is_valid(event);
    prop_assert_eq!(forwards(ours, &event_text), want, "{} on {}", schema, event_text);
    Ok(())
}

/// Few values, so that a schema's and an event's are often the same.
fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3i64).prop_map(Value::from),
        Just(json!(1.5)),
        Just(json!(1.0)),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    scalar.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn event() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[ab]", value(), 0..3)
        .prop_map(|m| Value::Object(m.into_iter().collect()))
}

fn keyword(inner: BoxedStrategy<Value>) -> impl Strategy<Value = (&'static str, Value)> {
    const TYPES: &[&str] =
        &["null", "boolean", "integer", "number", "string", "array", "object", "object"];
    let listed = prop_oneof![value(), event()];
    prop_oneof![
        prop::sample::select(TYPES).prop_map(|name| ("type", json!(name))),
        prop::collection::vec(prop::sample::select(TYPES), 1..4).prop_map(|mut names| {
            names.sort_unstable();
            names.dedup();
            ("type", json!(names))
        }),
        prop::collection::vec(listed, 1..5).prop_map(|all| ("enum", json!(all))),
        prop_oneof![value(), event()].prop_map(|one| ("const", one)),
        prop::collection::btree_set("[ab]", 0..2).prop_map(|names| ("required", json!(names))),
        prop::collection::btree_map("[ab]", inner.clone(), 0..3)
            .prop_map(|all| ("properties", json!(all))),
        inner.clone().prop_map(|one| ("additionalProperties", one)),
        inner.prop_map(|one| ("items", one)),
        (0..3i64).prop_map(|n| ("minimum", json!(n))),
        (0..3i64).prop_map(|n| ("maximum", json!(n))),
        (0..3i64).prop_map(|n| ("minLength", json!(n))),
        (0..3i64).prop_map(|n| ("maxLength", json!(n))),
        Just(("pattern", json!("^a"))),
        // Not enforced: the schema is to be refused.
        Just(("minProperties", json!(1))),
        Just(("not", json!({}))),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    any::<bool>().prop_map(Value::from).prop_recursive(3, 12, 3, |inner| {
        let all = prop::collection::vec(keyword(inner.boxed()), 0..3);
        all.prop_map(|all| {
            let all = all.into_iter().map(|(key, value)| (key.to_owned(), value));
            Value::Object(all.collect::<Map<_, _>>())
        })
    })
}

proptest! {
    #[test]
    fn at_the_root(schema in schema(), events in prop::collection::vec(event(), 8)) {
        for event in events {
            agree(&schema, &event)?;
        }
    }

    #[test]
    fn below(schema in schema(), values in prop::collection::vec(value(), 4)) {
        for value in values {
            agree(&json!({ "properties": { "a": schema } }), &json!({ "a": value }))?;
            agree(&json!({ "additionalProperties": schema }), &json!({ "b": value }))?;
            let items = json!({ "properties": { "a": { "items": schema } } });
            agree(&items, &json!({ "a": [value, value] }))?;
        }
    }
}

#[test]
fn roots_that_are_no_plain_objects() {
    let all = [
        ("false", "{}", false),
        ("true", "{}", true),
        (r#"{"type":"string"}"#, r#"{"a":1}"#, false),
        (r#"{"type":["string","object"]}"#, r#"{"a":1}"#, true),
        (r#"{"const":1}"#, "{}", false),
        (r#"{"const":{"a":1}}"#, r#"{"a":1}"#, true),
        (r#"{"const":{"a":1}}"#, r#"{ "a" : 10e-1 } "#, true),
        (r#"{"const":{"a":1}}"#, r#"{"a":2}"#, false),
        (r#"{"const":{"a":1}}"#, r#"{"a":1,"b":1}"#, false),
        (r#"{"const":{"a":1,"b":2}}"#, r#"{"a":1,"a":1}"#, false),
        (r#"{"enum":[{"a":1},{"b":[{}]}]}"#, r#"{"b":[{}]}"#, true),
        (r#"{"enum":[{"a":1},{"b":[{}]}]}"#, r#"{"b":[{"a":1}]}"#, false),
        (r#"{"enum":["x",[1]]}"#, "{}", false),
        (r#"{"enum":[]}"#, "{}", false),
        (r#"{"enum":[{"a":{"b":1}}],"properties":{"a":true}}"#, r#"{"a":{"b":2}}"#, false),
    ];
    for (text, event, want) in all {
        let schema = Schema::parse("test.json", text).unwrap();
        assert_eq!(forwards(schema, event.trim()), want, "{text} on {event}");
    }
}
