//! `tamis explain` and `tamis patterns test`, the real process.

use std::fs;

use serde_json::Value;
use tempfile::tempdir;

use crate::cli::{code, sieve, stderr};

fn stdout(args: &[&str], stdin: &[u8]) -> String {
    let output = sieve(args, stdin);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Without the forwarded line, which closes the page.
fn decisions(page: &str) -> &str {
    page.trim_end().rsplit_once("\n\n").unwrap().0
}

const EVENT: &str = r#"{"user":"j.doe\u0040acme.com","trace_id":"4111111111111111","took":4012888888881881,"in":"{\"password\":\"hunter2\"}","m":"card 4012-8888-8888-1882"}"#;

#[test]
fn each_candidate_has_its_place_and_its_decision() {
    let page = stdout(&["explain", EVENT], b"");
    for part in [
        "redacted: 2 found, 3 refused\n",
        "string in escapes        bytes 9..28",
        "    email         found      → [REDACTED:email]\n",
        "    payment_card  veto       a veto key or word is nearby\n",
        "    payment_card  context    needs a context key or word nearby",
        "string in escapes, json  bytes ",
        "    secret_field  found      → [REDACTED:secret_field]\n",
        "    payment_card  validator  rejected by the validator",
        "\ngate matched, but no shape did: ",
        "\ngate never matched: the other ",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let forwarded = page.lines().last().unwrap();
    assert_eq!(format!("{forwarded}\n").as_bytes(), sieve(&[], EVENT.as_bytes()).stdout);
    for planted in ["j.doe", "acme", "4111", "4012", "hunter2", "1882"] {
        assert!(!decisions(&page).contains(planted), "{planted}\n{page}");
    }
    assert_eq!(stdout(&["explain"], format!("{EVENT}\r\n").as_bytes()), page);
    assert_eq!(stdout(&["explain", "-"], EVENT.as_bytes()), page);
}

#[test]
fn every_outcome_has_its_first_line() {
    for (args, event, wanted) in [
        (&[][..], r#"{"n":1}"#, "clean: forwarded byte for byte; no candidate\n"),
        (&[], "panic: password=hunter2", "wrapped: a text line"),
        (&[], " ", "blank: "),
        (&[], "{'n':1}", "would be dropped: syntax at byte 1: looks like a Python dict"),
        (
            &["--require", "n,m"],
            r#"{"n":"a@b.com"}"#,
            "would be dropped: schema_required: lacks `m`",
        ),
        (
            &["--schema", "service-log"],
            r#"{"level":"x"}"#,
            "would be dropped: schema_enum at /level",
        ),
        (&["--text", "dead-letter"], "hello", "would be dropped: text: "),
        (&["--max-event-bytes", "4"], r#"{"n":1}"#, "would be dropped: oversize: "),
        (&["--max-depth", "1"], r#"{"n":{}}"#, "would be dropped: too_deep"),
        (&["--without", "email"], r#"{"n":"a@b.com"}"#, "clean: "),
        (&["--only", "phone"], r#"{"n":"a@b.com"}"#, "clean: "),
        (&["--ip", "redact"], r#"{"n":"8.8.8.8"}"#, "redacted: 1 found\n"),
    ] {
        for page in [
            stdout(&[&["explain", event], args].concat(), b""),
            stdout(&[&["explain"], args].concat(), event.as_bytes()),
        ] {
            assert!(page.starts_with(wanted), "{event}\n{page}");
            assert!(!wanted.starts_with("would") || !page.contains("{\""), "{page}");
        }
    }
}

#[test]
fn json_is_one_object_without_the_values() {
    let text = stdout(&["explain", "--json", EVENT], b"");
    assert_eq!(text.lines().count(), 1);
    let mut explained: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&explained["outcome"], &explained["rejected"]), (&"redacted".into(), &Value::Null));
    let line = explained["line"].take();
    assert!(line.as_str().unwrap().contains("[REDACTED:email]"));
    let email = &explained["candidates"][0];
    assert_eq!((&email["detector"], &email["decision"]), (&"email".into(), &"found".into()));
    assert_eq!((&email["pointer"], &email["shape"]), (&"/user".into(), &"x.xxx@xxxx.xxx".into()));
    assert_eq!((&email["start"], &email["end"]), (&9.into(), &28.into()));
    for planted in ["j.doe", "acme", "4111", "4012", "hunter2", "1882"] {
        assert!(!explained.to_string().contains(planted), "{planted}\n{text}");
    }
    let text = stdout(&["explain", "--json", "--require", "m", "{}"], b"");
    let explained: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(explained["rejected"]["reason"], "schema_required");
    assert_eq!(explained["line"], Value::Null);
}

#[test]
fn only_the_first_line_is_explained() {
    let output = sieve(&["explain"], b"{\n  \"password\": 1\n}\n");
    assert_eq!(code(&output), 0);
    assert!(output.stdout.starts_with(b"would be dropped: unterminated at byte 1"));
    assert!(stderr(&output).contains("only the first line"), "{}", stderr(&output));
}

#[test]
fn a_terminal_gets_no_control_characters_and_colour_on_demand() {
    let page = stdout(&["explain", "{\"\\u001b[2J\":\"a@b.com\",\"m\":\"\u{9b}2J\"}"], b"");
    assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "{page:?}");
    let page = stdout(&["explain", "--color", "always", "{}"], b"");
    assert!(page.contains("\u{1b}["));
}

#[test]
fn the_packs_pass_their_own_cases() {
    let text = stdout(&["patterns", "test"], b"");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(" detectors, ") && text.ends_with(" cases: all pass\n"), "{text}");
}

const PACK: &str = r#"
pack = "mine"
version = 1
[[detector]]
id = "badge"
category = "contact"
description = "a badge number"
literals = ["BDG-"]
regex = 'BDG-\d{6}'
not_after = '\d'
test = [
  { text = "BDG-123456", becomes = "[REDACTED:badge]" },
  { text = "BDG-1234567 x", becomes = "[REDACTED:badge] x" },
  { text = "BDG-654321 x", unchanged_by = "regex" },
  { event = '{"a":"nothing"}', unchanged_by = "regex" },
]
"#;

#[test]
fn a_case_that_fails_says_what_came_and_which_step_refused() {
    let dir = tempdir().unwrap();
    let pack = dir.path().join("mine.toml");
    fs::write(&pack, PACK).unwrap();
    for path in [pack.to_str().unwrap(), dir.path().to_str().unwrap()] {
        let output = sieve(&["patterns", "test", path], b"");
        assert_eq!(code(&output), 1);
        let text = String::from_utf8(output.stdout).unwrap();
        let (failures, last) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(
            failures,
            "\
FAILED badge of pack mine
  text        BDG-1234567 x
  expected    [REDACTED:badge] x
  actual      unchanged
  refused by  regex: does not match the regex, `not_before` or `not_after`
FAILED badge of pack mine
  text        BDG-654321 x
  expected    unchanged, refused by regex
  actual      [REDACTED:badge] x
  refused by  no step
FAILED badge of pack mine
  event       {\"a\":\"nothing\"}
  expected    unchanged, refused by regex
  actual      unchanged
  refused by  gate: the text contains nothing that its gate looks for"
        );
        assert!(last.ends_with(" cases: 3 failed"), "{last}");
    }
    for path in ["no/such.toml", "/dev/null"] {
        assert_eq!(code(&sieve(&["patterns", "test", path], b"")), 2, "{path}");
    }
}
