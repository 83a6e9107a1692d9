//! Reports of a run (statistics, measures) on disks that are full, or do not answer: the run goes on.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use crate::cli::{adds_up, code, folder, run, stderr, summary, tamis};

const EVENTS: &[u8] = b"{\"n\":1}\n{\"mail\":\"ada@example.com\"}\n";

#[test]
fn a_report_that_cannot_be_written_is_told_once_and_counted_and_the_run_is_done() {
    let dir = folder(&[]);
    let made = Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap();
    assert!(made.success());
    for (args, failures) in [
        (&["--stats", "/dev/full"][..], 1),
        (&["--metrics-textfile", "/dev/full"], 2),
        (&["--stats", "/dev/full", "--metrics-textfile", "/dev/full", "--fail-on-drop"], 3),
        // Nobody reads it.
        (&["--stats", "pipe"], 1),
        (&["--metrics-textfile", "pipe"], 1),
        (&["--stats", "/proc/self/stats"], 1),
    ] {
        let begun = Instant::now();
        let output = run(tamis(args).current_dir(&dir), EVENTS);
        let said = stderr(&output);
        assert_eq!(code(&output), 0, "{args:?}: {said}");
        assert_eq!(output.stdout, b"{\"n\":1}\n{\"mail\":\"[REDACTED:email]\"}\n");
        let summary = summary(&output);
        adds_up(&summary);
        assert_eq!(summary["failed_reports"], failures, "{args:?}: {said}");
        assert_eq!(summary["exit_code"], 0, "{args:?}");
        for option in ["--stats ", "--metrics-textfile "] {
            let wanted = usize::from(args.contains(&option.trim()));
            assert_eq!(said.matches(option).count(), wanted, "{args:?}: {said}");
        }
        assert_eq!(
            said.contains("it is a FIFO that no process has read"),
            args[1] == "pipe",
            "{said}"
        );
        assert!(begun.elapsed() < Duration::from_secs(60), "{args:?}: it was held up");
    }
}

#[test]
fn a_report_whose_folder_is_not_there_is_a_mistake_that_is_told_at_the_start() {
    let dir = folder(&[]);
    fs::write(dir.path().join("a.log"), EVENTS).unwrap();
    for option in ["--stats", "--metrics-textfile"] {
        for (path, wanted) in [
            ("no/such/x", "no such folder: create it first"),
            ("a.log/m", "its parent is a file, not a folder: name a file in a folder"),
            ("a.log/b/m", "its parent is a file, not a folder: name a file in a folder"),
        ] {
            let output = run(tamis(&[option, path, "-o", "out"]).current_dir(&dir), EVENTS);
            assert_eq!(code(&output), 2, "{}", stderr(&output));
            let said = stderr(&output);
            assert!(said.contains(&format!("{option} {path}: {wanted}")), "{said}");
            assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing was written");
        }
    }
}
