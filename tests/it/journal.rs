//! The program's own log: every line that any test makes it write has the shape of the shipped schema,
//! a documented name, and no value of an event.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path, process::Stdio, sync::LazyLock};

use jsonschema::Validator;
use serde_json::Value;
use tamis::journal::{Event, FIELDS};

use crate::cli::{code, folder, run, sieve, tamis};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/service-log.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
});

/// The log's own keys; a line of a run's end has those of the summary, too.
const KEYS: [&str; 8] =
    ["timestamp", "level", "service", "trace_id", "span_id", "event", "message", "passed_over"];

/// Standard error as a terminal would show it, but for the summary, which stays JSON. Every line of the
/// log is judged.
pub(crate) fn as_shown(text: &str) -> String {
    let mut shown = String::new();
    for line in text.split_inclusive('\n') {
        match serde_json::from_str::<Value>(line) {
            Ok(event) if event.get("trace_id").is_some() => shown += &judged(&event, line),
            _ => shown += line,
        }
    }
    shown
}

fn judged(event: &Value, line: &str) -> String {
    assert!(SCHEMA.is_valid(event), "{line}: {:?}", SCHEMA.iter_errors(event).next());
    let name = event["event"].as_str().unwrap();
    let known = Event::ALL.iter().find(|known| known.name() == name);
    let known = known.unwrap_or_else(|| panic!("no documented name: {line}"));
    // A run that failed does not look like one that ended well.
    let failed = *known == Event::RunEnded && event["exit_code"] == 3;
    let level = if failed { "fatal" } else { known.severity().name() };
    let broke = *known == Event::RunEnded && !event["error"].is_null();
    assert!(event["level"] == level || broke && event["level"] == "fatal", "{line}");
    assert!(!line.contains("canary"), "a value of an event: {line}");
    let mut event = event.as_object().unwrap().clone();
    let message = event.remove("message");
    KEYS.iter().for_each(|key| drop(event.shift_remove(*key)));
    if *known != Event::RunEnded {
        FIELDS.iter().for_each(|(key, _)| drop(event.shift_remove(*key)));
    }
    if *known == Event::RunEnded {
        return format!("{}\n", Value::Object(event));
    }
    assert!(event.is_empty(), "more than the log's keys: {line}");
    let message = message.unwrap();
    format!("tamis: {}\n", message.as_str().unwrap().replace('\n', "\ntamis: "))
}

#[test]
fn off_a_terminal_every_line_is_an_event_of_one_trace() {
    let output = sieve(&[], b"{\"mail\":\"canary@example.com\"}\n{oops canary\n");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["event"], "line_rejected");
    assert_eq!(lines[1]["event"], "run_ended");
    assert_eq!((&lines[1]["read"], &lines[1]["exit_code"]), (&2.into(), &0.into()));
    assert_eq!(lines[0]["trace_id"], lines[1]["trace_id"]);
    as_shown(&text);
    let other = sieve(&[], b"{}\n");
    let other: Value = serde_json::from_slice(&other.stderr).unwrap();
    assert_ne!(other["trace_id"], lines[0]["trace_id"]);
}

/// The last line that a run wrote, of the log.
fn last(stderr: &[u8]) -> Value {
    let text = String::from_utf8_lossy(stderr);
    as_shown(&text);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap()
}

#[test]
fn a_run_that_failed_ends_as_fatal_whatever_it_read() {
    let dir = folder(&[("a.log", "{\"n\":1}\n"), ("bad.log", "{\"n\":1\n")]);
    let full = "/dev/full";
    for (args, stdin, wanted) in [
        (&["nowhere.log", "a.log"][..], "", 3),
        (&["nowhere.log"], "", 3),
        (&["bad.log"], "", 0),
        (&["a.log", "-o", full], "", 3),
        (&["-o", full], "{}\n", 3),
        (&["exec", "--", "sh", "-c", "echo '{}'; exit 3"], "", 3),
        (&["exec", "--", "sh", "-c", "echo '{}'; exit 7"], "", 7),
        (&["exec", "-o", full, "--", "sh", "-c", "echo '{}'"], "", 3),
        (&["--fail-on-drop", "bad.log", "a.log"], "", 1),
        (&["a.log"], "", 0),
    ] {
        let output = run(tamis(args).current_dir(&dir), stdin.as_bytes());
        let ended = last(&output.stderr);
        let level = if wanted == 3 { "fatal" } else { "info" };
        assert_eq!((code(&output), &ended["event"]), (wanted, &"run_ended".into()), "{args:?}");
        assert_eq!((&ended["level"], &ended["exit_code"]), (&level.into(), &wanted.into()));
    }
}

#[test]
fn where_a_line_stood_and_why_it_was_rejected_are_fields() {
    let output = sieve(&[], b"{}\n{\"n\":1\n");
    let text = String::from_utf8(output.stderr).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let told = (&line["event"], &line["reason"], &line["input"], &line["line"]);
    assert_eq!(told, (&"line_rejected".into(), &"unterminated".into(), &"stdin".into(), &2.into()));
}

#[test]
fn for_people_it_is_a_line_and_usage_always_is() {
    let output = sieve(&["--color", "always"], b"{oops canary\n");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("tamis: dropped stdin:1: "), "{text}");
    let output = run(&mut tamis(&["--nonsense"]), b"");
    assert_eq!(code(&output), 2);
    assert!(output.stderr.starts_with(b"tamis: unknown option"), "as it was typed, so it is told");
}

#[test]
fn tamis_takes_its_own_log() {
    let dir = folder(&[]);
    let output = sieve(&["nowhere.log"], b"");
    let mut again = tamis(&["--schema", "service-log", "--fail-on-drop", "--quiet"]);
    let output = run(again.current_dir(&dir).stderr(Stdio::piped()), &output.stderr);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_documentation_lists_every_name() {
    let head = "| event | level | |\n| --- | --- | --- |\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(head).expect("the table's head");
    let (shown, after) = rest.split_at(rest.find("\n\n").map_or(rest.len(), |at| at + 1));
    let mut wanted = String::new();
    for event in Event::ALL {
        let (name, level) = (event.name(), event.severity().name());
        let _ = writeln!(wanted, "| `{name}` | {level} | {} |", event.meaning());
    }
    for (field, what) in FIELDS {
        let row = format!("| `{field}` | {what} |\n");
        assert!(page.contains(&row), "docs/metrics.md lacks: {row}");
    }
    let names: BTreeSet<_> = Event::ALL.iter().map(|event| event.name()).collect();
    assert_eq!(names.len(), Event::ALL.len());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{head}{wanted}{after}")).unwrap();
    } else {
        assert!(shown == wanted, "out of date: `UPDATE_DOCS=1 cargo test --test it journal`");
    }
}
