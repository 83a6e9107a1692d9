//! Rules with `hmac`, with the built program: keys in files, rotation, `tamis pseudonym`, and that
//! neither keys nor values show anywhere.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{code, folder, run, stderr, summary, tamis};

const OLD: &str = "canary-old-0123456789abcdef";
const NEW: &str = "canary-new-0123456789abcdef";
const EMAIL: &str = "ada@example.com";

const CONFIG: &str = "version = 1\n\
    [keys.person]\n\
    active = { id = \"2026-11\", file = \"new.key\" }\n\
    previous = [{ id = \"2026-10\", file = \"old.key\" }]\n\
    [[rule]]\nname = 'people'\ndetectors = ['email']\naction = { hmac = 'person' }\n";

fn with(config: &str) -> TempDir {
    folder(&[("t.toml", config), ("new.key", &format!("{NEW}\n")), ("old.key", OLD)])
}

/// Standard output and standard error, which show no key.
fn said(dir: &TempDir, args: &[&str], stdin: &str) -> (i32, String, String) {
    let mut command = tamis(args);
    let output = run(command.env_remove("TAMIS_CONFIG").current_dir(dir), stdin.as_bytes());
    let (out, err) = (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output));
    for text in [&out, &err] {
        assert!(!text.contains("canary"), "{args:?}: {text}");
    }
    (code(&output), out, err)
}

fn pseudonyms(dir: &TempDir, value: &str) -> Vec<String> {
    let (code, out, err) = said(dir, &["pseudonym", value, "--config", "t.toml"], "");
    assert_eq!(code, 0, "{err}");
    out.lines().map(str::to_owned).collect()
}

#[test]
fn what_the_prompt_says_is_what_events_become() {
    let dir = with(CONFIG);
    let all = pseudonyms(&dir, EMAIL);
    assert!(
        all[0].starts_with("[HMAC:2026-11:") && all[1].starts_with("[HMAC:2026-10:"),
        "{all:?}"
    );
    for (stdin, args) in [("ada@example.com", "-"), ("ada@example.com\r\n", "-"), ("", EMAIL)] {
        let args = ["pseudonym", "--key", "person", "--config", "t.toml", args];
        assert_eq!(said(&dir, &args, stdin).1.lines().collect::<Vec<_>>(), all);
    }
    let event = format!("{{\"m\":\"{EMAIL}\",\"old\":\"{}\",\"bad\":\"{EMAIL}\n", all[1]);
    let log = format!("{{\"m\":\"{EMAIL}\",\"old\":\"{}\"}}\n{event}", all[1]);
    let args = ["--config", "t.toml", "--dead-letter", "dead.ndjson", "--stats", "stats"];
    let (_, out, err) = said(&dir, &args, &log);
    assert_eq!(out, format!("{{\"m\":\"{}\",\"old\":\"{}\"}}\n", all[0], all[1]));
    for text in [fs::read_to_string(dir.path().join("dead.ndjson")).unwrap(), err] {
        assert!(!text.contains("ada@") && !text.contains("canary"), "{text}");
    }
    let stats = fs::read_to_string(dir.path().join("stats")).unwrap();
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(stats["redactions"]["email"], 1, "{stats}");
    // A second pass changes and counts nothing.
    let mut command = tamis(&["--config", "t.toml"]);
    let again = run(command.env_remove("TAMIS_CONFIG").current_dir(&dir), out.as_bytes());
    assert_eq!(String::from_utf8(again.stdout.clone()).unwrap(), out);
    assert_eq!(summary(&again)["clean"], 1);
}

#[test]
fn a_rotated_key_leaves_what_the_old_one_made() {
    let before = "version = 1\n\
        [keys.person]\nactive = { id = '2026-10', file = 'old.key' }\n\
        [[rule]]\npath = 'name'\naction = { hmac = 'person' }\n";
    let dir = with(before);
    let (_, first, _) = said(&dir, &["--config", "t.toml", "-q"], "{\"name\":\"Ada\"}\n");
    let old = pseudonyms(&dir, "Ada");
    assert_eq!(first, format!("{{\"name\":\"{}\"}}\n", old[0]));
    fs::write(dir.path().join("t.toml"), CONFIG.replace("detectors = ['email']", "path = 'name'"))
        .unwrap();
    let log = format!("{first}{{\"name\":\"Ada\"}}\n");
    let (_, second, _) = said(&dir, &["--config", "t.toml", "-q"], &log);
    let both = pseudonyms(&dir, "Ada");
    assert_eq!(both[1], old[0]);
    assert_eq!(second, format!("{first}{{\"name\":\"{}\"}}\n", both[0]));
}

#[test]
fn no_page_shows_a_key() {
    let dir = with(CONFIG);
    let (_, shown, _) = said(&dir, &["config", "show", "--config", "t.toml"], "");
    for wanted in [
        "keys = { person = { active = { id = \"2026-11\", file = \"new.key\" }, \
         previous = [{ id = \"2026-10\", file = \"old.key\" }] } }",
        "action = { hmac = \"person\" }",
    ] {
        assert!(shown.contains(wanted), "{shown}");
    }
    fs::write(dir.path().join("shown.toml"), &shown).unwrap();
    let (code, _, err) = said(&dir, &["config", "check", "shown.toml"], "");
    assert_eq!(code, 0, "{err}");
    let event = format!("{{\"m\":\"{EMAIL}\"}}");
    for more in [&[][..], &["--json"]] {
        let args = [&["explain", "--config", "t.toml"], more, &[&event]].concat();
        let (_, page, _) = said(&dir, &args, "");
        assert!(page.contains("[HMAC:2026-11:") && !page.contains("ada@"), "{page}");
    }
}

#[test]
fn errors_in_keys_are_reported_with_their_place_and_the_fix() {
    let rule = "[[rule]]\npath = 'a'\naction = { hmac = 'person' }\n";
    let cases = [
        (
            "[keys.person]\nactive = { id = 'a b', file = 'new.key' }\n",
            "t.toml:3:17: keys.person.active.id: an id has 1 to 32 letters, digits",
        ),
        (
            "[keys.person]\nactive = { id = 'a', file = 'short.key' }\n",
            "t.toml:3:29: keys.person.active.file: short.key: a key of 12 bytes is too short: 16 \
             at least",
        ),
        (
            "[keys.person]\nactive = { id = 'a', file = 'none.key' }\n",
            "t.toml:3:29: keys.person.active.file: none.key: ",
        ),
        (
            "[keys.person]\nprevious = []\n",
            "keys.person has no `active` key: add active = { id, file }",
        ),
        (
            "[keys.person]\nactive = { id = 'a' }\n",
            "t.toml:3:10: keys.person.active has no `file`: write { id",
        ),
        (
            "[keys.person]\nactive = { id = 'a', file = 'new.key' }\n\
             previous = [{ id = 'a', file = 'old.key' }]\n",
            "t.toml:4:20: keys.person: the id `a` is used twice",
        ),
        (
            "[keys.persons]\nactive = { id = 'a', file = 'new.key' }\n",
            "t.toml:6:19: no keys `person`: did you mean `persons`?",
        ),
        ("", "t.toml:4:19: no keys `person`: add [keys.person] with an `active` key"),
        (
            "[keys.person]\nactiv = { id = 'a', file = 'new.key' }\n",
            "t.toml:3:1: unknown key `activ`: did you mean `active`?",
        ),
        (
            "[[rule]]\npath = 'b'\naction = 'hmac'\n",
            "t.toml:4:10: `hmac` needs the name of its keys: write { hmac = \"NAME\" }",
        ),
        (
            "[[rule]]\npath = 'b'\naction = { hmca = 'x' }\n",
            "t.toml:4:12: unknown key `hmca`: did you mean `hmac`?",
        ),
    ];
    for (config, wanted) in cases {
        let dir = with(&format!("version = 1\n{config}{rule}"));
        fs::write(dir.path().join("short.key"), "canary-short\n\n").unwrap();
        let (code, _, err) = said(&dir, &["config", "check", "t.toml"], "");
        assert_eq!(code, 2, "{config}");
        assert!(err.contains(wanted), "{wanted}\n{err}");
    }
}

#[test]
fn the_prompt_says_which_keys_there_are() {
    let two = "version = 1\n[keys.a]\nactive = { id = '1', file = 'new.key' }\n\
               [keys.bcd]\nactive = { id = '1', file = 'old.key' }\n";
    let dir = with(two);
    for (args, wanted) in [
        (&["pseudonym", "x", "--config", "t.toml"][..], "choose one with --key a or --key bcd"),
        (&["pseudonym", "x", "--config", "t.toml", "--key", "bcx"], "did you mean `bcd`?"),
        (&["pseudonym", "x"], "--config FILE"),
        (&["pseudonym", "--config", "t.toml"], "VALUE"),
    ] {
        let (code, out, err) = said(&dir, args, "");
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.contains(wanted), "{err}");
    }
    let key = |name| said(&dir, &["pseudonym", "x", "--config", "t.toml", "--key", name], "").1;
    assert_ne!(key("a"), key("bcd"));
    fs::write(dir.path().join("t.toml"), "version = 1\n").unwrap();
    let (_, _, err) = said(&dir, &["pseudonym", "x", "--config", "t.toml"], "");
    assert!(err.contains("t.toml has no keys: add [keys.NAME]"), "{err}");
}
