//! The built program: what it prints, where, and how it ends.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// The program, in an environment that a test knows.
pub(crate) fn tamis(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tamis"));
    command.args(args);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child = command.spawn().unwrap();
    let mut to_child = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    // A program that refuses its arguments does not read.
    let feeder = std::thread::spawn(move || drop(to_child.write_all(&stdin)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

pub(crate) fn sieve(args: &[&str], stdin: &[u8]) -> Output {
    run(&mut tamis(args), stdin)
}

/// What a program said, as a terminal would show it.
pub(crate) fn stderr(output: &Output) -> String {
    crate::journal::as_shown(std::str::from_utf8(&output.stderr).unwrap())
}

/// The summary: the last line of standard error.
pub(crate) fn summary(output: &Output) -> Value {
    let text = stderr(output);
    serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{text}"))
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// `read` against the sum of its outcomes.
pub(crate) fn adds_up(summary: &Value) {
    let sum: u64 = [
        "clean",
        "redacted",
        "wrapped",
        "blank",
        "tombstones",
        "joined",
        "stay",
        "unwritten",
        "dropped",
        "dead_lettered",
    ]
    .iter()
    .map(|outcome| match &summary[outcome] {
        Value::Object(reasons) => reasons.values().filter_map(Value::as_u64).sum(),
        count => count.as_u64().unwrap(),
    })
    .sum();
    assert_eq!(summary["read"], sum, "{summary}");
    assert_eq!(summary["unaccounted"], 0);
}

pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn standard_input_to_standard_output() {
    let output = sieve(&[], b"\xef\xbb\xbf{\"n\":1}\n\n{\"n\": 2}\r\n{\"n\":3}");
    assert_eq!(output.stdout, b"{\"n\":1}\n{\"n\": 2}\r\n{\"n\":3}\n");
    assert_eq!(code(&output), 0);
    let summary = summary(&output);
    assert_eq!(stderr(&output).lines().count(), 1);
    assert_eq!((&summary["clean"], &summary["blank"]), (&3.into(), &1.into()));
    assert_eq!(summary["bytes_in"], 29);
    adds_up(&summary);
}

#[test]
fn any_thread_count_same_bytes() {
    let mut input = Vec::new();
    for n in 0..60_000 {
        writeln!(input, "{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(n % 50)).unwrap();
    }
    for threads in ["1", "2", "7"] {
        let output = sieve(&["--threads", threads], &input);
        assert!(output.stdout == input, "{threads} threads");
        assert_eq!(summary(&output)["threads"].to_string(), threads);
    }
}

#[test]
fn the_first_drop_of_a_reason_says_where_and_the_fix() {
    let dir = folder(&[("app.log", "{\"n\":1}\n{\"secret\":\n{\"other\":\n")]);
    let output = run(tamis(&["app.log"]).current_dir(&dir), b"");
    assert_eq!(output.stdout, b"{\"n\":1}\n");
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.starts_with("tamis: dropped app.log:2: unterminated"), "{text}");
    assert!(text.contains("jq -c .") && !text.contains("secret"), "{text}");
    assert_eq!(summary(&output)["dropped"]["unterminated"], 2);
    assert_eq!(code(&output), 0);
}

#[test]
fn an_output_file_is_whole_or_untouched() {
    let dir = folder(&[("in", "{\"n\":1}\n"), ("bad", "{\"n\":\n"), ("out", "old\n")]);
    let out = dir.path().join("out");

    let output = run(tamis(&["gone", "-o", "out", "--force"]).current_dir(&dir), b"");
    assert_eq!(code(&output), 3, "it was not read to its end");
    assert_eq!(fs::read(&out).unwrap(), b"old\n");

    let output = run(tamis(&["bad", "-o", "out", "--force"]).current_dir(&dir), b"");
    assert_eq!(code(&output), 0, "that nothing could be forwarded is a result");
    assert_eq!(fs::read(&out).unwrap(), b"");

    let output = run(tamis(&["in", "-", "-o", "out", "--force"]).current_dir(&dir), b"{\"n\":2}\n");
    assert_eq!((code(&output), output.stdout.len()), (0, 0));
    assert_eq!(fs::read(&out).unwrap(), b"{\"n\":1}\n{\"n\":2}\n");
    assert_eq!(names(dir.path()), ["bad", "in", "out"], "no temporary file is left");

    let output = run(tamis(&["in", "-o", "no/such/out"]).current_dir(&dir), b"");
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("-o no/such/out"), "{}", stderr(&output));
}

#[test]
fn no_output_is_an_input_or_another_output() {
    let dir = folder(&[("a.log", "{\"n\":1}\n")]);
    std::os::unix::fs::symlink("a.log", dir.path().join("link")).unwrap();
    for args in [
        &["a.log", "-o", "a.log"][..],
        &["a.log", "-o", "link"],
        &["a.log", "--dead-letter", "./a.log"],
        &["a.log", "--stats", "a.log"],
        &["a.log", "-o", "new", "--stats", "./new"],
    ] {
        let output = run(tamis(args).current_dir(&dir), b"");
        assert_eq!(code(&output), 2, "{args:?}");
        assert_eq!(fs::read(dir.path().join("a.log")).unwrap(), b"{\"n\":1}\n");
    }
    let same = fs::OpenOptions::new().append(true).open(dir.path().join("a.log")).unwrap();
    let output = run(tamis(&["a.log"]).current_dir(&dir).stdout(same), b"");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("standard output is the input a.log"));
    assert_eq!(names(dir.path()), ["a.log", "link"]);
}

#[test]
fn a_missing_input_is_named_and_the_rest_is_done() {
    let dir = folder(&[("a.log", "{\"n\":1}\n"), ("b.log", "{\"n\":2}\n")]);
    let output = run(tamis(&["a.log", "gone.log", "b.log", "."]).current_dir(&dir), b"");
    assert_eq!(output.stdout, b"{\"n\":1}\n{\"n\":2}\n");
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("tamis: gone.log: no such file"), "{}", stderr(&output));
    assert!(stderr(&output).contains("tamis: .: it is a directory"), "a directory is no input");
    assert_eq!(summary(&output)["failed_inputs"], 2);
}

#[test]
fn drops_and_dead_letters_and_exit_codes() {
    let input = b"{\"n\":1}\n{\"name\":\n";
    let output = sieve(&["--fail-on-drop"], input);
    assert_eq!((code(&output), &summary(&output)["exit_code"]), (1, &1.into()));

    let dir = folder(&[]);
    let args = ["--fail-on-drop", "--dead-letter", "dead"];
    for runs in 1..3 {
        let output = run(tamis(&args).current_dir(&dir), input);
        assert_eq!(code(&output), 1, "what is kept is refused, too");
        let summary = summary(&output);
        assert_eq!(summary["dropped"], serde_json::json!({}));
        assert_eq!(summary["dead_lettered"]["unterminated"], 1);
        adds_up(&summary);
        let letters = fs::read_to_string(dir.path().join("dead")).unwrap();
        assert_eq!(letters.lines().count(), runs, "a later run appends");
        assert!(!letters.contains("name"), "{letters}");
        let letter: Value = serde_json::from_str(letters.lines().last().unwrap()).unwrap();
        assert_eq!(letter["reason"], "unterminated");
        assert_eq!((&letter["input"], &letter["line"]), (&"stdin".into(), &2.into()));
        assert_eq!((&letter["offset"], &letter["length"]), (&8.into(), &8.into()));
    }
    assert_eq!(code(&sieve(&[], b"{\"n\":\n")), 0, "the input was read, and the output written");
    assert_eq!(code(&sieve(&["--fail-on-drop"], b"{\"n\":\n")), 1);
    assert_eq!(code(&sieve(&[], b"\n\n")), 0, "blank lines are nothing to forward");
    assert_eq!(code(&sieve(&[], b"")), 0);
}

#[test]
fn quiet_and_stats() {
    let dir = folder(&[]);
    let args = ["--quiet", "--stats", "stats.json"];
    let output = run(tamis(&args).current_dir(&dir), b"{\"n\":1}\n{\"n\":\n");
    assert_eq!(stderr(&output), "");
    let stats: Value =
        serde_json::from_slice(&fs::read(dir.path().join("stats.json")).unwrap()).unwrap();
    assert_eq!(stats["read"], 2);
    adds_up(&stats);
}

#[test]
fn the_summary_is_json_unless_colour_is_forced() {
    let input = b"{\"n\":1}\n";
    let json = |command: &mut Command| stderr(&run(command, input)).starts_with('{');
    assert!(json(&mut tamis(&[])));
    assert!(json(tamis(&["--color", "never"]).env("CLICOLOR_FORCE", "1")));
    assert!(json(tamis(&[]).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1")));

    for command in [&mut tamis(&["--color", "always"]), tamis(&[]).env("CLICOLOR_FORCE", "1")] {
        let text = stderr(&run(command, input));
        assert!(text.contains("1 line read") && text.contains("\u{1b}["), "{text}");
    }
}

#[test]
fn a_terminal_gets_the_table_and_a_short_usage() {
    let script = |command: &str, no_color: bool| {
        let program = env!("CARGO_BIN_EXE_tamis");
        let mut script = Command::new("script");
        script.args(["-qec", &command.replace("tamis", program), "/dev/null"]);
        script.env_remove("CLICOLOR_FORCE").env("TERM", "xterm");
        if no_color {
            script.env("NO_COLOR", "1")
        } else {
            script.env_remove("NO_COLOR")
        };
        script.stdin(Stdio::null()).output().ok()
    };
    // `script` gives a program a terminal; without it there is nothing to test with.
    let Some(output) = script("echo '{}' | tamis", false) else { return };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("line read") && text.contains("\u{1b}["), "{text}");
    let text = String::from_utf8(script("echo '{}' | tamis", true).unwrap().stdout).unwrap();
    assert!(text.contains("line read") && !text.contains("\u{1b}["), "{text}");
    let slow = "(echo '{}'; sleep 1; echo '{}') | tamis > /dev/null";
    let text = String::from_utf8(script(slow, true).unwrap().stdout).unwrap();
    let (progress, rest) = text.rsplit_once("\r\u{1b}[K").unwrap();
    assert!(progress.contains("tamis: 3 B, ") && rest.starts_with("tamis: 2 lines"), "{text}");
    for silent in ["> /dev/null --quiet", ""] {
        let silent = slow.replace("> /dev/null", silent);
        let text = String::from_utf8(script(&silent, true).unwrap().stdout).unwrap();
        assert!(!text.contains("\u{1b}[K"), "{text}");
    }
    let output = script("tamis", true).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("Usage: my-app | tamis"));
    let output = script("tamis explain", true).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("Usage: tamis explain"));
}

#[test]
fn bad_usage_is_2_and_says_what_would_do() {
    for (args, wanted) in [
        (&["--threads", "0"][..], "--threads"),
        (&["--nonsense"], "--nonsense"),
        (&["--memory", "lots"], "1MiB"),
        (&["--memory", "1MiB"], "needs at least"),
        (&["--text", "dead-letter"], "needs --dead-letter"),
        (&["--schema", "nothing-like-it"], "built-in schema: service-log"),
        (&["--schema", "service-lgo"], "did you mean `service-log`?"),
        (&["--only", "emial"], "did you mean `email`?"),
        (&["--without", "x-ray"], "patterns list"),
        (&["pattern", "list"], "did you mean `tamis patterns`?"),
        (&["help"], "did you mean `tamis --help`?"),
        (&["patterns", "show", "emial"], "did you mean `email`?"),
        (&["--schema", "x", "--require", "y"], "--require"),
        (&["--require", "a,,b"], "field 2"),
        (&["--patterns", "no/such/pack.toml"], "no/such/pack.toml"),
        (&["--max-event-bytes", "2GiB"], "the maximum is 1GiB"),
        (&["patterns", "show", "nothing"], "patterns list"),
        (&["patterns", "test", "no/such/pack.toml"], "no/such/pack.toml: no such file"),
        (&["explain", "--only", "emial", "{}"], "did you mean `email`?"),
        (&["explain", "--quiet", "{}"], "--quiet"),
        (&["--append"], "--output <FILE> is missing"),
        (&["--follow"], "name them, as in `tamis --follow app.log`"),
        (&["--follow", "-"], "standard input (`-`) is read to its end without it"),
        (&["-o", "/"], "-o / is a directory: name a file in it, or use --out-dir"),
        (&["-o", "/tmp", "--rotate-size", "1MB"], "-o /tmp is a directory"),
        (&["--stats", "/"], "--stats / is a directory: name a file in it"),
        (&["check", "tamis.toml"], "did you mean `tamis config check FILE`?"),
        (&["--follow", "x.log", "--data-dir", "/dev/null"], "/dev/null: it is a file"),
        (&["--config", "/"], "configuration /: it is a directory, not a file"),
        (&["-o", "x", "--append", "--force"], "cannot be used together"),
        (&["-o", "x", "--out-dir", "y"], "cannot be used together"),
        (&["--compress", "zip"], "expected one of gzip, zstd"),
        (&["--out-dir", "y"], "standard input has no file name"),
        (&["explian"], "did you mean `tamis explain`?"),
    ] {
        let output = sieve(args, b"{}\n");
        let text = stderr(&output);
        assert_eq!((code(&output), output.stdout.len()), (2, 0), "{args:?}: {text}");
        assert!(text.contains(wanted), "{args:?}: {text}");
        assert!(text.starts_with("tamis: ") && text.lines().count() == 1, "{args:?}: {text}");
    }
}

#[test]
fn a_pack_that_is_wrong_is_refused_with_its_place() {
    let dir = folder(&[("pack.toml", "pack = \"mine\"\nversion = 1\nnonsense = 1\n")]);
    let output = run(tamis(&["--patterns", "pack.toml"]).current_dir(&dir), b"");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).starts_with("tamis: pack.toml:3:1: "), "{}", stderr(&output));
}

#[test]
fn memory_is_held_to_a_budget() {
    let ceiling =
        |args: &[&str]| summary(&sieve(args, b"{}\n"))["memory_ceiling_bytes"].as_u64().unwrap();
    let free = ceiling(&["--threads", "2"]);
    assert!(ceiling(&["--threads", "2", "--memory", &(free - 1).to_string()]) < free);
    assert!(ceiling(&["--threads", "2", "--max-event-bytes", "64KiB"]) < free);
}

#[test]
fn help_version_completions_man() {
    let short = run(tamis(&["-h"]).env("COLUMNS", "80"), b"").stdout;
    let short = String::from_utf8(short).unwrap();
    assert!(short.lines().count() <= 30, "one screen: {}", short.lines().count());
    let long = String::from_utf8(sieve(&["--help"], b"").stdout).unwrap();
    for part in [
        "Examples:",
        "Exit codes:",
        "Signals:",
        "--max-event-bytes",
        "Dead letter:",
        "memory_ceiling_bytes",
    ] {
        assert!(long.contains(part), "{part}");
    }
    let version = String::from_utf8(sieve(&["-V"], b"").stdout).unwrap();
    assert!(version.starts_with(concat!("tamis ", env!("CARGO_PKG_VERSION"))));
    for shell in ["bash", "zsh", "fish"] {
        let script = sieve(&["completions", shell], b"");
        assert_eq!(code(&script), 0);
        let script = String::from_utf8(script.stdout).unwrap();
        assert!(script.contains("dead-letter") && script.contains("explain"));
    }
    let man = String::from_utf8(sieve(&["man"], b"").stdout).unwrap();
    for part in [
        ".TH TAMIS 1",
        ".SH COMMANDS",
        ".SH \"EXIT CODES\"",
        "patterns show",
        "patterns test",
        "tamis explain",
    ] {
        assert!(man.contains(part), "{part}");
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = tamis(&[]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let line = format!("{{\"pad\":\"{}\"}}\n", "x".repeat(1000));
    let feeder = std::thread::spawn(move || {
        // Ends when the program does: its standard input is then a closed pipe.
        while stdin.write_all(line.as_bytes()).is_ok() {}
    });
    let mut first = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn a_full_disk_is_a_failure() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = run(tamis(&[]).stdout(full), b"{\"n\":1}\n");
    assert_eq!(code(&output), 3);
    let summary = summary(&output);
    assert_eq!(summary["unwritten"], 1);
    assert!(summary["error"].as_str().unwrap().contains("No space left"));
    adds_up(&summary);
}
