//! What each input becomes: the built program on one line of every kind, by default, with a
//! schema, and with a dead letter.

use std::{fs, process::Output};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::cli::{adds_up, code, run, stderr, summary, tamis};

/// A run of the program on `input`; a line before and one behind it show that neither is hurt.
struct Run {
    output: Output,
    /// What was forwarded between the two.
    forwarded: String,
    summary: Value,
    letters: Vec<Value>,
}

const AROUND: &str = concat!(
    r#"{"timestamp":"2026-03-14T09:26:31.617Z","level":"info","service":"shop","event":"sound","#,
    r#""trace_id":"4bf92f3577b34da6a3ce92a20ee1ed97","span_id":"00f067acc23f99a2"}"#,
    "\n"
);

const SCHEMA: &[&str] = &["--schema", "service-log"];
const DEAD_LETTER: &[&str] = &["--dead-letter", "dead"];

fn between(args: &[&str], input: &[u8]) -> Run {
    let input = [AROUND.as_bytes(), input, b"\n", AROUND.as_bytes()].concat();
    let dir = tempdir().unwrap();
    let output = run(tamis(args).current_dir(&dir), &input);
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let forwarded = stdout.strip_prefix(AROUND).and_then(|rest| rest.strip_suffix(AROUND));
    let forwarded = forwarded.unwrap_or_else(|| panic!("{stdout}")).to_owned();
    let letters = fs::read_to_string(dir.path().join("dead")).unwrap_or_default();
    let letters = letters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = summary(&output);
    adds_up(&summary);
    assert_eq!(summary["bytes_in"], input.len());
    assert_eq!(summary["bytes_out"], stdout.len());
    Run { output, forwarded, summary, letters }
}

/// The outcomes of the two lines around are no news.
fn count(run: &Run, outcome: &str) -> u64 {
    run.summary[outcome].as_u64().unwrap() - if outcome == "clean" { 2 } else { 0 }
}

#[test]
fn clean_events_leave_byte_for_byte() {
    for event in [
        r#"{"a":1}"#,
        r#"  { "a" : [ 1 ,2 ] }  "#,
        "{\"a\":1}\r",
        "{\"a\":\t1}",
        r#"{"big":123456789012345678901234567890,"exp":1e400,"zero":-0,"tail":1.50}"#,
        r#"{"escapes":"\u00e9\/\"","raw":"é"}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"":{"":[]}}"#,
    ] {
        let run = between(&[], event.as_bytes());
        assert_eq!(run.forwarded, format!("{event}\n"));
        assert_eq!(count(&run, "clean"), 1);
        assert_eq!(stderr(&run.output).lines().count(), 1, "nothing to say but the summary");
        assert_eq!(code(&run.output), 0);
    }
}

#[test]
fn findings_are_replaced_and_nothing_else() {
    for (event, wanted, detector, findings) in [
        (
            r#"{ "m" : "mail ada@example.com", "n":1.50 }"#,
            r#"{ "m" : "mail [REDACTED:email]", "n":1.50 }"#,
            "email",
            1,
        ),
        (r#"{"password":12345}"#, r#"{"password":null}"#, "secret_field", 1),
        (
            r#"{"password":["a","b"]}"#,
            r#"{"password":["[REDACTED:secret_field]","[REDACTED:secret_field]"]}"#,
            "secret_field",
            2,
        ),
        (r#"{"ip":"93.184.215.14"}"#, r#"{"ip":"93.184.215.0"}"#, "ipv4", 1),
        (
            r#"{"ada@example.com":1,"bob@example.com":2}"#,
            r##"{"[REDACTED:email]":1,"[REDACTED:email#2]":2}"##,
            "email",
            2,
        ),
        (
            r#"{"u":"ada@example.com","u":"bob@example.com"}"#,
            r#"{"u":"[REDACTED:email]","u":"[REDACTED:email]"}"#,
            "email",
            2,
        ),
    ] {
        let run = between(&[], event.as_bytes());
        assert_eq!(run.forwarded, format!("{wanted}\n"));
        assert_eq!(count(&run, "redacted"), 1);
        assert_eq!(run.summary["redactions"], json!({ detector: findings }));
        let again = between(&[], wanted.as_bytes());
        assert_eq!((again.forwarded, again.summary["clean"].as_u64()), (run.forwarded, Some(3)));
    }
}

#[test]
fn text_lines_are_wrapped_or_what_was_asked_for() {
    let line = "panic: \"no\" \\ ada@example.com";
    let redacted = r#"{"message":"panic: \"no\" \\ [REDACTED:email]"}"#;
    let wrapped = between(&[], line.as_bytes());
    assert_eq!(wrapped.forwarded, format!("{redacted}\n"));
    assert_eq!(count(&wrapped, "wrapped"), 1);
    for text in ["[1,2]", "\"string\"", "42", "null", "\u{feff}[1]", "\t at x"] {
        let run = between(&[], text.as_bytes());
        let message: Value = serde_json::from_str(&run.forwarded).unwrap();
        assert_eq!(message, json!({ "message": text }));
    }

    let dropped = between(&["--text", "drop", "--fail-on-drop"], line.as_bytes());
    assert_eq!((&*dropped.forwarded, code(&dropped.output)), ("", 1));
    assert_eq!(dropped.summary["dropped"], json!({ "text": 1 }));

    for (args, reason) in [
        (&["--text", "dead-letter"][..], "text"),
        (SCHEMA, "not_json"),
        (&["--schema", "service-log", "--text", "wrap"], "not_json"),
    ] {
        let kept = between(&[args, DEAD_LETTER].concat(), line.as_bytes());
        assert_eq!(kept.forwarded, "", "{args:?}");
        assert_eq!(kept.summary["dead_lettered"], json!({ reason: 1 }));
        let mut letter = json!({
            "reason": reason, "input": "stdin", "line": 2, "offset": AROUND.len(),
            "length": line.len(), "text": "panic: \"no\" \\ [REDACTED:email]",
        });
        if reason == "not_json" {
            letter["schema"] = "service-log".into();
        }
        assert_eq!(kept.letters, [letter]);
    }
}

/// Lines that are never forwarded: reason, line, and what their notice says.
fn malformed() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let long = format!("{{\"ada@example.com\":\"{}\"}}", "x".repeat(1 << 20));
    let deep = format!("{{\"ada\":{}0{}}}", "[".repeat(128), "]".repeat(128));
    vec![
        ("unterminated", b"{\"name\":\"ada@example.com\",".into(), "try `jq -c .`"),
        ("unterminated", b"{".into(), "looks pretty-printed"),
        ("trailing_data", b"{\"name\":1}{\"name\":2}".into(), "one event per line"),
        ("trailing_data", b"{\"name\":1} # ada".into(), "one event per line"),
        ("syntax", b"{'name': 'ada@example.com'}".into(), "json.dumps"),
        ("unterminated", b"{'name': \"it's ada\", 'a': '\"'}".into(), "json.dumps"),
        ("trailing_data", b"{\"name\":1}\"".into(), "one event per line"),
        ("unterminated", b"{\"name\":\"ada".into(), "looks pretty-printed"),
        ("syntax", b"{\"name\":NaN}".into(), "RFC 8259"),
        ("syntax", b"{\"name\":1,}".into(), "RFC 8259"),
        ("syntax", b"{/* ada */\"name\":1}".into(), "RFC 8259"),
        ("control_character", b"{\"name\":\"ada\x01lovelace\"}".into(), "must escape it"),
        ("control_character", b"{\"name\":\"ada\tlovelace\"}".into(), "must escape it"),
        ("invalid_escape", b"{\"name\":\"ada\\x41\"}".into(), "does not have"),
        ("lone_surrogate", b"{\"name\":\"ada\\ud800\"}".into(), "surrogate"),
        ("invalid_utf8", b"{\"name\":\"ada\xff\"}".into(), "iconv -t UTF-8"),
        ("invalid_utf8", b"ada\xff is text".into(), "iconv -t UTF-8"),
        ("utf16", b"\xff\xfea\0d\0a\0".into(), "iconv -f UTF-16 -t UTF-8"),
        ("utf16", b"\0{\0\"\0a\0d\0a\0\"\0:\x001\0}".into(), "iconv -f UTF-16 -t UTF-8"),
        ("oversize", long.clone().into(), "--max-event-bytes"),
        ("oversize", long[1..].into(), "--max-event-bytes"),
        ("too_deep", deep.into(), "--max-depth"),
    ]
}

#[test]
fn malformed_lines_are_never_forwarded() {
    for (reason, line, fix) in malformed() {
        let shown = String::from_utf8_lossy(&line[..line.len().min(40)]).into_owned();
        let dropped = between(&[], &line);
        assert_eq!(dropped.forwarded, "", "{shown}");
        assert_eq!(dropped.summary["dropped"], json!({ reason: 1 }), "{shown}");
        assert_eq!(dropped.summary["violations"], json!({}), "malformed is no violation");
        assert_eq!(code(&dropped.output), 0);
        let text = stderr(&dropped.output);
        let notice = text.lines().next().unwrap();
        assert!(notice.starts_with(&format!("tamis: dropped stdin:2: {reason}")), "{notice}");
        assert!(notice.contains(fix), "{notice}");
        assert!(!text.contains("ada"), "the text is nobody's business: {text}");

        let strict = between(&["--fail-on-drop"], &line);
        assert_eq!(code(&strict.output), 1);

        for args in [DEAD_LETTER, &[SCHEMA, DEAD_LETTER].concat()] {
            let kept = between(args, &line);
            assert_eq!(kept.forwarded, "");
            assert_eq!(kept.summary["dead_lettered"], json!({ reason: 1 }), "{shown}");
            let notice = stderr(&kept.output);
            assert!(notice.starts_with(&format!("tamis: dead-lettered stdin:2: {reason}")));
            let [letter] = &kept.letters[..] else { panic!("{:?}", kept.letters) };
            let keys: Vec<_> = letter.as_object().unwrap().keys().map(String::as_str).collect();
            let shape = reason != "oversize";
            let wanted = ["reason", "input", "line", "offset", "length", "shape"];
            assert_eq!(keys, &wanted[..5 + usize::from(shape)]);
            assert_eq!(letter["reason"], reason);
            assert_eq!(letter["input"], "stdin");
            assert_eq!((&letter["line"], &letter["offset"]), (&2.into(), &AROUND.len().into()));
            assert_eq!(letter["length"], line.len());
            let shape = letter["shape"].as_str().unwrap_or_default();
            let word = |b: &u8| b.is_ascii_alphanumeric() && !b"x0".contains(b);
            assert!(!shape.as_bytes().iter().any(word), "{shape}");
            assert!(shape.len() <= 1024);
        }
    }
}

#[test]
fn limits_are_the_users() {
    let event = format!("{{\"pad\":\"{}\"}}", "x".repeat(90));
    for (limit, forwarded) in [(event.len() - 1, 0), (event.len(), 1), (event.len() + 1, 1)] {
        for end in ["", "\r"] {
            let line = format!("{event}{end}");
            let limit = limit.to_string();
            let output = run(&mut tamis(&["--max-event-bytes", &limit]), line.as_bytes());
            assert_eq!(summary(&output)["clean"], forwarded, "{limit} {end:?}");
        }
    }
    let nested = br#"{"a":{"b":[1]}}"#;
    for (depth, forwarded) in [("2", 0), ("3", 1), ("4", 1)] {
        let output = run(&mut tamis(&["--max-depth", depth]), nested);
        assert_eq!(summary(&output)["clean"], forwarded, "{depth}");
    }
}

#[test]
fn blank_lines_are_skipped_and_counted() {
    for line in ["", " ", "\t \t", "\r", "  \r"] {
        for args in [&[][..], SCHEMA] {
            let run = between(args, line.as_bytes());
            assert_eq!((&*run.forwarded, count(&run, "blank")), ("", 1), "{line:?}");
            assert_eq!(code(&run.output), 0);
        }
    }
}

#[test]
fn violations_name_the_place_and_keep_the_redacted_event() {
    let sound = AROUND.trim_end();
    for (from, to, reason, keyword, pointer) in [
        ("\"level\":\"info\",", "", "schema_required", Some("required"), ""),
        ("\"info\"", "\"loud\"", "schema_enum", Some("enum"), "/level"),
        ("\"sound\"", "7", "schema_type", Some("type"), "/event"),
        ("\"sound\"", "\"It broke\"", "schema_pattern", Some("pattern"), "/event"),
        ("2026-03-14T", "2026-02-30T", "schema_format", Some("format"), "/timestamp"),
        ("\"shop\"", "\"\"", "schema_min_length", Some("minLength"), "/service"),
        ("}", ",\"duration_ms\":-1}", "schema_minimum", Some("minimum"), "/duration_ms"),
        ("}", ",\"level\":\"info\"}", "duplicate_key", None, "/level"),
    ] {
        let person = |email: &str| {
            sound.replacen(from, to, 1).replacen('{', &format!("{{\"who\":\"{email}\","), 1)
        };
        let event = person("ada@example.com");
        let dropped = between(SCHEMA, event.as_bytes());
        assert_eq!(dropped.forwarded, "", "{event}");
        assert_eq!(dropped.summary["dropped"], json!({ reason: 1 }));
        assert_eq!(dropped.summary["violations"], json!({ reason: 1 }));
        let notice = stderr(&dropped.output);
        let names = notice.contains("lacks `level`, which the schema requires");
        assert_eq!(names, reason == "schema_required", "{notice}");
        let wanted = format!(
            "tamis: dropped stdin:2: {reason}{}",
            match pointer {
                "" => ": ".to_owned(),
                pointer => format!(" at {pointer}: "),
            }
        );
        assert!(notice.starts_with(&wanted), "{notice}");
        assert!(!notice.contains("ada"), "{notice}");

        let kept = between(&[SCHEMA, DEAD_LETTER].concat(), event.as_bytes());
        let redacted: Value = serde_json::from_str(&person("[REDACTED:email]")).unwrap();
        let mut letter = json!({ "reason": reason });
        if let Some(keyword) = keyword {
            letter["keyword"] = keyword.into();
        }
        letter["schema"] = "service-log".into();
        letter["pointer"] = pointer.into();
        if reason == "schema_required" {
            letter["missing"] = "level".into();
        }
        letter["input"] = "stdin".into();
        letter["line"] = 2.into();
        letter["offset"] = AROUND.len().into();
        letter["length"] = event.len().into();
        letter["event"] = redacted;
        assert_eq!(kept.letters, [letter.clone()]);
        let keys =
            |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(keys(&kept.letters[0]), keys(&letter), "in this order");

        let without = between(&[], event.as_bytes());
        assert_eq!(count(&without, "redacted"), 1, "no schema, no violation");
    }
}

#[test]
fn a_pointer_is_redacted_too() {
    let schema = r#"{"type":"object","properties":{"by":{"type":"object","additionalProperties":{"type":"number"}}}}"#;
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("schema.json"), schema).unwrap();
    let args = ["--schema", "schema.json", "--dead-letter", "dead"];
    for event in [
        r#"{"by":{"ada@example.com":"two"}}"#,
        r#"{"by":{"ada\u0040example.com":"two"}}"#,
        r#"{"by":{"sent to ada@example.com":{"a/b":1}}}"#,
    ] {
        let output = run(tamis(&args).current_dir(&dir), event.as_bytes());
        let dead = fs::read_to_string(dir.path().join("dead")).unwrap();
        for text in [&dead, &stderr(&output)] {
            assert!(!text.contains("ada") && text.contains("[REDACTED:email]"), "{text}");
        }
        let letter: Value = serde_json::from_str(dead.lines().last().unwrap()).unwrap();
        let pointer = letter["pointer"].as_str().unwrap();
        assert!(pointer.starts_with("/by/") && pointer.ends_with("[REDACTED:email]"), "{pointer}");
        assert_eq!(code(&output), 0, "that it is refused is a result");
    }
}

#[test]
fn the_first_of_each_reason_is_told_and_all_are_counted() {
    let lines = malformed();
    let input: Vec<u8> = lines
        .iter()
        .chain(&lines)
        .flat_map(|(_, line, _)| [line, &b"\n"[..]].concat())
        .chain(AROUND.bytes())
        .collect();
    let mut reasons: Vec<_> = lines.iter().map(|(reason, ..)| *reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for threads in ["1", "3"] {
        let output = run(&mut tamis(&["--threads", threads]), &input);
        let text = stderr(&output);
        let (notices, _) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(notices.lines().count(), reasons.len(), "{text}");
        for reason in &reasons {
            let first = lines.iter().position(|(of, ..)| of == reason).unwrap() + 1;
            let told = notices.lines().any(|notice| {
                let rest = notice.strip_prefix(&format!("tamis: dropped stdin:{first}: {reason}"));
                rest.is_some_and(|rest| rest.starts_with([':', ' ']))
            });
            assert!(told, "{reason}: {text}");
            let of = lines.iter().filter(|(of, ..)| of == reason).count();
            assert_eq!(summary(&output)["dropped"][reason], 2 * of);
        }
        adds_up(&summary(&output));
    }
}

#[test]
fn exit_codes() {
    let dir = tempdir().unwrap();
    let rule = "version = 1\n[[rule]]\ndetectors = \"email\"\naction = \"drop\"\n";
    fs::write(dir.path().join("drops.toml"), rule).unwrap();
    for (args, input, wanted) in [
        (&[][..], &b"{}\n"[..], 0),
        (&[], b"", 0),
        (&[], b"\n \n", 0),
        (&[], b"{}\n{\n", 0),
        (&["--fail-on-drop"], b"{}\n", 0),
        (&["--fail-on-drop"], b"{}\n{\n", 1),
        (&["--fail-on-drop", "--dead-letter", "dead"], b"{}\n{\n", 1),
        (&["--fail-on-drop", "--dead-letter", "dead", "--require", "a"], b"{\"b\":1}\n", 1),
        (&["--dead-letter", "dead", "--require", "a"], b"{\"b\":1}\n", 0),
        (&["--fail-on-drop", "--config", "drops.toml"], b"{\"m\":\"ada@example.com\"}\n", 0),
        (
            &["--fail-on-drop", "--config", "drops.toml", "--dead-letter", "dead"],
            b"a@example.com\n",
            0,
        ),
        (&["--fail-on-drop", "--config", "drops.toml"], b"{\"m\":\"a@example.com\"}\n{\n", 1),
        (&["--fail-on-drop", "--schema", "service-log"], AROUND.as_bytes(), 0),
        (&["--no-such-option"], b"{}\n", 2),
        (&["--schema", "no-such-schema"], b"{}\n", 2),
        (&["--require", "a", "--schema", "service-log"], b"{}\n", 2),
        (&["no-such-file"], b"", 3),
        (&[], b"{\n", 0),
        (&["--fail-on-drop"], b"{\n", 1),
        (&["--schema", "service-log"], b"{}\n", 0),
        (&["--schema", "service-log", "--fail-on-drop"], b"{}\n", 1),
        (&["--require", "a"], b"{\"b\":1}\n", 0),
        (&["--require", "a"], b"{\"a\":1}\n{\"b\":1}\n", 0),
        (&["--text", "drop"], b"text\n", 0),
        (&["--text", "drop", "--fail-on-drop"], b"text\n", 1),
    ] {
        let output = run(tamis(args).current_dir(&dir), input);
        let what = format!("{args:?} {}", String::from_utf8_lossy(input));
        assert_eq!(code(&output), wanted, "{what}: {}", stderr(&output));
        if wanted != 2 {
            assert_eq!(summary(&output)["exit_code"], wanted, "{what}");
            adds_up(&summary(&output));
        } else {
            assert_eq!(output.stdout, b"", "{what}");
        }
    }
}
