//! The nodes asked by a small recursive evaluator, as the walk asks them.

mod differential;
mod keywords;
mod patterns;
mod refusals;
mod suite;
mod whole;

use super::json::{Json, Value};
use super::{Contract as _, Literal, NodeId, Schema};
use crate::engine::outcome::Reason;

/// What `schema` says of the JSON text `event`.
fn judge(schema: &Schema, event: &str) -> Result<(), Reason> {
    let value = Json::read(event).unwrap();
    judge_at(schema, schema.root(), &value, event)
}

fn judge_at(schema: &Schema, n: NodeId, v: &Json, text: &str) -> Result<(), Reason> {
    let own = match &v.value {
        Value::Null => schema.check_literal(n, Literal::Null),
        Value::Bool(true) => schema.check_literal(n, Literal::True),
        Value::Bool(false) => schema.check_literal(n, Literal::False),
        Value::String(s) => schema.check_string(n, s.as_bytes()),
        Value::Number(raw) => schema.check_number(n, raw.as_bytes()),
        Value::Array(_) => schema.check_array(n),
        Value::Object(_) => schema.check_object(n),
    };
    assert!(own.is_ok() || schema.checks(n), "a check that `checks` denied");
    own?;
    let is_container = matches!(v.value, Value::Array(_) | Value::Object(_));
    if is_container && schema.compares_containers(n) {
        schema.check_container(n, raw(v, text).as_bytes())?;
    }
    match &v.value {
        Value::Array(items) => {
            items.iter().try_for_each(|item| judge_at(schema, schema.items(n), item, text))
        }
        Value::Object(members) => {
            let mut seen = 0u64;
            for (i, m) in members.iter().enumerate() {
                let field = schema.property(n, m.key.as_bytes());
                if field.forbidden {
                    return Err(Reason::AdditionalProperties);
                }
                if field.constrained && members[..i].iter().any(|other| other.key == m.key) {
                    return Err(Reason::DuplicateKey);
                }
                judge_at(schema, field.node, &m.value, text)?;
                seen |= field.required_bit.map_or(0, |bit| 1 << bit);
            }
            let missing = schema.required(n) & !seen;
            if missing == 0 { Ok(()) } else { Err(Reason::Required) }
        }
        _ => Ok(()),
    }
}

/// The text of a value.
fn raw<'a>(v: &Json, text: &'a str) -> &'a str {
    let rest = &text[v.at..];
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
    values.next().unwrap().unwrap();
    &rest[..values.byte_offset()]
}

fn schema(text: &str) -> Schema {
    Schema::parse("test.json", text).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

#[test]
fn what_an_object_lacks() {
    let text = r#"{"required":["b","a"],"properties":{"a":{"items":{"required":["x/y","z"]}}}}"#;
    let schema = Schema::parse("s.json", text).unwrap();
    for (event, pointer, missing) in [
        ("{}", "", Some("b")),
        (r#"{"b":1}"#, "", Some("a")),
        (r#"{"a":[0,{}]}"#, "/a/1", Some("x/y")),
        (r#"{"a":[{"x\/y":1}]}"#, "/a/0", Some("z")),
        (r#"{"a":1,"b":2}"#, "", None),
        (r#"{"a":1}"#, "/c", None),
    ] {
        assert_eq!(schema.missing(event.as_bytes(), pointer).as_deref(), missing, "{event}");
    }
}
