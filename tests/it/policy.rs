//! The policy of a configuration file, with the built program: allow-list, rules, their account.

mod carriers;
mod hmac;
mod oracle;
mod promises;

use std::fs;

use serde_json::Value;

use crate::cli::{adds_up, code, folder, run, stderr, summary, tamis};

/// What the program says of `stdin` with this configuration: standard output, the summary, the dead
/// letter, and all that it said on standard error.
fn sieved(config: &str, stdin: &str, args: &[&str]) -> (String, Value, String, String) {
    let dir = folder(&[("t.toml", &format!("version = 1\n{config}"))]);
    let mut all = vec!["--config", "t.toml", "--dead-letter", "dead.ndjson"];
    all.extend(args);
    let output = run(tamis(&all).env_remove("TAMIS_CONFIG").current_dir(&dir), stdin.as_bytes());
    let said = stderr(&output);
    let account = summary(&output);
    adds_up(&account);
    let dead = fs::read_to_string(dir.path().join("dead.ndjson")).unwrap_or_default();
    (String::from_utf8(output.stdout).unwrap(), account, dead, said)
}

const LOG: &str = "\
{\"id\":1,\"user\":{\"home\":{\"email\":\"ada@example.com\"}},\"m\":\"to support@example.com\"}
{\"id\":2,\"headers\":{\"x-canary\":\"canary-two\",\"host\":\"shop\"},\"card\":\"4111111111111111\"}
{\"id\":3,\"internal\":\"canary-three\",\"password\":\"canary-four\"}
";

#[test]
fn each_action_does_what_it_says() {
    let config = r#"
        [[allow]]
        name = "our_own_address"
        exact = "support@example.com"

        [[rule]]
        name = "no_mail_of_users"
        path = "user.*.email"
        action = "remove"

        [[rule]]
        path = "**.headers.*"
        action = "null"

        [[rule]]
        detectors = "payment_card"
        action = "mask"
        keep_last = 4

        [[rule]]
        name = "internal"
        path = "internal"
        action = "drop"
    "#;
    let (clean, account, dead, said) = sieved(config, LOG, &[]);
    assert_eq!(
        clean,
        "{\"id\":1,\"user\":{\"home\":{}},\"m\":\"to support@example.com\"}\n\
         {\"id\":2,\"headers\":{\"x-canary\":null,\"host\":null},\"card\":\"************1111\"}\n"
    );
    assert_eq!(account["dead_lettered"]["rule"], 1);
    assert_eq!(account["unmatched_rules"], serde_json::json!([]));
    assert_eq!(account["redactions"]["no_mail_of_users"], 1);
    assert_eq!(account["redactions"]["path"], 2);
    let letter: Value = serde_json::from_str(&dead).unwrap();
    assert_eq!(letter["reason"], "rule");
    assert_eq!(
        letter["event"].to_string(),
        r#"{"id":3,"internal":"[REDACTED:internal]","password":"[REDACTED:secret_field]"}"#
    );
    for text in [&clean, &dead, &said] {
        assert!(!text.contains("canary-"), "{text}");
    }
}

#[test]
fn what_is_under_a_rule_by_path_shows_nowhere() {
    let (path, value) = ("**.note", "canary secret note");
    for action in ["replace", "mask", "null", "remove", "drop"] {
        let config = format!("[[rule]]\npath = '{path}'\naction = '{action}'\n");
        let mut log = String::new();
        for event in [
            format!(r#"{{"note":"{value}"}}"#),
            format!(r#"{{"a":{{"note":[{{"b":"{value}"}},"{value}"]}},"note":"{value}"}}"#),
            format!(r#"{{"a.note":"{value}","x":"{{\"note\":\"{value}\"}}"}}"#),
            r#"{"no\u0074e":"can\u0061ry secret note","other":1}"#.to_owned(),
            format!(r#"{{"note":"{value}","note":"{value}","timestamp":7}}"#),
            format!(r#"{{"note":{{"{value}":"{value}"}}}}"#),
            format!(r#"{{"note":"{value}""#),
        ] {
            log.push_str(&event);
            log.push('\n');
        }
        for args in [&[][..], &["--schema", "service-log"], &["--require", "absent"]] {
            let (clean, account, dead, said) = sieved(&config, &log, args);
            for text in [&clean, &dead, &said] {
                // A key in a value that is reached through is no value.
                let text = text.replace(&format!("\"{value}\":"), "");
                assert!(!text.contains("canary"), "{action}: {text}");
            }
            let lines = clean.lines().chain(dead.lines());
            lines.for_each(|line| drop(serde_json::from_str::<Value>(line).unwrap()));
            assert_eq!(account["read"], 7);
        }
    }
}

#[test]
fn what_is_observed_leaves_byte_for_byte_and_is_told() {
    let config = "[[rule]]\nname = 'trial'\ndetectors = 'email'\naction = 'observe'\n";
    let (clean, account, _, _) = sieved(config, LOG, &["--only", "email"]);
    assert_eq!(clean, LOG);
    assert_eq!((&account["clean"], &account["observed"]["email"]), (&3.into(), &2.into()));
    assert_eq!(account["redactions"], serde_json::json!({}));
    let dir = folder(&[("t.toml", &format!("version = 1\n{config}"))]);
    let mut command = tamis(&["--config", "t.toml", "--only", "email", "--color", "always"]);
    let output = run(command.env_remove("TAMIS_CONFIG").current_dir(&dir), LOG.as_bytes());
    let table = anstream::adapter::strip_str(&stderr(&output)).to_string();
    assert!(table.contains("\n  observed  2\n    email   2\n"), "{table}");
}

#[test]
fn a_rule_that_never_matched_is_reported() {
    let config = "[[allow]]\nname = 'nobody'\nexact = 'x@example.org'\n\
                  [[rule]]\npath = 'usr.email'\naction = 'remove'\n\
                  [[rule]]\nname = 'cards'\ndetectors = 'payment_card'\naction = 'mask'\n";
    for threads in ["1", "2"] {
        let (_, account, _, _) = sieved(config, &LOG.repeat(9000), &["--threads", threads]);
        assert_eq!(account["unmatched_rules"], serde_json::json!(["nobody", "t.toml:5"]));
    }
    let dir = folder(&[("t.toml", &format!("version = 1\n{config}"))]);
    let mut command = tamis(&["--config", "t.toml", "--color", "always"]);
    let output = run(command.env_remove("TAMIS_CONFIG").current_dir(&dir), LOG.as_bytes());
    let table = anstream::adapter::strip_str(&stderr(&output)).to_string();
    assert!(table.contains("rules that never matched: nobody, t.toml:5\n"), "{table}");
}

#[test]
fn everything_wrong_is_told_at_the_start() {
    let config = "version = 1\n\
        [[allow]]\nexact = 'x'\ndetectors = ['emial']\n\
        [[rule]]\nname = 'email'\npath = 'a'\naction = 'null'\n\
        [[rule]]\ndetectors = 'contact'\naction = 'truncate'\n\
        [[rule]]\nname = 'one'\npath = 'a'\naction = 'truncate'\n\
        [[rule]]\nname = 'one'\npath = 'b'\naction = 'null'\n";
    let dir = folder(&[("t.toml", config)]);
    for args in [&["config", "check", "t.toml"][..], &["--config", "t.toml"]] {
        let output = run(tamis(args).env_remove("TAMIS_CONFIG").current_dir(&dir), b"");
        assert_eq!(code(&output), 2);
        let said = stderr(&output);
        for wanted in [
            "t.toml:4:14: no detector, category or pack `emial`: did you mean `email`?",
            "t.toml:6:8: `email` is the name of a detector or a group: choose another",
            "t.toml:11:10: `email` does not detect IP addresses; only IP addresses can be \
             truncated",
            "t.toml:15:10: only IP addresses can be truncated: use detectors = [\"ipv4\", \
             \"ipv6\"]",
            "t.toml:17:8: the name `one` is used twice",
        ] {
            assert!(said.contains(wanted), "{wanted}\n{said}");
        }
    }
}

#[test]
fn what_is_shown_is_a_policy() {
    let config = "version = 1\nnumbers = 'zero'\n\
        [[allow]]\nprefix = ['a', '${SECRET_PREFIX}']\ndetectors = 'email'\n\
        [[rule]]\nname = 'r'\npath = 'a.*'\naction = 'mask'\nkeep_first = 1\n\
        [[rule]]\ndetectors = ['email']\npath = 'b'\naction = 'keep'\nsecrets = true\n";
    let dir = folder(&[("t.toml", config)]);
    let mut command = tamis(&["config", "show", "--config", "t.toml"]);
    let output = run(command.env("SECRET_PREFIX", "hidden").current_dir(&dir), b"");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for wanted in [
        "numbers = \"zero\"",
        "[[allow]]  # t.toml\nprefix = [\"a\", \"***\"]\ndetectors = [\"email\"]\n",
        "[[rule]]  # t.toml\nname = \"r\"\npath = \"a.*\"\naction = \"mask\"\nkeep_first = 1\n",
        "action = \"keep\"\nsecrets = true\n",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    assert!(!shown.contains("hidden"));
    fs::write(dir.path().join("shown.toml"), shown).unwrap();
    let output = run(tamis(&["config", "check", "shown.toml"]).current_dir(&dir), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn an_explanation_names_what_decided() {
    let config = "version = 1\n\
        [[allow]]\nname = 'ours'\ndomain = 'example.com'\n\
        [[rule]]\nname = 'trial'\ndetectors = 'phone'\naction = 'observe'\n\
        [[rule]]\nname = 'gone'\npath = 'a'\naction = 'remove'\n";
    let dir = folder(&[("t.toml", config)]);
    let event = r#"{"a":1,"m":"ada@example.com +14155550132"}"#;
    let explain = |more: &[&str]| {
        let args = [&["explain", "--config", "t.toml"], more, &[event]].concat();
        let output = run(tamis(&args).env_remove("TAMIS_CONFIG").current_dir(&dir), b"");
        String::from_utf8(output.stdout).unwrap()
    };
    let json: Value = serde_json::from_str(&explain(&["--json"])).unwrap();
    let of = |detector: &str| {
        let all = json["candidates"].as_array().unwrap();
        all.iter().find(|c| c["detector"] == detector).unwrap().clone()
    };
    assert_eq!(
        (&of("email")["decision"], &of("email")["by"]),
        (&"allow_list".into(), &"ours".into())
    );
    assert_eq!((&of("phone")["decision"], &of("phone")["by"]), (&"rule".into(), &"trial".into()));
    assert_eq!((&of("gone")["decision"], &of("gone")["by"]), (&"found".into(), &"gone".into()));
    let page = explain(&[]);
    for wanted in ["(by ours)", "(by trial)", "→ nothing: the field is removed (by gone)"] {
        assert!(page.contains(wanted), "{page}");
    }
}
