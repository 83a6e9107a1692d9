//! Routes with a real program and real files: which events take one, what they are judged by, and that
//! counts by route add up with all others.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{adds_up, code, folder, stderr, summary, tamis};

const CONFIG: &str = r#"version = 1
threads = 2
dead_letter = "dead"
metrics_textfile = "metrics"

[[route]]
name = "pay"
match = { file = "pay*", field = { service = "pay" } }
schema = "charge.json"

[[route]]
name = "web"
match = { field = { service = ["web-*", "*-front"] } }
without = ["email"]

[[route.rule]]
path = "user.name"
action = "remove"
"#;

const CHARGE: &str = r#"{"type":"object","required":["amount"],"properties":{"service":{"type":"string"},
    "amount":{"type":"number"}},"additionalProperties":true}"#;

fn run(files: &[(&str, &str)], args: &[&str]) -> (TempDir, std::process::Output) {
    let all = [&[("tamis.toml", CONFIG), ("charge.json", CHARGE)], files].concat();
    let dir = folder(&all);
    let args = [&["--config", "tamis.toml"], args].concat();
    let output = tamis(&args).current_dir(dir.path()).output().unwrap();
    (dir, output)
}

/// The value of a metric.
fn count(metrics: &str, sample: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse::<f64>().unwrap() as u64)
}

#[test]
fn events_take_routes_by_file_and_by_field() {
    let mail = r#""m":"ada@example.com""#;
    let pay = [
        format!(r#"{{"service":"pay","amount":1,{mail}}}"#),
        format!(r#"{{"service":"pay",{mail}}}"#),
        format!(r#"{{"service":"web-1",{mail},"user":{{"name":"Ada","id":7}}}}"#),
        format!(r#"{{"service":"other",{mail}}}"#),
        "panic: ada@example.com".to_owned(),
    ];
    let other = [
        // Here the first route is not meant, whatever the field says.
        format!(r#"{{"service":"pay",{mail}}}"#),
        format!(r#"{{"s":1,"\u0073ervice":"shop-fr\u006fnt",{mail}}}"#),
    ];
    let files = [("pay.log", pay.join("\n")), ("other.log", other.join("\n"))];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (dir, output) = run(&files, &["pay.log", "other.log"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let redacted = r#""m":"[REDACTED:email]""#;
    let wanted = [
        format!(r#"{{"service":"pay","amount":1,{redacted}}}"#),
        format!(r#"{{"service":"web-1",{mail},"user":{{"id":7}}}}"#),
        format!(r#"{{"service":"other",{redacted}}}"#),
        r#"{"message":"panic: [REDACTED:email]"}"#.to_owned(),
        format!(r#"{{"service":"pay",{redacted}}}"#),
        format!(r#"{{"s":1,"\u0073ervice":"shop-fr\u006fnt",{mail}}}"#),
    ];
    assert_eq!(String::from_utf8_lossy(&output.stdout), wanted.join("\n") + "\n");
    let summary = summary(&output);
    adds_up(&summary);
    let letter = fs::read_to_string(dir.path().join("dead")).unwrap();
    let letter: Value = serde_json::from_str(letter.trim()).unwrap();
    assert_eq!((&letter["route"], &letter["schema"]), (&"pay".into(), &"charge".into()));
    assert_eq!(letter["event"], serde_json::json!({"service":"pay","m":"[REDACTED:email]"}));
    let metrics = fs::read_to_string(dir.path().join("metrics")).unwrap();
    for (route, forwarded, rejected) in [("default", 3, 0), ("pay", 1, 1), ("web", 2, 0)] {
        let of = |outcome| {
            count(
                &metrics,
                &format!(r#"tamis_route_lines_total{{route="{route}",outcome="{outcome}"}}"#),
            )
        };
        assert_eq!((of("forwarded"), of("rejected")), (forwarded, rejected), "{metrics}");
    }
    let redactions = r#"tamis_route_redactions_total{route="web",detector="path"}"#;
    assert_eq!(count(&metrics, redactions), 1, "{metrics}");
    let violations = r#"tamis_schema_violations_total{schema="charge",reason="schema_required"}"#;
    assert_eq!(count(&metrics, violations), 1, "{metrics}");
}

#[test]
fn a_missing_or_ambiguous_field_never_lets_more_through() {
    let events = [
        // The first route is not for this file: by the second one, or the default.
        r#"{"m":"ada@example.com"}"#,
        r#"{"service":"web-1","service":"x","m":"ada@example.com"}"#,
        r#"{"service":null,"m":"ada@example.com"}"#,
    ];
    let (dir, output) = run(&[("a.log", &events.join("\n"))], &["a.log"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    // The second route removes a field that the default keeps: neither is stricter.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let letters = fs::read_to_string(dir.path().join("dead")).unwrap();
    assert!(!letters.contains("ada@example.com"), "{letters}");
    let reasons: Vec<Value> = letters.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let reasons: Vec<_> = reasons.iter().map(|letter| letter["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["schema_required", "duplicate_key", "schema_type"]);
}

#[test]
fn explain_and_show_say_which_routes_there_are() {
    let event = r#"{"service":"pay","amount":1}"#;
    for (source, want) in
        [(Some("logs/pay.log"), "pay"), (Some("other.log"), "default"), (None, "default")]
    {
        let mut args = vec!["explain", "--json", event];
        args.extend(source.into_iter().flat_map(|source| ["--source", source]));
        let dir = folder(&[("tamis.toml", CONFIG), ("charge.json", CHARGE)]);
        let args = [&args[..], &["--config", "tamis.toml"]].concat();
        let output = tamis(&args).current_dir(dir.path()).output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["route"], want, "{source:?}");
    }
    let dir = folder(&[("tamis.toml", CONFIG), ("charge.json", CHARGE)]);
    let show = |file: &str| {
        let args = ["config", "show", "--config", file];
        let output = tamis(&args).current_dir(dir.path()).output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    // What is shown means the same.
    let shown = show("tamis.toml");
    fs::write(dir.path().join("again.toml"), &shown).unwrap();
    let again = show("again.toml").replace("again.toml", "tamis.toml");
    let tables = |page: &str| page[page.find("[[route]]").unwrap()..].to_owned();
    assert_eq!(tables(&again), tables(&shown));
    let output =
        tamis(&["config", "check", "tamis.toml"]).current_dir(dir.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("  routes: pay, web\n"));
}

#[test]
fn packs_of_a_route_are_for_its_events() {
    let pack = r#"pack = "acme"
[[detector]]
id = "acme_id"
category = "acme"
regex = 'acme-[0-9]{6}'
"#;
    let config = r#"version = 1
[[route]]
name = "acme"
match = { field = { service = "acme" } }
add_packs = ["acme.toml"]
[[route]]
name = "bare"
match = { field = { service = "bare" } }
packs = ["acme.toml"]
"#;
    let dir = folder(&[("tamis.toml", config), ("acme.toml", pack)]);
    let text = r#""m":"acme-123456 ada@example.com"}"#;
    let event = |service: &str| format!(r#"{{"service":"{service}",{text}"#);
    let input = ["acme", "bare", "other"].map(event).join("\n");
    fs::write(dir.path().join("in"), input).unwrap();
    let args = ["--config", "tamis.toml", "in"];
    let output = tamis(&args).current_dir(dir.path()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let (id, mail) = ("[REDACTED:acme_id]", "[REDACTED:email]");
    let wanted = format!(
        "{{\"service\":\"acme\",\"m\":\"{id} {mail}\"}}\n\
         {{\"service\":\"bare\",\"m\":\"{id} ada@example.com\"}}\n\
         {{\"service\":\"other\",\"m\":\"acme-123456 {mail}\"}}\n"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
}

#[test]
fn what_a_route_names_must_be_there() {
    let route = "version = 1\n[[route]]\nname = 'a'\nmatch.field.s = 'a'\n";
    for (more, wanted) in [
        ("schema = 'no-log'\n", "tamis.toml:5:10: schema no-log: no such schema"),
        ("schema = 'gone.json'\n", "tamis.toml:5:10: schema gone.json"),
        (
            "without = ['emial']\n",
            "tamis.toml:5:12: no detector, category or pack `emial`: did you",
        ),
        ("add_packs = ['gone.toml']\n", "tamis.toml:5:14: pack gone.toml: "),
        ("packs = ['core']\n", "tamis.toml:5:10: `core` names no version: "),
        ("[[route.rule]]\ndetectors = 'emial'\naction = 'keep'\n", "tamis.toml:6:13: no detector"),
    ] {
        let dir = folder(&[("tamis.toml", &format!("{route}{more}"))]);
        let args = ["config", "check", "tamis.toml"];
        let output = tamis(&args).current_dir(dir.path()).output().unwrap();
        assert_eq!(code(&output), 2, "{more}");
        assert!(stderr(&output).contains(wanted), "{}\n{wanted}", stderr(&output));
    }
}
