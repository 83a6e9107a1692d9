//! Outputs for long runs: rotated, named by fields, on full disks, killed.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::{
    cli::{adds_up, code, folder, run, stderr, summary, tamis},
    files::listing,
};

/// All lines of the files in `dir`, decompressed, and how many files there are.
fn all_lines(dir: &Path) -> (Vec<String>, usize) {
    let paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    let mut lines = Vec::new();
    for path in &paths {
        let (bytes, mut text) = (fs::read(path).unwrap(), String::new());
        if path.extension().is_some_and(|ending| ending == "gz") {
            flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        } else {
            text = String::from_utf8(bytes).unwrap();
        }
        assert!(text.is_empty() || text.ends_with('\n'), "{}", path.display());
        lines.extend(text.lines().map(str::to_owned));
    }
    (lines, paths.len())
}

fn numbered(count: usize) -> String {
    (0..count).map(|n| format!("{{\"n\":{n},\"mail\":\"a{n}@example.com\"}}\n")).collect()
}

#[test]
fn rotation_under_load_loses_and_doubles_nothing() {
    let dir = folder(&[]);
    let input = numbered(120_000);
    let args = ["-o", "out/x.ndjson", "--rotate-size", "300kB", "--rotate-every", "1s"];
    fs::create_dir(dir.path().join("out")).unwrap();
    for (round, more) in
        [&["--compress", "gzip"][..], &["--fsync", "never", "-q"]].iter().enumerate()
    {
        let output = run(tamis(&args).args(*more).current_dir(&dir), input.as_bytes());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let (lines, files) = all_lines(&dir.path().join("out"));
        assert_eq!(lines.len(), (round + 1) * 120_000);
        let distinct: BTreeSet<_> = lines.iter().collect();
        assert_eq!(distinct.len(), 120_000);
        assert!(files > 10 && lines.iter().all(|line| line.ends_with("[REDACTED:email]\"}")));
    }
    let gz = listing(&dir.path().join("out")).iter().filter(|name| name.ends_with(".gz")).count();
    assert!(gz > 10, "{gz}");
    let output = run(tamis(&args).args(["--rotate-keep", "2"]).current_dir(&dir), b"{}\n");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(listing(&dir.path().join("out")).len(), 3);
}

#[test]
fn a_kill_leaves_whole_lines_or_the_next_start_cuts_and_what_others_added_stays() {
    let dir = folder(&[]);
    let out = dir.path().join("x.ndjson");
    for round in 0..5 {
        let mut child =
            tamis(&["-o", "x.ndjson", "--fsync", "100ms"]).current_dir(&dir).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || {
            let line = format!("{{\"pad\":\"{}\"}}\n", "x".repeat(3000));
            while stdin.write_all(line.as_bytes()).is_ok() {}
        });
        sleep(Duration::from_millis(100 + 30 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        feeder.join().unwrap();
        let theirs = round >= 3;
        if theirs {
            let mut file = fs::File::options().append(true).open(&out).unwrap();
            file.write_all(b"{\"theirs\":\"whole").unwrap();
        }
        let left = fs::read(&out).unwrap_or_default();
        let half = left.len() - left.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let output =
            run(tamis(&["-o", "x.ndjson", "--fsync", "always"]).current_dir(&dir), b"{}\n");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let said = format!("x.ndjson: removed {half} bytes");
        assert_eq!(stderr(&output).contains(&said), half > 0 && !theirs, "{}", stderr(&output));
        let text = fs::read_to_string(&out).unwrap();
        assert!(text.ends_with("\n{}\n") || text == "{}\n");
        let others = text.lines().filter(|line| line.ends_with("{\"theirs\":\"whole")).count();
        assert_eq!(others, (round as usize).saturating_sub(2), "round {round}");
        let known = |line: &str| line == "{}" || line.len() == 3010 || line.ends_with("whole");
        assert!(text.lines().all(known), "round {round}");
    }
}

#[test]
fn no_event_writes_outside_and_many_services_need_few_descriptors() {
    let dir = folder(&[]);
    let evil = [
        r#"{"service":"../../etc","id":"a"}"#,
        r#"{"service":"/etc/passwd","id":"b"}"#,
        r#"{"service":"..","id":"c"}"#,
        r#"{"service":{"x":1},"id":"d"}"#,
        r#"{"service":"\u0000\n","id":"e"}"#,
        r#"{"service":"ada@example.com","id":"f"}"#,
        "no JSON at all",
    ];
    let mut input = evil.join("\n") + "\n";
    for n in 0..4000 {
        input.push_str(&format!("{{\"service\":\"s{}\",\"n\":{n}}}\n", n % 200));
    }
    let script = "ulimit -n 160; exec \"$0\" -o 'in/logs/{service}/x.ndjson'";
    let mut limited = Command::new("bash");
    limited.args(["-c", script, env!("CARGO_BIN_EXE_tamis")]).current_dir(&dir);
    limited.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = run(&mut limited, input.as_bytes());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    adds_up(&summary(&output));
    assert_eq!(listing(dir.path()).iter().filter(|n| !n.starts_with("in/")).count(), 0);
    let logs = dir.path().join("in/logs");
    let names: BTreeSet<_> = fs::read_dir(&logs)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 206, "{names:?}");
    for name in
        ["%2E.%2F..%2Fetc", "%2Fetc%2Fpasswd", "%2E.", "_", "%00%0A", "%5BREDACTED%3Aemail%5D"]
    {
        assert!(names.contains(name), "{name} of {names:?}");
    }
    let nowhere = fs::read_to_string(logs.join("_/x.ndjson")).unwrap();
    assert_eq!(nowhere, "{\"service\":{\"x\":1},\"id\":\"d\"}\n{\"message\":\"no JSON at all\"}\n");
    let one = fs::read_to_string(logs.join("s17/x.ndjson")).unwrap();
    let wanted: String =
        (0..20).map(|i| format!("{{\"service\":\"s17\",\"n\":{}}}\n", 17 + 200 * i)).collect();
    assert_eq!(one, wanted);
}

/// Past the test runner, which keeps quiet about what a test that passes prints.
pub(crate) fn skipped(why: &str) {
    let what = "SKIPPED: a full disk was not tested: no file system of our own to fill";
    let _ = writeln!(std::io::stderr(), "\n{what} {why}");
}

/// On a real disk that is full: a file system in memory, in a name space of our own.
#[test]
fn a_full_disk_holds_the_input_back_until_there_is_room() {
    let dir = folder(&[("in.ndjson", &numbered(60_000)), ("disk/x", "")]);
    let script = r#"
        mount -t tmpfs -o size=3m none disk || exit 77
        head -c 2000000 /dev/zero > disk/filler
        "$0" in.ndjson -o disk/out.ndjson --rotate-size 500kB 2> said &
        for _ in $(seq 100); do grep -q 'waiting for space' said && break; sleep 0.1; done
        wc -c < disk/out.ndjson > held
        tail -c 1 disk/out.ndjson | od -An -c > last
        rm disk/filler; wait $!; echo $? > code
        cat disk/out.ndjson.* disk/out.ndjson > out"#;
    let mut command = Command::new("unshare");
    command.args(["-rm", "bash", "-c", script, env!("CARGO_BIN_EXE_tamis")]).current_dir(&dir);
    match command.output() {
        Ok(output) if output.status.success() => {}
        other => {
            let why = other.map(|o| String::from_utf8_lossy(&o.stderr).into_owned());
            skipped(&format!("{why:?}"));
            return;
        }
    }
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let said = read("said");
    assert_eq!(read("code"), "0\n", "{said}");
    let waits = said.matches("no space left on the device: waiting for space").count();
    assert!(waits >= 1 && said.matches("the device has space again").count() == waits, "{said}");
    assert_eq!(read("last").trim(), "\\n");
    let (out, wanted) = (read("out"), run(tamis(&["in.ndjson"]).current_dir(&dir), b"").stdout);
    assert!(out.as_bytes() == wanted, "{} of {} bytes", out.len(), wanted.len());
}

#[test]
fn a_full_disk_is_given_up_after_a_stop_and_counted() {
    let dir = folder(&[("in.ndjson", &numbered(60_000)), ("disk/x", "")]);
    let script = r#"
        mount -t tmpfs -o size=1m none disk || exit 77
        "$0" in.ndjson -o disk/out.ndjson --fsync always 2> said &
        for _ in $(seq 100); do grep -q 'waiting for space' said && break; sleep 0.1; done
        kill -TERM $!; sleep 0.2; kill -TERM $!; wait $!; echo $? > code
        wc -l < disk/out.ndjson > lines; tail -c 1 disk/out.ndjson | od -An -c > last"#;
    let mut command = Command::new("unshare");
    command.args(["-rm", "bash", "-c", script, env!("CARGO_BIN_EXE_tamis")]).current_dir(&dir);
    if !command.output().is_ok_and(|output| output.status.success()) {
        skipped("");
        return;
    }
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let (said, lines) = (read("said"), read("lines").trim().parse::<u64>().unwrap());
    assert_eq!((read("code").as_str(), read("last").trim()), ("3\n", "\\n"), "{said}");
    let summary: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    adds_up(&summary);
    assert!(summary["error"].as_str().unwrap().contains("No space left"), "{summary}");
    assert!(summary["redacted"].as_u64().unwrap() <= lines, "{summary}");
    assert!(summary["unwritten"].as_u64().unwrap() > 0, "{summary}");
}

#[test]
fn what_cannot_be_a_log_is_refused_with_the_fix() {
    let dir = folder(&[("in", "{}\n"), ("logs/in.ndjson", "{\"service\":\"in\"}\n")]);
    for (args, exit, wanted) in [
        (&["in", "--rotate-size", "1M"][..], 2, "--rotate-size needs -o FILE"),
        (&["in", "--rotate-every", "soon", "-o", "x"], 2, "write 500ms, 30s, 15m, 1h or 1d"),
        (&["in", "--fsync", "maybe", "-o", "x"], 2, "expected always, acknowledged, never"),
        (&["in", "--rotate-keep", "3", "-o", "x"], 2, "--rotate-keep needs --rotate-size"),
        (&["in", "--rotate-size", "1M", "--force", "-o", "x"], 2, "never replaced"),
        (&["in", "--fsync", "never", "--compress", "gzip", "-o", "x"], 2, "add --rotate-size"),
        (&["in", "--fsync", "never", "--out-dir", "x"], 2, "--fsync is only for -o FILE"),
        (
            &["in", "--rotate-size", "1M", "-o", "{service}"],
            2,
            "give its name an extension, like .ndjson",
        ),
        (&["in", "-o", "{service"], 2, "`{` without `}`"),
        (&["in", "-o", "{%!}.x"], 2, "write one like {%Y-%m-%d}"),
        (&["in", "-o", "x/{a}/../y"], 2, "a part of the name is empty, `.` or `..`"),
        (&["in", "-o", "in", "--fsync", "never"], 2, "is the input in"),
        (&["-r", "logs", "-o", "logs/{service}.ndjson"], 2, "would be an input (logs)"),
        (
            &["logs/*.ndjson.2*", "in", "-o", "logs/x.ndjson", "--rotate-size", "1M"],
            2,
            "would be an input",
        ),
        (&["in", "-o", "/dev/null", "--fsync", "never"], 3, "not a regular file"),
        (&["in", "-o", "no/such/x", "--fsync", "never"], 3, "no such file or directory"),
    ] {
        let output = run(tamis(args).current_dir(&dir), b"");
        let text = stderr(&output);
        assert_eq!(code(&output), exit, "{args:?}: {text}");
        assert!(text.contains(wanted), "{args:?}: {text}");
    }
    let output = run(tamis(&["in", "-o", "a{{b}}"]).current_dir(&dir), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(fs::read(dir.path().join("a{b}")).unwrap(), b"{}\n");
}

/// Whatever a file holds that this program did not write, it holds it still, and whole lines follow.
#[test]
fn nothing_is_cut_off_that_is_not_provably_our_own() {
    let long = "no line end ".repeat(120_000);
    let contents =
        ["seventeen letters", "{\"a\":1}\nhalf a line", "{\"a\":1", "\n\n  ", "\u{fc}", &long];
    let ways: &[&[&str]] =
        &[&["--fsync", "never"], &["--rotate-size", "1MB"], &["--rotate-every", "1d"]];
    for content in contents {
        for way in ways {
            let dir = folder(&[("notes.txt", content)]);
            let args = [&["-o", "notes.txt"], *way].concat();
            for event in ["{\"n\":1}\n", "{\"n\":2}\n"] {
                let output = run(tamis(&args).current_dir(&dir), event.as_bytes());
                assert_eq!(code(&output), 0, "{}", stderr(&output));
                let said =
                    format!("its {} bytes are kept", content.rsplit('\n').next().unwrap().len());
                assert_eq!(stderr(&output).contains(&said), event.contains('1'), "{content}");
            }
            let mut names = listing(dir.path());
            // The rotated file was first.
            names.sort_by_key(|name| usize::from(name == "notes.txt"));
            let all: String = names
                .iter()
                .map(|name| fs::read_to_string(dir.path().join(name)).unwrap())
                .collect();
            assert_eq!(all, format!("{content}\n{{\"n\":1}}\n{{\"n\":2}}\n"), "{way:?}");
        }
    }
}

/// A note of a run that was killed says nothing of what somebody wrote in its place.
#[test]
fn a_file_that_was_rewritten_after_a_kill_is_not_cut() {
    let dir = folder(&[]);
    let out = dir.path().join("x.ndjson");
    let mut child =
        tamis(&["-o", "x.ndjson", "--fsync", "always"]).current_dir(&dir).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"{\"n\":1}\n").unwrap();
    while fs::metadata(&out).map_or(0, |file| file.len()) == 0 {
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::write(&out, "my own notes").unwrap();
    let output = run(tamis(&["-o", "x.ndjson", "--fsync", "always"]).current_dir(&dir), b"{}\n");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&out).unwrap(), "my own notes\n{}\n");
}

#[test]
fn no_name_that_an_event_chooses_stops_the_run() {
    let dir = folder(&[
        ("elsewhere/x", ""),
        (
            "in.ndjson",
            "{\"s\":\"link\"}\n{\"s\":\"file\"}\n{\"s\":\"folder\"}\n{\"s\":\"pipe\"}\n{\"s\":\"packed\"}\n{\"s\":\"inlink\"}\n{\"s\":\"good\"}\n{\"s\":\"taken\"}\n",
        ),
        ("base/file", "no folder"),
        ("base/folder/o.log/x", ""),
        ("base/packed/o.log", ""),
        ("base/inlink/x", ""),
        ("base/pipe/x", ""),
        ("base/taken/x", ""),
    ]);
    let at = |name: &str| dir.path().join(name);
    std::os::unix::fs::symlink(at("elsewhere"), at("base/link")).unwrap();
    std::os::unix::fs::symlink(at("elsewhere/x"), at("base/inlink/o.log")).unwrap();
    let made = Command::new("mkfifo").arg(at("base/pipe/o.log")).status().unwrap();
    assert!(made.success());
    fs::write(at("base/packed/o.log"), b"\x1f\x8b\x08\0\0\0\0\0packed").unwrap();
    fs::hard_link(at("in.ndjson"), at("base/taken/o.log")).unwrap();
    let input = fs::read(at("in.ndjson")).unwrap();
    let output = run(tamis(&["in.ndjson", "-o", "base/{s}/o.log"]).current_dir(&dir), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let summary = summary(&output);
    adds_up(&summary);
    assert_eq!((&summary["clean"], &summary["other_file_lines"]), (&8.into(), &7.into()));
    let other = fs::read_to_string(at("base/_other/o.log")).unwrap();
    let lines: Vec<_> = other.lines().collect();
    assert_eq!(lines.len(), 7, "{other}");
    assert_eq!(fs::read_to_string(at("base/good/o.log")).unwrap(), "{\"s\":\"good\"}\n");
    assert_eq!(fs::read(at("in.ndjson")).unwrap(), input);
    assert_eq!(listing(&at("elsewhere")), ["x"]);
    assert_eq!(fs::read(at("elsewhere/x")).unwrap(), b"");
    let said = stderr(&output);
    assert_eq!(said.matches("its lines go to base/_other/o.log").count(), 1, "{said}");
}

/// What was a folder when the file was opened, and is a link when it was removed.
#[test]
fn a_name_that_is_taken_away_does_not_stop_the_others() {
    let dir = folder(&[("base/x", ""), ("elsewhere/x", "")]);
    let at = |name: &str| dir.path().join(name);
    let mut child = tamis(&["-o", "base/{s}/o.log", "--fsync", "always", "--threads", "1"])
        .current_dir(&dir)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let until = |name: &str, text: &str| {
        for _ in 0..6000 {
            if fs::read_to_string(at(name)).is_ok_and(|there| there.contains(text)) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("{name} never had {text}");
    };
    stdin.write_all(b"{\"s\":\"a\",\"n\":1}\n{\"s\":\"b\",\"n\":1}\n").unwrap();
    until("base/a/o.log", "1");
    until("base/b/o.log", "1");
    fs::remove_dir_all(at("base/a")).unwrap();
    std::os::unix::fs::symlink(at("elsewhere"), at("base/a")).unwrap();
    stdin.write_all(b"{\"s\":\"a\",\"n\":2}\n{\"s\":\"b\",\"n\":2}\n").unwrap();
    until("base/_other/o.log", "{\"s\":\"a\",\"n\":2}\n");
    until("base/b/o.log", "{\"s\":\"b\",\"n\":2}\n");
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(summary(&output)["other_file_lines"], 1);
    assert_eq!(listing(&at("elsewhere")), ["x"]);
}
