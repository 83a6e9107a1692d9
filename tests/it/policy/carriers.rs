//! Rules by path, `drop` rules and the schema hold for JSON wherever it stands: whatever is around it in
//! a line or a string, and however deep. Carriers are generated: prefix × value × suffix × depth.

use serde_json::Value;

use super::sieved;

/// In no output, dead letter or notice.
const CANARY: &str = "canary-7c1";

/// What a rule speaks of, however it is written.
const WHOLE: &[&str] = &[
    r#"{"id":1,"note":"canary-7c1"}"#,
    r#"{ "note" : ["canary-7c1", {"a":"canary-7c1"}] }"#,
    r#"{"n\u006fte":"can\u0061ry-7c1 canary-7c1","id":[1,2]}"#,
    r#"[{"id":1},{"note":"canary-7c1"}]"#,
    r#"[[{"note":"canary-7c1"}],"x"]"#,
];

/// The same, over several lines: in a string only.
const PRINTED: &[&str] =
    &["{\n  \"note\": \"canary-7c1\"\n}", "{\r\n\t\"id\": 1,\n\"note\": [\"canary-7c1\"]}"];

/// The same, but no JSON as a whole.
const BROKEN: &[&str] = &[
    r#"{"note":"canary-7c1",}"#,
    r#"{"note":"canary-7c1","z":"\ud800"}"#,
    r#"{"note":"canary-7c1","z":tru}"#,
    r#"{"note":"canary-7c1""#,
    r#"{"a":{"note":"canary-7c1"},"b":[1,2}"#,
    r#"[{"note":"canary-7c1"},]"#,
    r#"{"note":"canary-7c1"/*x*/}"#,
    r#"{/*x*/"note":"canary-7c1"}"#,
    "{ // x\r\"note\":\"canary-7c1\"}",
    r#"{,"note":"canary-7c1"}"#,
    "{\u{a0}\"note\":\"canary-7c1\"}",
    "{\u{feff}\0\u{200b} \"note\":\"canary-7c1\"}",
    r"{\x22note\x22:\x22canary-7c1\x22}",
];

const BEFORE: &[&str] = &[
    "",
    " ",
    "\t",
    "INFO ",
    "\u{feff}",
    "\0",
    "\u{1e}",
    "\u{c}",
    "\u{a0}",
    "\u{1b}[31m",
    "[main] ",
    "[12] ",
    "{} ",
    "{0} ",
    "a=b ",
    "\u{feff}\0\u{1e} ",
    "x\u{ad}",
    "(",
    "data: ",
    "[{}] ",
    "}",
    "]",
    "body=\"",
];
const AFTER: &[&str] = &[
    "",
    " ",
    " x",
    "{}",
    ";",
    "\0",
    "\u{1b}[0m",
    ",",
    "]",
    "}",
    "\"",
    "\u{a0}",
    "\u{c}",
    " [1",
    " {x",
    "{\"id\":2}",
    "\\",
    "%",
];

/// `text` in a string of an event, `depth` times, with something around it each time.
fn nested(text: &str, depth: usize, around: (&str, &str)) -> String {
    if depth == 0 {
        return format!("{}{text}{}", around.0, around.1);
    }
    let inner = nested(text, depth - 1, around);
    format!("{{\"id\":0,\"m\":{}}}", Value::from(inner))
}

/// Carriers of each value at each depth; a line has neither line ends nor, but at its start, NUL.
fn lines(values: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for depth in 0..=3 {
        for before in BEFORE {
            for after in AFTER {
                let value = values[all.len() % values.len()];
                all.push(nested(value, depth, (before, after)));
            }
        }
        all.extend(values.iter().map(|value| nested(value, depth, ("", ""))));
    }
    all
}

/// JSON in a literal, as logfmt and debuggers write it.
fn literals(values: &[&str]) -> Vec<String> {
    let literal = |value: &&str| Value::from(*value).to_string();
    let logfmt = values.iter().map(|value| format!("level=info body={} n=1", literal(value)));
    let inside = values.iter().map(|value| nested(&literal(value), 1, ("got ", " and C:\\dir")));
    let twice = values.iter().map(|value| format!("x {}", Value::from(literal(value))));
    logfmt.chain(inside).chain(twice).collect()
}

fn shows_nowhere(config: &str, lines: &[String], args: &[&str]) -> (String, Value) {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (clean, account, dead, said) = sieved(config, &input, args);
    for text in [&clean, &dead, &said] {
        let shown = text.lines().find(|line| line.contains(CANARY));
        assert_eq!(shown, None, "{config}");
    }
    for line in clean.lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap().is_object(), "{line}");
    }
    assert_eq!(account["read"], lines.len());
    (clean, account)
}

#[test]
fn no_carrier_gets_a_value_past_a_rule_by_path() {
    for path in ["**.note", "note"] {
        for action in ["replace", "mask", "null", "remove", "drop"] {
            let config = format!("[[rule]]\npath = '{path}'\naction = '{action}'\n");
            let whole = [lines(WHOLE), literals(WHOLE), literals(PRINTED)].concat();
            let (_, account) = shows_nowhere(&config, &whole, &[]);
            let broken = [lines(BROKEN), literals(BROKEN)].concat();
            shows_nowhere(&config, &broken, &[]);
            shows_nowhere(&config, &[whole, broken].concat(), &["--require", "id"]);
            if action == "drop" {
                assert_eq!((&account["redacted"], &account["wrapped"]), (&0.into(), &0.into()));
            }
        }
    }
}

/// Rules are no reason to refuse what can be judged.
#[test]
fn whole_values_are_redacted_where_they_are() {
    let config = "[[rule]]\npath = '**.note'\naction = 'replace'\n";
    let (before, after) =
        (["INFO ", "\u{a0}", "[main] ", "\u{1b}[31m"], [" x", ";", "\u{1b}[0m", ""]);
    for (before, after) in before.into_iter().zip(after) {
        for depth in 0..=3 {
            let value = r#"{"id":1,"note":"canary-7c1"}"#;
            let wanted = value.replace(CANARY, "[REDACTED:path]");
            let line = nested(value, depth, (before, after));
            let wanted = match depth {
                0 => format!("{{\"message\":{}}}", Value::from(format!("{before}{wanted}{after}"))),
                _ => nested(&wanted, depth, (before, after)),
            };
            let (clean, _, dead, _) = sieved(config, &format!("{line}\n"), &[]);
            let (clean, wanted) = (clean.trim_end(), wanted.as_str());
            let same =
                serde_json::from_str::<Value>(clean).ok() == serde_json::from_str(wanted).ok();
            assert!(same, "{line}\n{clean}\n{wanted}\n{dead}");
        }
    }
}

#[test]
fn a_rule_that_drops_by_detector_finds_keys_wherever_json_stands() {
    let config = "[[rule]]\ndetectors = 'secret_field'\naction = 'drop'\n";
    let values =
        [r#"{"password":{"current":"canary-7c1"}}"#, r#"[{"a":{"api_key":"canary-7c1"}}]"#];
    shows_nowhere(config, &lines(&values), &["--only", "secret_field"]);
    let broken = [r#"{"password":{"current":"canary-7c1"}"#, r#"{"password":"canary-7c1",}"#];
    shows_nowhere(config, &lines(&broken), &["--only", "secret_field"]);
}

#[test]
fn what_is_forwarded_under_a_schema_fits_it_and_holds_no_json_that_breaks_off() {
    // None that a bracket after it makes whole.
    let broken: Vec<_> =
        BROKEN.iter().copied().filter(|value| value.ends_with(['}', ']'])).collect();
    let all = [lines(&broken), lines(&[r#"{"note":"x"}"#])].concat();
    let input: String = all.iter().map(|line| format!("{line}\n")).collect();
    let (clean, account, _, _) = sieved("", &input, &["--require", "id,m"]);
    assert_eq!(account["read"], all.len());
    assert!(clean.lines().count() > 100);
    for line in clean.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(event["id"].is_number() && event["m"].is_string(), "{line}");
        assert!(!line.contains(CANARY), "{line}");
    }
}

#[test]
fn bytes_before_an_event_are_removed_and_counted() {
    let events = ["{\"a\" :1.50}", "{\"mail\":\"ada@example.com\"}", "{\"a\":}"];
    let mut input = String::new();
    for prefix in ["\u{1e}", "\0\0", "\u{feff}", " \u{feff}\u{1e} "] {
        events.iter().for_each(|event| input.push_str(&format!("{prefix}{event}\n")));
    }
    // At the very start of a stream a byte order mark is no line's.
    let (clean, account, _, _) = sieved("", &input, &[]);
    let wanted = "{\"a\" :1.50}\n{\"mail\":\"[REDACTED:email]\"}\n".repeat(4);
    assert_eq!(clean.replace(" {", "{"), wanted);
    assert_eq!((&account["redacted"], &account["clean"]), (&8.into(), &0.into()));
    assert_eq!((&account["prefixes_removed"], &account["wrapped"]), (&12.into(), &0.into()));
    assert_eq!(account["dead_lettered"]["syntax"], 4);
}
