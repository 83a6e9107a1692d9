//! Schemas as a user of the library meets them.

use tamis::engine::schema::Schema;

#[test]
fn what_ships_is_json_schema_and_compiles() {
    for name in Schema::builtin_names() {
        let text = Schema::builtin_text(name).unwrap();
        let json = serde_json::from_str(text).unwrap();
        assert!(jsonschema::meta::is_valid(&json), "{name}");
        assert_eq!(Schema::builtin(name).unwrap().unwrap().name(), name);
    }
    assert!(Schema::builtin("no-such-schema").is_none());
}

#[test]
fn a_refusal_says_where_and_what_to_do() {
    let text = "{\n  \"properties\": {\n    \"user\": { \"$ref\": \"#/$defs/user\" }\n  },\n  \"minItems\": 1\n}";
    let errors = Schema::parse("conf/events.schema.json", text).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "conf/events.schema.json:3:15: keyword `$ref` is not supported: write the schema that it names in its place",
            "conf/events.schema.json:5:3: keyword `minItems` is not supported: remove it",
        ]
    );
}

#[test]
fn a_bare_list() {
    assert_eq!(Schema::require(&["timestamp", "level"]).unwrap().name(), "require");
    let error = Schema::require(&["timestamp", ""]).unwrap_err();
    assert_eq!((error.line, error.column), (1, 11));
}
