//! What a run that was killed leaves, and what the next one removes of it.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    cli::{code, folder, run, stderr, tamis},
    files::listing,
};

/// Names in `dir` that the run is writing, or was.
fn unfinished(dir: &TempDir) -> Vec<String> {
    listing(dir.path()).into_iter().filter(|name| name.contains(".tamis-")).collect()
}

/// Starts a run, waits until it writes, and has `signal` end it.
fn killed(dir: &TempDir, args: &[&str], signal: Signal) {
    let before = unfinished(dir).len();
    let mut child = tamis(args).current_dir(dir).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"{\"n\":1}\n").unwrap();
    let begun = Instant::now();
    while unfinished(dir).len() == before {
        assert!(begun.elapsed() < Duration::from_secs(60), "{args:?} writes nothing");
        sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
}

/// Whether whoever started the tests had them ignore `signal`, as `nohup` does: then so does the program.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    u64::from_str_radix(mask, 16).unwrap() >> (signal.as_raw() - 1) & 1 != 0
}

#[test]
fn the_next_run_removes_what_a_killed_one_was_writing_and_nothing_else() {
    let signals = [Signal::KILL, Signal::HUP, Signal::USR1];
    for signal in signals.into_iter().filter(|signal| !is_ignored(*signal)) {
        for args in [&["-o", "out"][..], &["-o", "out", "--force"], &["-", "-o", "sub/../out"]] {
            let others =
                [".out.AbCdEf.tmp", ".out.tmp", ".out.tamis-0123456789ab0123456789ab.tmp", "sub/x"];
            let files: Vec<_> = others.iter().map(|name| (*name, "somebody else's")).collect();
            let dir = folder(&files);
            if args.contains(&"--force") {
                fs::write(dir.path().join("out"), "old").unwrap();
            }
            killed(&dir, args, signal);
            let output = run(tamis(&["-o", "another"]).current_dir(&dir), b"{}\n");
            assert_eq!(code(&output), 0, "{}", stderr(&output));
            assert_eq!(unfinished(&dir).len(), 2, "another output's stays");
            let output = run(tamis(args).current_dir(&dir), b"{}\n");
            assert_eq!(code(&output), 0, "{}", stderr(&output));
            let mut wanted = others.map(str::to_owned).to_vec();
            wanted.extend(["another".into(), "out".into(), "sub/".into()]);
            wanted.sort();
            let mut there = listing(dir.path());
            there.sort();
            assert_eq!(there, wanted, "{signal:?} {args:?}");
        }
    }
}

#[test]
fn what_a_living_run_is_writing_stays() {
    let dir = folder(&[]);
    let mut first = tamis(&["-o", "out"]).current_dir(&dir).spawn().unwrap();
    first.stdin.as_mut().unwrap().write_all(b"{\"n\":1}\n").unwrap();
    let begun = Instant::now();
    while unfinished(&dir).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(5));
    }
    let output = run(tamis(&["-o", "out"]).current_dir(&dir), b"{\"n\":2}\n");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(unfinished(&dir).len(), 1);
    drop(first.stdin.take());
    let output = first.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "the other was first");
    assert_eq!(listing(dir.path()), ["out"]);
}

#[test]
fn a_killed_run_with_a_file_for_each_input_leaves_nothing_for_ever() {
    let dir = folder(&[("logs/a.log", "{\"n\":1}\n"), ("logs/deep/b.log", "{\"n\":2}\n")]);
    let made = Command::new("mkfifo").arg(dir.path().join("logs/deep/c.log")).status().unwrap();
    assert!(made.success());
    // The second input never ends.
    let args = ["logs/deep/b.log", "logs/deep/c.log", "logs/a.log", "--out-dir", "out"];
    let fifo = dir.path().join("logs/deep/c.log");
    let mut child = tamis(&args).current_dir(&dir).stdin(Stdio::null()).spawn().unwrap();
    let mut writer = fs::OpenOptions::new().write(true).open(fifo).unwrap();
    writer.write_all(b"{\"n\":3}\n").unwrap();
    let begun = Instant::now();
    while unfinished(&dir).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(writer);
    fs::remove_file(dir.path().join("logs/deep/c.log")).unwrap();
    fs::write(dir.path().join("logs/deep/c.log"), "{\"n\":3}\n").unwrap();
    let output = run(tamis(&args).arg("--force").current_dir(&dir), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(unfinished(&dir), Vec::<String>::new());
}
