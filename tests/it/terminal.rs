//! Text of events and names of files as messages show them: no terminal obeys it, and none of it makes
//! a line of its own.

use std::{fs, os::unix::ffi::OsStrExt as _};

use crate::cli::{folder, run, sieve, stderr, tamis};

/// What a terminal obeys, or what turns text around; each as JSON spells it and as it is.
const ACTING: &[(&str, char)] = &[
    ("\\n", '\n'),
    ("\\r", '\r'),
    ("\\u001b", '\u{1b}'),
    ("\\u0007", '\u{7}'),
    ("\\u009b", '\u{9b}'),
    ("\\u007f", '\u{7f}'),
    ("\\u0085", '\u{85}'),
    ("\\u202e", '\u{202e}'),
    ("\\u2066", '\u{2066}'),
    ("\\u2028", '\u{2028}'),
    ("\\u200f", '\u{200f}'),
    ("\\ufeff", '\u{feff}'),
];

fn nothing_acts(what: &str, text: &str) {
    for (spelt, acting) in ACTING.iter().filter(|(_, c)| *c != '\n') {
        assert!(!text.contains(*acting), "{what}: {spelt} in {text:?}");
    }
    for line in text.lines().filter(|line| line.contains("forged")) {
        assert!(!line.trim_start().starts_with("forged"), "{what}: {text:?}");
        assert!(!line.starts_with("tamis: forged"), "{what}: {text:?}");
    }
}

const SCHEMA: &str = r#"{"properties":{"o":{"additionalProperties":{"type":"string"}}}}"#;

fn key() -> String {
    ACTING.iter().map(|(spelt, _)| format!("{spelt}forged[31m ")).collect()
}

#[test]
fn keys_of_events_in_notices() {
    let dir = folder(&[("s.json", SCHEMA)]);
    let event = format!("{{\"o\":{{\"{}\":1}}}}\n", key());
    for color in ["never", "always"] {
        let mut command = tamis(&["--schema", "s.json", "--color", color]);
        let said = stderr(&run(command.current_dir(&dir), event.as_bytes()));
        assert!(said.contains("schema_type at /o/\\nforged[31m"), "{said}");
        assert!(said.contains("\\u{1b}forged"), "{said}");
        let notice = said.split("\n").find(|line| line.contains("schema_type at")).unwrap();
        nothing_acts("a notice", notice);
        assert!(said.lines().all(|line| !line.starts_with("tamis: forged")), "{said}");
    }
}

#[test]
fn keys_and_values_of_events_that_are_explained() {
    let event = format!("{{\"{0}\":\"ada@example.com {0}\",\"password\":\"{0}\"}}", key());
    let output = sieve(&["explain", &event], b"");
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("/\\nforged[31m"), "{page}");
    nothing_acts("explain", &page);
    // The line as it came, not escaped: what a terminal would be shown.
    let raw: String = ACTING
        .iter()
        .map(|(_, c)| format!("{c}forged "))
        .filter(|s| !s.starts_with('\n'))
        .collect();
    let output = sieve(&["explain", &format!("text {raw} password=hunter2")], b"");
    nothing_acts("explain of text", &String::from_utf8(output.stdout).unwrap());
}

#[test]
fn names_of_files() {
    let name: String =
        ACTING.iter().map(|(_, c)| format!("{c}forged[31m ")).collect::<String>() + "a.log";
    let dir = folder(&[]);
    fs::create_dir(dir.path().join("logs")).unwrap();
    fs::write(dir.path().join("logs").join(&name), "{bad\n").unwrap();
    let other = std::ffi::OsStr::from_bytes(b"gone\x1b[31m\nforged.log");
    for args in [
        &["-r", "logs"][..],
        &["logs/*"],
        &["-r", "logs", "-o", "logs/new"],
        &["-r", "logs", "--out-dir", "logs"],
    ] {
        let said = stderr(&run(tamis(args).current_dir(&dir), b""));
        nothing_acts(&format!("{args:?}"), &said);
        assert!(!said.is_empty());
    }
    for args in
        [&[][..], &["--schema"], &["--patterns"], &["--config"], &["-x"], &["--dead-letter"]]
    {
        let said = stderr(&run(tamis(args).arg(other).current_dir(&dir), b""));
        assert!(!said.contains('\u{1b}'), "{args:?}: {said:?}");
    }
}

#[test]
fn texts_of_packs() {
    let pack = "pack = 'mine'\nversion = 1\n[[detector]]\nid = 'badge'\ncategory = 'secret'\n\
        description = \"a \\u001b[31m \\u202e badge\"\nliterals = ['BADGE-']\nregex = 'BADGE-[0-9]{6}'\n\
        test = [{ text = \"\\u001b[31m\\nforged \\u202e BADGE-12\", becomes = \"\\u001b[0m\" }]\n";
    let dir = folder(&[("mine.toml", pack)]);
    for args in [
        &["patterns", "list", "--patterns", "mine.toml"][..],
        &["patterns", "show", "badge", "--patterns", "mine.toml"],
        &["patterns", "test", "mine.toml"],
    ] {
        let output = run(tamis(args).current_dir(&dir), b"");
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.contains("badge"), "{page}");
        nothing_acts(&format!("{args:?}"), &page);
    }
}

#[test]
fn the_summary_and_the_rules_that_never_matched() {
    let dir = folder(&[("a\u{1b}[31mb.toml", "version = 1\n[[allow]]\nexact = 'x'\n")]);
    let mut command = tamis(&["--config", "a\u{1b}[31mb.toml"]);
    let said = stderr(&run(command.current_dir(&dir), b"{}\n"));
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
