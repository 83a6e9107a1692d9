//! How a run ends: what did not finish never looks finished.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Output},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    archives::{TOOLS, through},
    cli::{adds_up, code, run, stderr, summary, tamis},
    files::{listing, tree, within},
};

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} never came");
        sleep(Duration::from_millis(2));
    }
}

const LINES: &str = "{\"n\":1}\n{\"mail\":\"ada@example.com\"}\n";
const CLEAN: &str = "{\"n\":1}\n{\"mail\":\"[REDACTED:email]\"}\n";

/// Two lines, and behind them one whose end nobody waits for.
fn endless(path: &Path) {
    let mut file = File::create(path).unwrap();
    file.write_all(LINES.as_bytes()).unwrap();
    file.set_len(1 << 40).unwrap();
}

/// The same lines, and one that does not end, compressed; `None` without the tool.
fn endless_archive(path: &Path) -> Option<()> {
    let mut archive = through(&["gzip", "-c"], LINES.as_bytes())?;
    // Not zeros: a member of nothing but zeros is refused where it ends.
    let line = through(&["gzip", "-c"], &vec![b'x'; 16 << 20])?;
    archive.extend(line.repeat(4096));
    fs::write(path, archive).ok()
}

fn start(dir: &TempDir, args: &[&str]) -> Child {
    let mut child = tamis(args).current_dir(dir).spawn().unwrap();
    drop(child.stdin.take());
    child
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// What is being written in the folder: its text so far.
fn unfinished(folder: &Path) -> Option<Vec<u8>> {
    let entries = fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path());
    let temporary = |path: &PathBuf| path.extension().is_some_and(|end| end == "tmp");
    fs::read(entries.into_iter().find(temporary)?).ok()
}

/// Starts a run, and ends it with signals when `ready` says that its lines are written.
fn ended(
    dir: &TempDir,
    args: &[&str],
    signals: &[Signal],
    mut ready: impl FnMut() -> bool,
) -> Output {
    let child = start(dir, args);
    until("the output", &mut ready);
    for each in signals {
        signal(&child, *each);
        // Two signals of a kind at once are one.
        sleep(Duration::from_millis(100));
    }
    child.wait_with_output().unwrap()
}

/// What a run says that was ended by `signal` in the first of `inputs` inputs.
fn says_how_far(output: &Output, signal: &str, exit: i32, inputs: u64) -> Value {
    let said = stderr(output);
    assert_eq!(code(output), exit, "{said}");
    let summary = summary(output);
    adds_up(&summary);
    let error = summary["error"].as_str().unwrap_or_default();
    let noun = if inputs == 1 { "input was" } else { "inputs were" };
    assert!(
        error.starts_with(&format!("stopped by {signal}: 0 of {inputs} {noun} read")),
        "{said}"
    );
    assert!(error.contains(":2, which ends at byte 35"), "{said}");
    // Nothing that was not read to its end was refused.
    assert_eq!((&summary["dropped"], &summary["read"]), (&serde_json::json!({}), &2.into()));
    assert_eq!(summary["unwritten"], 0, "{said}");
    summary
}

#[test]
fn a_signal_before_the_end_of_a_file_leaves_its_output_as_it_was() {
    const FEW: [&str; 2] = ["--drain-timeout", "0"];
    for (args, signals, name, exit) in [
        (&FEW[..], &[Signal::INT][..], "SIGINT", 130),
        (&FEW, &[Signal::TERM], "SIGTERM", 143),
        (&["--drain-timeout", "600"], &[Signal::INT, Signal::INT], "SIGINT", 130),
        (&["--drain-timeout", "600"], &[Signal::TERM, Signal::TERM], "SIGTERM", 143),
    ] {
        let dir = tree(&[("after", b"{\"n\":3}\n"), ("old", b"{\"of\":\"yesterday\"}\n")]);
        endless(&dir.path().join("big"));
        let written = || unfinished(dir.path()).is_some_and(|text| text == CLEAN.as_bytes());
        for how in [&["-o", "new"][..], &["-o", "old", "--force"]] {
            let args = [&["big", "after"], how, args].concat();
            let output = ended(&dir, &args, signals, written);
            says_how_far(&output, name, exit, 2);
            assert_eq!(listing(dir.path()), ["after", "big", "old"], "{args:?}");
            assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"{\"of\":\"yesterday\"}\n");
        }
        // What is added is taken back.
        let args = [&["big", "-o", "old", "--append"], args].concat();
        let old = dir.path().join("old");
        let output = ended(&dir, &args, signals, || fs::metadata(&old).unwrap().len() > 30);
        says_how_far(&output, name, exit, 1);
        assert_eq!(fs::read(&old).unwrap(), b"{\"of\":\"yesterday\"}\n");
    }
}

#[test]
fn of_a_folder_of_outputs_those_of_whole_inputs_stay() {
    let dir = tree(&[("logs/a", b"{\"n\":0}\n"), ("logs/c", b"{\"n\":3}\n"), ("out/b", b"old\n")]);
    endless(&dir.path().join("logs/b"));
    let out = dir.path().join("out");
    let written = || unfinished(&out).is_some_and(|text| text == CLEAN.as_bytes());
    let args = ["-r", "logs", "--out-dir", "out", "--force", "--drain-timeout", "0"];
    let output = ended(&dir, &args, &[Signal::TERM], written);
    assert_eq!(code(&output), 143, "{}", stderr(&output));
    let error = summary(&output)["error"].to_string();
    assert!(error.contains("1 of 3 inputs were read to the end"), "{error}");
    assert!(error.contains("logs/b:2, which ends at byte 35"), "{error}");
    assert_eq!(listing(&out), ["a", "b"]);
    assert_eq!(fs::read(out.join("a")).unwrap(), b"{\"n\":0}\n");
    assert_eq!(fs::read(out.join("b")).unwrap(), b"old\n");
}

#[test]
fn what_was_written_can_be_kept_under_a_name_of_its_own() {
    let dir = tree(&[("out", b"{\"n\":0}\n"), ("out.partial", b"of before"), ("each/b", b"old\n")]);
    endless(&dir.path().join("big"));
    let path = |name: &str| dir.path().join(name);
    let keep = ["big", "--keep-partial", "--drain-timeout", "0"];
    let written = || unfinished(dir.path()).is_some_and(|text| text == CLEAN.as_bytes());
    let output =
        ended(&dir, &[&keep[..], &["-o", "out", "--force"]].concat(), &[Signal::INT], written);
    says_how_far(&output, "SIGINT", 130, 1);
    let said = stderr(&output);
    assert!(
        said.contains("the partial output is kept as ") && said.contains("out.partial.1"),
        "{said}"
    );
    let appended = || fs::metadata(path("out")).unwrap().len() > 8;
    let output =
        ended(&dir, &[&keep[..], &["-o", "out", "--append"]].concat(), &[Signal::INT], appended);
    says_how_far(&output, "SIGINT", 130, 1);
    let written = || unfinished(&path("each")).is_some_and(|text| text == CLEAN.as_bytes());
    let output =
        ended(&dir, &[&keep[..], &["--out-dir", "each"]].concat(), &[Signal::INT], written);
    says_how_far(&output, "SIGINT", 130, 1);
    assert_eq!(fs::read(path("out")).unwrap(), b"{\"n\":0}\n");
    assert_eq!(fs::read(path("out.partial")).unwrap(), b"of before");
    for kept in ["out.partial.1", "out.partial.2", "each/big.partial"] {
        assert_eq!(fs::read_to_string(path(kept)).unwrap(), CLEAN, "{kept}");
    }
    assert_eq!(listing(dir.path()).len(), 8);
}

#[test]
fn what_is_compressed_is_no_more_whole_and_what_is_kept_of_it_can_be_decoded() {
    let dir = tree(&[]);
    let Some(()) = endless_archive(&dir.path().join("big.gz")) else { return };
    let written = || unfinished(dir.path()).is_some_and(|text| !text.is_empty());
    let args = ["big.gz", "-o", "out.gz", "--compress", "gzip", "--drain-timeout", "0"];
    let output = ended(&dir, &args, &[Signal::INT], written);
    says_how_far(&output, "SIGINT", 130, 1);
    assert_eq!(listing(dir.path()), ["big.gz"]);
    let args = [&args[..], &["--keep-partial"]].concat();
    let output = ended(&dir, &args, &[Signal::INT], written);
    says_how_far(&output, "SIGINT", 130, 1);
    assert_eq!(listing(dir.path()), ["big.gz", "out.gz.partial"]);
    let kept = fs::read(dir.path().join("out.gz.partial")).unwrap();
    assert_eq!(through(&["gzip", "-dc"], &kept).unwrap(), CLEAN.as_bytes());
}

#[test]
fn standard_output_cannot_be_taken_back_and_a_file_on_standard_input_is_one() {
    use std::io::Read as _;
    let dir = tree(&[]);
    endless(&dir.path().join("big"));
    for stdin in [false, true] {
        let mut command =
            tamis(if stdin { &["--drain-timeout", "0"] } else { &["big", "--drain-timeout", "0"] });
        if stdin {
            command.stdin(File::open(dir.path().join("big")).unwrap());
        }
        let mut child = command.current_dir(&dir).spawn().unwrap();
        drop(child.stdin.take());
        let mut text = vec![0; CLEAN.len()];
        child.stdout.as_mut().unwrap().read_exact(&mut text).unwrap();
        assert_eq!(text, CLEAN.as_bytes());
        signal(&child, Signal::INT);
        let output = child.wait_with_output().unwrap();
        says_how_far(&output, "SIGINT", 130, 1);
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn what_ends_within_the_drain_is_whole() {
    let dir = tree(&[("in", LINES.as_bytes())]);
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let child = start(&dir, &["fifo", "in", "-o", "out", "--drain-timeout", "60"]);
    let mut writer = File::options().write(true).open(&fifo).unwrap();
    writer.write_all(b"{\"n\":0}\n").unwrap();
    until("the output", || unfinished(dir.path()).is_some_and(|text| !text.is_empty()));
    signal(&child, Signal::TERM);
    sleep(Duration::from_millis(100));
    drop(writer);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let wanted = format!("{{\"n\":0}}\n{CLEAN}");
    assert_eq!(fs::read_to_string(dir.path().join("out")).unwrap(), wanted);
}

#[test]
fn a_pipe_that_is_left_inside_a_line_drops_nothing() {
    for (begun, forwarded, unwritten) in [
        ("{\"n\":2,\"cut", "", 1),
        ("{\"n\":2}", "{\"n\":2}\n", 0),
        ("cut", "{\"message\":\"cut\"}\n", 0),
    ] {
        use std::io::Read as _;
        let mut child = tamis(&["--drain-timeout", "0"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("{{\"n\":1}}\n{begun}").as_bytes()).unwrap();
        let mut first = [0; 8];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        signal(&child, Signal::TERM);
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), forwarded);
        let summary = summary(&output);
        adds_up(&summary);
        assert_eq!((&summary["read"], &summary["unwritten"]), (&2.into(), &unwritten.into()));
        assert_eq!(summary["dropped"], serde_json::json!({}));
    }
}

#[test]
fn an_input_that_is_not_read_to_its_end_has_no_output_that_looks_whole() {
    let Some(archive) = through(&["gzip", "-c"], LINES.repeat(1000).as_bytes()) else { return };
    let cut = &archive[..archive.len() / 2];
    for (bad, name) in [(cut, "cut"), (b"{}\n", "gone")] {
        let dir = tree(&[("in", b"{\"n\":1}\n"), ("cut", bad), ("old", b"old\n")]);
        for how in [&["-o", "new"][..], &["-o", "old", "--force"], &["-o", "old", "--append"]] {
            let output = within(&dir, &[&["in", name], how].concat());
            assert_eq!(code(&output), 3, "{how:?}");
            let error = summary(&output)["error"].to_string();
            assert!(error.contains("1 input was not read to its end; -o "), "{error}");
            assert_eq!(listing(dir.path()), ["cut", "in", "old"], "{name} {how:?}");
            assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"old\n");
        }
        let output = within(&dir, &["in", name, "--out-dir", "out"]);
        assert_eq!((code(&output), listing(&dir.path().join("out"))), (3, vec!["in".to_owned()]));
        let output = run(tamis(&["in", name]).current_dir(&dir), b"");
        assert!(output.stdout.starts_with(b"{\"n\":1}\n"), "the rest is done");
        assert_eq!(code(&output), 3);
    }
}

/// Runs the program in a shell that redirects it so.
fn redirected(dir: &TempDir, args: &str, redirection: &str) -> Output {
    let script = format!("exec \"$0\" {args} {redirection}");
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_tamis")]).current_dir(dir);
    shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    shell.stderr(std::process::Stdio::piped());
    run(&mut shell, LINES.as_bytes())
}

#[test]
fn a_descriptor_that_was_closed_before_the_start_is_told_from_dev_null() {
    let dir = tree(&[("in", LINES.as_bytes())]);
    for (args, redirection, exit) in [
        ("", ">&-", 3),
        ("in", ">&-", 3),
        ("in -o /dev/stdout", ">&-", 3),
        ("in --append -o /dev/fd/1", ">&-", 3),
        ("in -o out1 --dead-letter /proc/self/fd/1", ">&-", 3),
        ("in -o out2 --stats /dev/stdout", ">&-", 2),
        ("", "<&-", 3),
        ("-", "<&- > /dev/null", 3),
        ("in - ", "<&-", 3),
        ("/dev/stdin", "<&-", 3),
        ("explain '{}'", ">&-", 3),
        ("patterns list", ">&-", 3),
        ("exec -- true", ">&-", 3),
        ("man", ">&-", 3),
        ("--version", ">&-", 3),
        ("-h", ">&-", 3),
        ("--help", ">&-", 3),
        ("explain --help", ">&-", 3),
        ("patterns --help", ">&-", 3),
        ("explain", "<&-", 3),
        ("explain -", "<&-", 3),
        ("explain '{}'", "<&-", 0),
        ("explain", "< /dev/null", 0),
        // What somebody means.
        ("", "> /dev/null", 0),
        ("", "1<> /dev/null", 0),
        ("", "< /dev/null", 0),
        ("", "0<> /dev/null", 0),
        ("in -o out3", ">&- <&-", 0),
        ("in -o out4", "2>&-", 0),
    ] {
        let output = redirected(&dir, args, redirection);
        let said = stderr(&output);
        assert_eq!(code(&output), exit, "{args} {redirection}: {said}");
        if exit > 0 {
            assert!(said.contains("closed before Tamis started"), "{args} {redirection}: {said}");
            let last = said.lines().last().unwrap_or_default();
            let summary: Result<Value, _> = serde_json::from_str(last);
            let output = redirection.contains('>') && !redirection.contains("null");
            assert!(!output || summary.is_err(), "nothing is counted as forwarded: {said}");
        }
    }
}

#[test]
fn pages_that_standard_output_does_not_take_are_an_error() {
    let dir = tree(&[]);
    for args in ["-h", "--help", "patterns --help", "man", "--version", "completions bash"] {
        for (redirection, exit) in [("> /dev/full", 3), (">&-", 3), ("", 0), ("> page", 0)] {
            let output = redirected(&dir, args, redirection);
            let said = stderr(&output);
            assert_eq!(code(&output), exit, "{args} {redirection}: {said}");
            assert_eq!(said.contains("standard output: "), exit > 0, "{args}: {said}");
            assert!(redirection.contains('>') || output.stdout.len() > 20, "{args}");
            assert!(!output.stdout.contains(&0x1b), "{args}: no terminal, no colours");
        }
    }
}

#[test]
fn an_input_that_is_not_read_to_its_end_is_the_error_of_the_run_whatever_is_written_to() {
    let dir = tree(&[("in", b"{\"n\":1}\n")]);
    for args in [
        &["in", "gone"][..],
        &["in", "gone", "-o", "/dev/null"],
        &["in", "gone", "-o", "new"],
        &["in", "gone", "-o", "{s}.log"],
        &["in", "gone", "--out-dir", "out"],
        &["in", "gone", "--quiet", "--stats", "stats"],
        &["in", "gone", "--fail-on-drop", "--stats", "stats"],
    ] {
        let output = within(&dir, args);
        let said = stderr(&output);
        assert_eq!(code(&output), 3, "{args:?}: {said}");
        let account = match args.contains(&"--quiet") {
            true => {
                let stats = fs::read_to_string(dir.path().join("stats")).unwrap();
                serde_json::from_str(&stats).unwrap()
            }
            false => summary(&output),
        };
        let repeated = said.contains("not read to its end");
        assert_eq!(repeated, !args.contains(&"--quiet"), "{args:?}: {said}");
        let error = account["error"].as_str().unwrap_or_default();
        assert!(error.starts_with("1 input was not read to its end"), "{args:?}: {account}");
        assert_eq!((&account["failed_inputs"], &account["exit_code"]), (&1.into(), &3.into()));
    }
    let account = summary(&within(&dir, &["gone", "gone/too"]));
    assert_eq!(account["error"], "2 inputs were not read to their end");
    assert!(summary(&within(&dir, &["in"]))["error"].is_null());
}

/// Lines that are more than a run ever holds.
fn many() -> Vec<u8> {
    (0..300_000)
        .flat_map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(90)).into_bytes())
        .collect()
}

#[test]
fn a_file_that_is_not_what_it_was_when_it_is_read_is_an_input_error() {
    use std::io::Read as _;
    let text = many();
    for stdin in [false, true] {
        for (kept, again, wanted) in [
            (20_000_000, &b""[..], "it was truncated while it was read"),
            (0, b"", "it was truncated while it was read"),
            // In place: what is truncated first may be seen so.
            (
                text.len() as u64,
                &text.iter().map(|byte| byte ^ (byte & 1)).collect::<Vec<_>>(),
                "it was rewritten while",
            ),
        ] {
            let dir = tree(&[("big", &text)]);
            let path = dir.path().join("big");
            let mut command = tamis(if stdin { &[] } else { &["big"] });
            if stdin {
                command.stdin(File::open(&path).unwrap());
            }
            let mut child = command.current_dir(&dir).spawn().unwrap();
            drop(child.stdin.take());
            let mut stdout = child.stdout.take().unwrap();
            stdout.read_exact(&mut [0; 100]).unwrap();
            // Nobody takes more, so it reads no further than it has memory for.
            let mut file = File::options().write(true).open(&path).unwrap();
            file.set_len(kept).unwrap();
            file.write_all(again).unwrap();
            let rest = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
            let output = child.wait_with_output().unwrap();
            rest.join().unwrap().unwrap();
            let said = stderr(&output);
            assert_eq!(code(&output), 3, "{said}");
            assert!(said.contains(wanted), "{said}");
            assert_eq!(summary(&output)["failed_inputs"], 1);
            adds_up(&summary(&output));
        }
    }
    // What grows meanwhile, and what has no size, is as it should be.
    let dir = tree(&[]);
    for path in
        ["/proc/self/mounts", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"]
    {
        if Path::new(path).exists() {
            let output = within(&dir, &[path]);
            assert_eq!(code(&output), 0, "{path}: {}", stderr(&output));
        }
    }
}

#[test]
fn what_is_no_text_is_an_error_and_no_thousand_drops() {
    let dir = tree(&[("in/a.log", LINES.as_bytes()), ("in/b.log", b"{\"n\":1}\n")]);
    let make = |script: &str| {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-ec", script]).current_dir(&dir).stderr(std::process::Stdio::null());
        shell.status().unwrap().success()
    };
    for (script, wanted) in [
        ("tar cf x in", "it is not text, but a tar archive: unpack it first"),
        ("tar czf x in", "a tar archive"),
        ("tar cf - in | zstd -q > x", "a tar archive"),
        ("gzip -c in/a.log | gzip > x", "gzip data, compressed twice"),
        ("zstd -qc in/a.log | gzip > x", "zstd data, compressed twice"),
        ("xz -c in/a.log | gzip > x", "xz data, compressed twice"),
        ("printf 'PK\\003\\004\\024\\0in' | gzip > x", "a zip archive"),
        ("printf 'PK\\003\\004\\024\\0in' > x", "a zip archive"),
        ("printf '7z\\274\\257\\047\\034in' | xz > x", "a 7z archive"),
    ] {
        if !make(&format!("set -o pipefail; {script}")) {
            continue;
        }
        let output = within(&dir, &["in/b.log", "x", "-o", "out"]);
        let said = stderr(&output);
        assert_eq!(code(&output), 3, "{script}: {said}");
        assert!(said.contains(wanted), "{script}: {said}");
        let summary = summary(&output);
        assert_eq!(
            (&summary["read"], &summary["failed_inputs"]),
            (&1.into(), &1.into()),
            "{script}"
        );
        assert!(!dir.path().join("out").exists());
        let text = fs::read(dir.path().join("x")).unwrap();
        assert_eq!(code(&run(&mut tamis(&[]), &text)), 3, "{script} on standard input");
    }
}

#[test]
fn what_is_no_text_is_an_error_in_whichever_member() {
    let line = b"{\"n\":1}\n";
    let cut = b"{\"n\":";
    let Some(tar) = through(&["bash", "-c", "cd /; tar cf - etc/hostname"], b"") else { return };
    for (name, tool) in TOOLS {
        let Some(first) = through(tool, line) else { continue };
        let pack = |text: &[u8]| through(tool, text).unwrap();
        // What holds it, and what is read before.
        for (inner, wanted) in [
            (pack(line), format!("{name} data, compressed twice")),
            (through(&["gzip", "-c"], line).unwrap(), "gzip data, compressed twice".into()),
            (tar.clone(), "a tar archive".into()),
            (vec![0; 10240], "an empty tar archive".into()),
            (b"PK\x03\x04\x14\0in".to_vec(), "a zip archive".into()),
        ] {
            // Behind lines, and behind what begins as a magic does.
            for (before, lines) in
                [(first.clone(), 1), (first.repeat(30), 30), ([pack(b"B"), pack(b"")].concat(), 0)]
            {
                let data = [before, pack(&inner), first.repeat(lines % 2)].concat();
                let output = run(&mut tamis(&[]), &data);
                let said = stderr(&output);
                assert_eq!(code(&output), 3, "{name} {lines} {wanted}: {said}");
                assert!(said.contains(&wanted), "{name} {lines} {wanted}: {said}");
                let account = summary(&output);
                adds_up(&account);
                assert_eq!(account["failed_inputs"], 1, "{name}: {account}");
                assert_eq!(output.stdout, line.repeat(lines), "{name} {wanted}: {said}");
            }
        }
        // Members end where they end, also inside of lines.
        for pieces in [
            &[&cut[..], b"1}\n"][..],
            &[b"B", b"Z", b"h", b"9 is text\n"],
            &[b"{\"a\":\"", b"%PDF-1.7\"}\n"],
            &[b"{\"a\":\"", b"", b"LPKSHHRH\"}\n"],
            &[b"P", b"K", b"\n"],
            &[b"PK", b"\n"],
        ] {
            let data: Vec<u8> = pieces.iter().flat_map(|piece| pack(piece)).collect();
            let output = run(&mut tamis(&[]), &data);
            assert_eq!(code(&output), 0, "{name} {pieces:?}: {}", stderr(&output));
            let whole = run(&mut tamis(&[]), &pieces.concat());
            assert_eq!(output.stdout, whole.stdout, "{name} {pieces:?}");
        }
    }
    // Zeros before lines are what a copy and truncation leaves.
    let lines = [&[0; 10240][..], line].concat();
    assert_eq!(code(&run(&mut tamis(&[]), &lines)), 0);
    let output = run(&mut tamis(&[]), &[0; 10240]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
}

#[test]
fn lines_that_a_full_disk_took_count_as_written() {
    for lines in [1, 500, 40_000] {
        let text = "{\"n\":1,\"mail\":\"ada@example.com\"}\n".repeat(lines);
        let dir = tree(&[("in", text.as_bytes())]);
        let output = redirected(&dir, "in --threads 2", "> out; exit");
        assert_eq!(summary(&output)["redacted"], lines);
        for blocks in [0, 1, 100] {
            let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" in > out");
            let mut shell = std::process::Command::new("bash");
            shell.args(["-c", &script, env!("CARGO_BIN_EXE_tamis")]).current_dir(&dir);
            shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            shell.stderr(std::process::Stdio::piped());
            let output = run(&mut shell, b"");
            let out = fs::read(dir.path().join("out")).unwrap();
            let there = memchr::memchr_iter(b'\n', &out).count();
            let summary = summary(&output);
            adds_up(&summary);
            assert_eq!(summary["redacted"], there, "{lines} {blocks}: {summary}");
            assert_eq!(code(&output), if there == lines { 0 } else { 3 });
            let unwritten = summary["unwritten"].as_u64().unwrap() as usize;
            assert!(there + unwritten <= lines && (there == lines || unwritten > 0), "{summary}");
            assert!(lines > 500 || there + unwritten == lines, "{summary}");
        }
    }
}
