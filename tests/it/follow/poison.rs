//! A line that ends every run which judges it.

use std::{collections::BTreeSet, fs, sync::Arc, time::Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tamis::{
    pipeline::{End, Failure, Report, Sizes},
    shutdown::Shutdown,
    sources::{
        Follow,
        follow::{Listing, Settings},
    },
};

use super::desk::run;
use crate::{
    cli::{adds_up, code, stderr, summary, tamis},
    endings::until,
    stand_ins::Seen,
};

/// A life, until it ends, or until `done`.
fn live(folder: &std::path::Path, seen: &Seen, done: impl Fn(&Seen) -> bool) -> Report {
    let shutdown = Shutdown::new(std::time::Duration::from_secs(60)).unwrap();
    let (file, listed) = (folder.join("app.log"), folder.to_path_buf());
    let list = move || Listing {
        files: vec![file.clone()],
        folders: vec![listed.clone()],
        ..Listing::default()
    };
    let settings = Settings {
        list: Box::new(list),
        data_dir: Some(folder.join("data")),
        line_age: std::time::Duration::from_secs(60),
        polling: false,
        most_open: usize::MAX,
        window: tamis::compression::Window::new(20),
        clock: Box::new(Instant::now),
        observer: Arc::new(seen.clone()),
        shutdown: shutdown.clone(),
    };
    let (growing, checkpoint) = Follow::open(settings).unwrap();
    let running = run(Box::new(growing), checkpoint, Sizes::new(1 << 20), seen, &shutdown);
    until("an end", || running.is_finished() || done(seen));
    shutdown.request();
    running.join().unwrap()
}

#[test]
fn it_is_quarantined_and_the_others_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let events = |range: std::ops::Range<u32>| -> String {
        range.map(|n| format!("{{\"n\":{n}}}\n")).collect()
    };
    let text = format!("{}{{\"panic\":1}}\n{}", events(0..50), events(50..5000));
    fs::write(folder.path().join("app.log"), &text).unwrap();
    let mut arrived = String::new();
    for _ in 0..3 {
        let seen = Seen::default();
        let report = live(folder.path(), &seen, |_| false);
        assert!(matches!(report.end, End::Failed(Failure::Worker)), "{:?}", report.end);
        arrived += std::str::from_utf8(&seen.get().clean).unwrap();
    }
    let seen = Seen::default();
    let report = live(folder.path(), &seen, |seen| seen.get().clean.ends_with(b"{\"n\":4999}\n"));
    assert!(matches!(report.end, End::Complete), "{:?}", report.end);
    arrived += std::str::from_utf8(&seen.get().clean).unwrap();
    // Those before it may come again, as after any death.
    let all: BTreeSet<&str> = arrived.lines().collect();
    assert_eq!(all, events(0..5000).lines().collect());
    let at = events(0..50).len() as u64;
    let letters = seen.get().letters.clone();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&*letters[0].0, letters[0].2, letters[0].4),
        (&*folder.path().join("app.log").display().to_string(), at, "poison")
    );
    // It is over with it.
    let seen = Seen::default();
    fs::write(folder.path().join("app.log"), text + "{\"n\":5000}\n").unwrap();
    live(folder.path(), &seen, |seen| !seen.get().clean.is_empty());
    assert_eq!(seen.get().clean, b"{\"n\":5000}\n");
}

/// What is full of findings and takes long to judge.
fn heavy() -> String {
    let mails: String = (0..500_000).map(|n| format!("roe{n}@mail.example.org ")).collect();
    format!("{{\"mails\":\"{mails}\"}}\n")
}

/// A process that is killed as soon as it judges what stands there, of which so many died: not a second
/// later.
fn killed(folder: &std::path::Path, culprit: u64, deaths: u64) {
    let args = ["--follow", "app.log", "--data-dir", "data", "-o", "out"];
    let more = ["--max-event-bytes", "16MiB", "--threads", "2"];
    let mut child = tamis(&[&args[..], &more].concat()).current_dir(folder).spawn().unwrap();
    let judging = folder.join("data/judging");
    let last = folder.join("out");
    until("the culprit", || {
        let notes = fs::read_to_string(&judging).unwrap_or_default();
        // Behind its digest.
        let note = |line: &str| serde_json::from_str::<Value>(line.split_once(' ')?.1).ok();
        let mut notes = notes.lines().filter_map(note);
        let at = |note: &Value, key: &str| note[key].as_u64().unwrap();
        let is_known = |note: &Value| at(note, "deaths") == deaths;
        notes.any(|n| is_known(&n) && at(&n, "from") <= culprit && culprit < at(&n, "to"))
            || fs::read_to_string(&last).unwrap_or_default().contains("{\"n\":79}")
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_line_at_which_the_process_dies_at_once_is_quarantined_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let events = |range: std::ops::Range<u32>| -> String {
        range.map(|n| format!("{{\"n\":{n}}}\n")).collect()
    };
    let (before, after) = (events(0..40), events(40..80));
    fs::write(folder.path().join("app.log"), format!("{before}{}{after}", heavy())).unwrap();
    // As the system does it when memory runs out.
    for deaths in 0..3 {
        killed(folder.path(), before.len() as u64, deaths);
    }
    let args = ["--follow", "app.log", "--data-dir", "data", "-o", "out"];
    let more = ["--max-event-bytes", "16MiB", "--dead-letter", "dead"];
    let child = tamis(&[&args[..], &more].concat()).current_dir(folder.path()).spawn().unwrap();
    let out = || fs::read_to_string(folder.path().join("out")).unwrap_or_default();
    until("the rest", || out().contains("{\"n\":79}"));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let summary = summary(&output);
    adds_up(&summary);
    assert_eq!(summary["dead_lettered"], serde_json::json!({"poison": 1}), "{summary}");
    assert_eq!(out().lines().collect::<BTreeSet<_>>(), {
        let all = before.lines().chain(after.lines());
        all.collect::<BTreeSet<_>>()
    });
}
