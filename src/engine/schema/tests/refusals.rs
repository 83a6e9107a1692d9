//! Schemas that are refused: where, and with which fix.

use super::super::Schema;

fn refused(text: &str) -> Vec<String> {
    let errors = Schema::parse("dir/log.schema.json", text).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn names() {
    let name = |file: &str| Schema::parse(file, "{}").unwrap().name().to_owned();
    assert_eq!(name("/etc/x/log.schema.json"), "log");
    assert_eq!(name("log.json"), "log");
    assert_eq!(name("log"), "log");
    assert_eq!(name(".schema.json"), ".schema");
}

#[test]
fn all_at_once_and_where() {
    let text = "{\n  \"title\": \"é\", \"$ref\": \"#/x\",\n  \"properties\": {\n    \"a\": {\"type\": \"sting\"},\n    \"b\": {\"oneOf\": []}\n  },\n  \"maxLength\": -1\n}";
    assert_eq!(
        refused(text),
        [
            "dir/log.schema.json:2:17: keyword `$ref` is not supported: write the schema that it names in its place",
            "dir/log.schema.json:4:19: unknown type `sting`: did you mean `string`?",
            "dir/log.schema.json:5:11: keyword `oneOf` is not supported: use `enum` or a list in `type` where that says the same",
            "dir/log.schema.json:7:16: `maxLength` must be an integer of at least 0",
        ]
    );
}

#[test]
fn each_kind() {
    for (text, at, says) in [
        ("", "1:1", "not valid JSON"),
        ("{\n\"a\":\n}", "3:1", "not valid JSON"),
        ("{\"type\":\"object\",}", "1:18", "not valid JSON"),
        ("\"x\"", "1:1", "a schema must be an object, true or false, not a string"),
        ("{\"title\":\"\\ud800\"}", "1:11", "no character"),
        ("{\"type\":[]}", "1:9", "is empty"),
        ("{\"type\":3}", "1:9", "a type's name"),
        ("{\"type\":[\"string\",3]}", "1:19", "a type's name"),
        ("{\"type\":\"float\"}", "1:9", "one of null, boolean"),
        (
            "{\"required\":true}",
            "1:13",
            "`required` must be an array of names, in the object's own schema",
        ),
        ("{\"required\":[1]}", "1:14", "an array of names"),
        ("{\"required\":[\"a\",\"a\"]}", "1:18", "`a` is required twice"),
        ("{\"properties\":[]}", "1:15", "`properties` must be an object, not an array"),
        ("{\"properties\":{\"a\":1}}", "1:20", "a schema must be"),
        ("{\"properties\":{\"a\":true,\"a\":true}}", "1:25", "property `a` stands twice"),
        ("{\"type\":\"null\",\"type\":\"null\"}", "1:16", "keyword `type` stands twice"),
        ("{\"additionalProperties\":\"no\"}", "1:25", "a schema must be"),
        ("{\"items\":[{}]}", "1:10", "prefixItems"),
        ("{\"enum\":[{\"a\":[{\"b\":1,\"b\":2}]}]}", "1:23", "key `b` stands twice"),
        ("{\"const\":{\"a\":1,\"a\":1}}", "1:17", "key `a` stands twice"),
        ("{\"enum\":\"a\"}", "1:9", "`enum` must be an array"),
        ("{\"pattern\":1}", "1:12", "`pattern` must be a string"),
        ("{\"pattern\":\"(?=a)\"}", "1:12", "look-around"),
        (
            "{\"format\":\"email\"}",
            "1:11",
            "format `email` is not supported, only `date-time`: use `pattern`",
        ),
        ("{\"format\":1}", "1:11", "`format` must be a string"),
        ("{\"minimum\":\"0\"}", "1:12", "`minimum` must be a number, not a string"),
        ("{\"minLength\":1.5}", "1:14", "an integer of at least 0"),
        ("{\"minLength\":\"1\"}", "1:14", "an integer of at least 0, not a string"),
        ("{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", "1:12", "dialect"),
        ("{\"timestamp\":{}}", "1:2", "under `properties`"),
        ("{\"propertys\":{}}", "1:2", "did you mean `properties`?"),
    ] {
        let errors = refused(text);
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        let want = format!("dir/log.schema.json:{at}: ");
        assert!(errors[0].starts_with(&want) && errors[0].contains(says), "{text}: {}", errors[0]);
    }
    let deep = "{\"items\":".repeat(200) + "{}" + &"}".repeat(200);
    assert!(refused(&deep)[0].contains("deeper than 128"));
}

#[test]
fn tolerated() {
    for text in [
        "\u{feff}{\"type\":\"object\"}",
        "{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}",
        "{\"$id\":\"x\",\"$comment\":\"\",\"default\":{\"$ref\":1},\"examples\":[],\"deprecated\":true,\"readOnly\":true,\"writeOnly\":false,\"x-pii\":[\"email\"]}",
        "{\"properties\":{\"$ref\":{\"type\":\"string\"},\"if\":{}}}",
        "{\"maximum\":1e400,\"const\":123456789012345678901234567890}",
    ] {
        assert!(Schema::parse("x", text).is_ok(), "{text}");
    }
}

#[test]
fn bare_lists() {
    assert!(Schema::require(&[]).is_ok());
    let e = Schema::require(&["é", "", "b"]).unwrap_err();
    assert_eq!(e.to_string(), "require:1:3: a field's name is empty: separate names by one comma");
    let e = Schema::require(&["a", "b", "a"]).unwrap_err();
    assert_eq!(e.to_string(), "require:1:5: `a` is required twice: remove one");
}
