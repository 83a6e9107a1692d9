//! What a redaction leaves: JSON at every level, keys that differ, and events that fit their schema.

use std::fs;

use serde_json::Value;

use super::sieved;
use crate::cli::{code, folder, run, stderr, tamis};

/// `text` in a string of an event, `depth` times.
fn nested(text: &str, depth: usize) -> String {
    (0..depth).fold(text.to_owned(), |text, _| format!("{{\"m\":{}}}", Value::from(text)))
}

/// The innermost text of an event that `nested` made, or of an array that is a line.
fn innermost(line: &str, depth: usize) -> String {
    (0..depth).fold(line.to_owned(), |text, _| {
        let event: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        event["m"].as_str().or(event["message"].as_str()).unwrap().to_owned()
    })
}

/// What is forwarded of lines, which a second pass forwards as it is.
fn settled(config: &str, lines: &[String], args: &[&str]) -> Vec<String> {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (clean, ..) = sieved(config, &input, args);
    let (again, account, ..) = sieved(config, &clean, args);
    assert_eq!(again, clean, "{config} {args:?}");
    assert_eq!(account["redacted"], 0, "{config} {args:?}");
    clean.lines().map(str::to_owned).collect()
}

#[test]
fn what_was_json_stays_json_however_deep_it_stands() {
    let values = [
        r#"{"ssn":123456789}"#,
        r#"{ "password" : -1.5e3 , "a":[{"card":4111111111111111}], "b":"ada@example.com"}"#,
        r#"[{"ssn":123456789},{"password":1234567}]"#,
    ];
    for numbers in ["null", "zero", "placeholder"] {
        let config = format!("numbers = '{numbers}'\n");
        for depth in 0..=4 {
            let objects = values.iter().filter(|v| depth > 0 || v.starts_with('{'));
            let lines: Vec<_> = objects.map(|value| nested(value, depth)).collect();
            let clean = settled(&config, &lines, &[]);
            assert_eq!(clean.len(), lines.len());
            for line in &clean {
                let inner = innermost(line, depth);
                assert!(serde_json::from_str::<Value>(&inner).is_ok(), "{numbers} {line}");
                for raw in ["123456789", "1.5e3", "1234567", "41111", "ada@"] {
                    assert!(!line.contains(raw), "{numbers} {line}");
                }
            }
        }
        // Arrays that are lines, and JSON in text.
        for line in [values[2].to_owned(), format!("got {} done", values[0])] {
            let clean = settled(&config, std::slice::from_ref(&line), &[]);
            let inner = innermost(&clean[0], 1).replace("got ", "").replace(" done", "");
            assert!(serde_json::from_str::<Value>(&inner).is_ok(), "{numbers} {}", clean[0]);
        }
    }
}

#[test]
fn what_would_have_become_json_still_would() {
    let heads = [
        (r#"{"password":1234567,"#, r#""z":1}"#),
        (r#"{"a":{"password": 1234567"#, r"}}"),
        (r#"{"password":hunter2,"#, r#""z":1}"#),
        (r#"{"m":"x","cards":[4111111111111111,"#, r"1]}"),
        (r#"{"password":"hunter2","#, r#""z":1}"#),
        (r#"{"password":{"current":"hunter2"},"#, r#""z":1}"#),
    ];
    for numbers in ["null", "zero", "placeholder"] {
        let config = format!("numbers = '{numbers}'\n");
        for depth in 1..=2 {
            for (head, tail) in heads {
                let clean = settled(&config, &[nested(head, depth)], &[]);
                let inner = innermost(&clean[0], depth);
                assert_ne!(inner, head);
                let whole = format!("{inner}{tail}");
                assert!(serde_json::from_str::<Value>(&whole).is_ok(), "{numbers} {}", clean[0]);
            }
        }
    }
}

#[test]
fn placeholder_keys_differ_from_those_that_are_there_however_they_are_spelt() {
    let spellings = [
        "[REDACTED:email]",
        r"\u005bREDACTED:email]",
        r"[RED\u0041CTED:\u0065mail]",
        r"\u005b\u0052EDACTED:email\u0023\u0032]",
        "[REDACTED:email#2]",
        "x",
    ];
    for depth in 0..=2 {
        for key in spellings {
            let event = format!(
                r#"{{"{key}":1,"ada@example.com":2,"o":{{"bob@example.com":3}},"eve@example.com":4}}"#
            );
            let clean = settled("", &[nested(&event, depth)], &[]);
            let inner: Value = serde_json::from_str(&innermost(&clean[0], depth)).unwrap();
            assert_eq!(inner.as_object().unwrap().len(), 4, "{key} {}", clean[0]);
        }
    }
    // Keys that hold JSON.
    let event = r#"{"{\"ssn\":123456789}":1,"{\"ssn\":123456780}":2,"{\"ssn\":123456781}":3}"#;
    let clean = settled("", &[event.to_owned()], &[]);
    assert_eq!(serde_json::from_str::<Value>(&clean[0]).unwrap().as_object().unwrap().len(), 3);
}

const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["id", "must"],
  "properties": {
    "id": { "type": "integer" },
    "must": { "type": "string" },
    "card": { "type": "integer", "minimum": 1 },
    "maybe_card": { "type": ["integer", "null"] },
    "short": { "type": "string", "maxLength": 14 },
    "one": { "enum": ["ada@example.com", "bob@example.com"] },
    "form": { "type": "string", "pattern": "^[a-z@.]+$" },
    "any_card": true,
    "list": { "type": "array", "items": { "type": "string", "maxLength": 16 } },
    "on": { "type": "boolean" },
    "o": { "type": "object", "required": ["k"], "additionalProperties": { "type": "integer" } }
  }
}"#;

/// A configuration beside a schema.
fn with_schema(config: &str, input: &str) -> (String, String, Option<i32>, String) {
    let config = format!("version = 1\nschema = \"s.json\"\n{config}");
    let dir = folder(&[("t.toml", &config), ("s.json", SCHEMA)]);
    let args = ["--config", "t.toml", "--dead-letter", "dead.ndjson", "-q"];
    let output = run(tamis(&args).env_remove("TAMIS_CONFIG").current_dir(&dir), input.as_bytes());
    let dead = fs::read_to_string(dir.path().join("dead.ndjson")).unwrap_or_default();
    let clean = String::from_utf8(output.stdout.clone()).unwrap();
    (clean, dead, Some(code(&output)), stderr(&output))
}

#[test]
fn what_is_forwarded_fits_the_schema_also_redacted() {
    let fields = [
        r#""card":4111111111111111"#,
        r#""maybe_card":4111111111111111"#,
        r#""short":"ada@example.io""#,
        r#""one":"ada@example.com""#,
        r#""form":"ada@example.com""#,
        r#""any_card":4111111111111111"#,
        r#""any_card":"ada@example.com""#,
        r#""list":["ada@example.com"]"#,
        r#""list":["4111111111111111"]"#,
        r#""o":{"k":1,"ada@example.com":2}"#,
        r#""o":{"k":1,"card":4111111111111111}"#,
        r#""password":"hunter2","short":"x""#,
        r#""on":true"#,
    ];
    let mut input = String::new();
    for field in fields {
        input.push_str(&format!("{{\"id\":1,\"must\":\"x\",{field}}}\n"));
        input.push_str(&format!("{{\"id\":1,{field},\"must\":\"ada@example.com\"}}\n"));
    }
    let mut configs: Vec<_> =
        ["null", "zero", "placeholder"].map(|numbers| format!("numbers = '{numbers}'\n")).into();
    for action in ["remove", "null", "mask"] {
        let rule = format!("[[rule]]\ndetectors = ['contact', 'financial']\naction = '{action}'\n");
        configs.push(rule);
    }
    for config in configs {
        let (clean, dead, _, said) = with_schema(&config, &input);
        let (lines, letters) = (clean.lines().count(), dead.lines().count());
        assert_eq!(lines + letters, 2 * fields.len(), "{config} {said}");
        assert!(letters > 0 && lines > 0, "{config}");
        for raw in ["ada@", "41111", "hunter2"] {
            assert!(!clean.contains(raw) && !dead.contains(raw), "{config} {clean} {dead}");
        }
        for letter in dead.lines() {
            let letter: Value = serde_json::from_str(letter).unwrap();
            assert!(letter["reason"].as_str().unwrap().starts_with("schema_"), "{letter}");
            assert!(letter["event"].is_object(), "{letter}");
        }
        let (again, dead, ..) = with_schema(&config, &clean);
        assert_eq!((again, dead.as_str()), (clean, ""), "{config}");
    }
}

#[test]
fn a_rule_that_no_event_can_obey_within_the_schema_is_refused_at_the_start() {
    let rule =
        |path: &str, action: &str| format!("[[rule]]\npath = '{path}'\naction = '{action}'\n");
    for (config, says) in [
        (rule("id", "remove"), "`id`, which the schema requires"),
        (rule("**.must", "remove"), "`must`, which the schema requires"),
        (rule("o.k", "remove"), "`o.k`, which the schema requires"),
        (rule("id", "null"), "makes `id` null"),
        (rule("id", "replace"), "in the place of `id`"),
        (rule("card", "mask"), "in the place of `card`"),
        (rule("on", "replace"), "in the place of `on`"),
        (rule("one", "replace"), "in the place of `one`"),
        (rule("form", "replace"), "in the place of `form`"),
        (format!("numbers = 'placeholder'\n{}", rule("id", "replace")), "in the place of `id`"),
        (format!("numbers = 'zero'\n{}", rule("card", "replace")), "in the place of `card`"),
    ] {
        let (_, _, code, said) = with_schema(&config, "");
        assert_eq!(code, Some(2), "{config} {said}");
        assert!(said.contains(says) && said.contains("t.toml:"), "{config} {said}");
    }
    for config in [
        rule("any_card", "remove"),
        rule("maybe_card", "null"),
        rule("maybe_card", "replace"),
        rule("must", "replace"),
        rule("must", "mask"),
        rule("one", "mask"),
        rule("o", "remove"),
        rule("id", "drop"),
        rule("id", "observe"),
        rule("list", "replace"),
        format!("numbers = 'zero'\n{}", rule("id", "replace")),
    ] {
        let (clean, _, code, said) = with_schema(&config, "");
        assert_eq!((clean.as_str(), code), ("", Some(0)), "{config} {said}");
    }
}
