//! Files that must not grow any more (`ulimit -f`): the run ends with a word, and an account that is right.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cli::{adds_up, code, run, stderr, summary},
    files::{listing, tree},
};

/// Runs the program in a shell that allows files of so many KiB.
fn limited(dir: &TempDir, kib: u32, script: &str) -> Output {
    let script = format!("ulimit -f {kib}; {script}");
    let mut shell = Command::new("bash");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_tamis")]).current_dir(dir);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    run(&mut shell, b"")
}

/// So many lines of two services, of which one says nearly all; and between them some that are cut.
fn text(lines: usize, cut: usize) -> String {
    let line = |n| match (n % cut, n % 40) {
        (0, _) => format!("{{\"service\":\"a\",\"n\":{n},\"cut\":\"{}\n", "x".repeat(100)),
        (_, 1) => format!("{{\"service\":\"b\",\"n\":{n}}}\n"),
        _ => format!("{{\"service\":\"a\",\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(100)),
    };
    (1..=lines).map(line).collect()
}

/// The lines in all files of a folder, or in one.
fn lines(path: &Path) -> u64 {
    let all = if path.is_dir() { listing(path) } else { vec![String::new()] };
    let lines = |name: &String| {
        let file = if name.is_empty() { path.to_path_buf() } else { path.join(name) };
        fs::read(file).unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count() as u64
    };
    all.iter().map(lines).sum()
}

fn total(outcome: &Value) -> u64 {
    outcome.as_object().unwrap().values().filter_map(Value::as_u64).sum()
}

#[test]
fn a_file_that_must_not_grow_ends_the_run_with_its_name_and_a_right_account() {
    const ALL: usize = 1_000_000;
    for (script, cut, name, out) in [
        ("in > out", ALL, "standard output", Some("out")),
        ("in -o out", ALL, "out", None),
        ("in -o old --append", ALL, "old", None),
        ("in --out-dir each", ALL, "each/in", None),
        ("in -o log --fsync always", ALL, "log", Some("log")),
        ("--follow in -o log --data-dir data", ALL, "log", Some("log")),
        ("in -o 'by/{service}.log'", ALL, "by/_other.log", Some("by")),
        ("--follow in -o 'by/{service}.log' --data-dir data", ALL, "by/_other.log", Some("by")),
        ("in --dead-letter dead", 2, "dead", None),
        ("--follow in --dead-letter dead --data-dir data", 2, "dead", None),
    ] {
        let text = text(400, cut);
        let dir = tree(&[("in", text.as_bytes()), ("old", b"{}\n"), ("by/.keep", b"")]);
        let output = limited(&dir, 8, &format!("exec \"$0\" {script}"));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{script}: {said}");
        let summary = summary(&output);
        adds_up(&summary);
        let error = summary["error"].as_str().unwrap();
        assert!(error.contains(&format!("{name}: File too large")), "{script}: {error}");
        assert_eq!(summary["read"], 400, "{script}");
        if let Some(out) = out {
            let there = lines(&dir.path().join(out));
            assert_eq!(summary["clean"], there, "{script}: {summary}");
            assert!(out != "by" || there > 0, "{script}: {summary}");
        }
        let kept = lines(&dir.path().join("dead"));
        assert_eq!(total(&summary["dead_lettered"]), kept, "{script}: {summary}");
        assert_eq!(fs::read_to_string(dir.path().join("old")).unwrap(), "{}\n", "{script}");
        assert!(!dir.path().join("each/in").exists());
    }
}

#[test]
fn reports_that_must_not_grow_stop_nothing_and_others_have_their_signal() {
    let dir = tree(&[("in", b"{\"n\":1}\n")]);
    for option in ["--stats", "--metrics-textfile"] {
        let output = limited(&dir, 0, &format!("exec \"$0\" in {option} report"));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("{option} report: file too large")));
        assert!(summary(&output)["failed_reports"].as_u64() > Some(0));
    }
    let output = limited(&dir, 0, "exec \"$0\" patterns list > out");
    assert_eq!(code(&output), 3);
    assert_eq!(stderr(&output), "tamis: standard output: file too large\n");
    // An application that writes on dies of it, as without Tamis.
    let output = limited(&dir, 0, "exec \"$0\" exec -- sh -c 'exec yes > big'");
    assert_eq!(code(&output), 128 + 25, "{}", stderr(&output));
}
