//! The official JSON Schema test suite, where somebody has it.

use super::super::Schema;
use super::super::json::{Json, Value};
use super::{judge, raw};

/// The files whose keywords are supported.
const FILES: &[&str] = &[
    "type",
    "required",
    "properties",
    "additionalProperties",
    "enum",
    "const",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "items",
    "boolean_schema",
    "default",
    "optional/format/date-time",
];

fn field<'a>(object: &'a Json, key: &str) -> &'a Json {
    let Value::Object(members) = &object.value else { panic!("no object") };
    &members.iter().find(|m| m.key == key).unwrap().value
}

fn list(v: &Json) -> &[Json] {
    let Value::Array(all) = &v.value else { panic!("no array") };
    all
}

fn word(v: &Json) -> &str {
    let Value::String(s) = &v.value else { panic!("no string") };
    s
}

/// Runs every group that uses only supported keywords, and says which it passed over.
#[test]
#[ignore = "set JSON_SCHEMA_TEST_SUITE to the folder draft2020-12 of JSON-Schema-Test-Suite"]
fn official() {
    let dir = std::env::var("JSON_SCHEMA_TEST_SUITE").unwrap();
    let (mut passed, mut failed) = (0, 0);
    for file in FILES {
        let text = std::fs::read_to_string(format!("{dir}/{file}.json")).unwrap();
        for group in list(&Json::read(&text).unwrap()) {
            let about = word(field(group, "description"));
            let schema = match Schema::parse(file, raw(field(group, "schema"), &text)) {
                Ok(schema) => schema,
                Err(e) => {
                    println!("passed over: {file}, {about}: {}", e[0].what);
                    continue;
                }
            };
            for test in list(field(group, "tests")) {
                let verdict = judge(&schema, raw(field(test, "data"), &text));
                let valid = matches!(field(test, "valid").value, Value::Bool(true));
                if verdict.is_ok() == valid {
                    passed += 1;
                } else {
                    failed += 1;
                    println!(
                        "FAILED: {file}, {about}, {}: {verdict:?}",
                        word(field(test, "description"))
                    );
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    assert_eq!(failed, 0);
}
