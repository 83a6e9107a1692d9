//! Standard error that is a pipe which nobody reads: it holds up no run, and no end of one.

use std::{
    fs,
    io::{PipeReader, Read as _, Write as _, pipe},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::{
    cli::{folder, tamis},
    endings::until,
};

/// A pipe that takes nothing more.
fn full() -> (PipeReader, Stdio) {
    let (reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(b".").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer.into())
}

/// The end of a run that must come to one: its exit code, and what it printed.
fn end(mut child: Child, args: &[&str]) -> (Option<i32>, String) {
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if begun.elapsed() < Duration::from_secs(60) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            None => {
                child.kill().unwrap();
                panic!("{args:?} hangs");
            }
        }
    };
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    (status.code(), printed)
}

#[test]
fn a_run_whose_standard_error_nobody_reads_does_all_and_ends() {
    let clean = "{\"n\":1}\n{\"mail\":\"[REDACTED:email]\"}\n";
    for (args, code, wanted) in [
        (&[][..], 0, clean),
        (&["-", "gone", "gone/too"], 3, clean),
        (&["gone", "--quiet"], 3, ""),
        (&["-", "--stats", "/dev/full", "--fail-on-drop"], 1, clean),
        (&["-", "--stats", "/dev/stderr"], 0, clean),
        (&["--no-such-option"], 2, ""),
        (&["-", "-o", "no/such/folder"], 3, ""),
        (&["exec", "--", "sh", "-c", "echo '{\"n\":1}'; echo '{' >&2; exit 7"], 7, "{\"n\":1}\n"),
    ] {
        let dir = folder(&[]);
        let (reader, stderr) = full();
        let mut child = tamis(args).current_dir(&dir).stderr(stderr).spawn().unwrap();
        let text = b"{\"n\":1}\n{\"mail\":\"ada@example.com\"}\n{cut\n";
        // Who does not read it has ended.
        let _ = child.stdin.take().unwrap().write_all(text);
        let (ended, printed) = end(child, args);
        assert_eq!((ended, &*printed), (Some(code), wanted), "{args:?}");
        drop(reader);
    }
}

#[test]
fn lines_that_standard_error_does_not_take_are_counted_and_those_that_fit_come_later() {
    let dir = folder(&[]);
    let long = ["x"; 2000].join("/");
    let names: Vec<String> = (0..20).map(|n| format!("{n:02}/{long}")).collect();
    let mut args: Vec<&str> = names.iter().map(String::as_str).collect();
    args.extend(["-", "--metrics-textfile", "m.prom"]);
    let (mut reader, stderr) = full();
    let mut child = tamis(&args).current_dir(&dir).stderr(stderr).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"n\":1}\n").unwrap();
    let mut first = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"{\"n\":1}\n");
    // Somebody reads again.
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        reader.read_to_string(&mut said).map(|_| said)
    });
    drop(stdin);
    assert_eq!(end(child, &["…"]).0, Some(3));
    let said = said.join().unwrap().unwrap();
    let dropped = 20 - said.matches("\"input_failed\"").count();
    assert!(dropped > 0, "the queue has its bound");
    let lines: Vec<_> =
        said.lines().filter(|line| line.contains("\"log_lines_dropped\"")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(&format!("{dropped} line")), "{lines:?}");
    assert!(said.contains("\"run_ended\""));
    until("the measures", || {
        let measures = fs::read_to_string(dir.path().join("m.prom")).unwrap_or_default();
        measures.contains(&format!("tamis_dropped_log_lines_total {dropped}\n"))
    });
}
