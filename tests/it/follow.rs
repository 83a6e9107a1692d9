//! Following files that grow, with real files and the real program.

pub(crate) mod agent;
mod chance;
mod clock;
mod consumer;
mod contract;
mod copytruncate;
mod desk;
mod dribble;
mod errors;
mod full;
mod listing;
mod poison;
mod promise;
mod replaced;
mod turns;
mod wrapped;

use std::fs;

use agent::{Yard, event, gzip};

const KEEP: &[&str] = &["--data-dir", "data"];

#[test]
fn what_is_added_arrives_and_new_files_are_found() {
    let yard = Yard::new();
    yard.events("a.log", 1..4);
    let agent = yard.start(KEEP);
    yard.until_ids(1..4);
    yard.events("a.log", 4..6);
    yard.until_ids(1..6);
    yard.events("b.log", 6..9);
    yard.until_ids(1..9);
    fs::create_dir(yard.log("deep")).unwrap();
    let summary = agent.stop();
    assert_eq!(summary["read"], 8);
    assert!(!yard.read("out").contains("canary"));
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let yard = Yard::new();
    yard.events("a.log", 1..4);
    let agent = yard.start(KEEP);
    yard.until_ids(1..4);
    agent.stop();
    yard.events("a.log", 4..7);
    yard.events("b.log", 7..9);
    let agent = yard.start(KEEP);
    yard.until_ids(1..9);
    let summary = agent.stop();
    assert_eq!(summary["read"], 5);
    yard.append("a.log", "{\"id\":\n");
    let agent = yard.start(KEEP);
    yard.until("a notice", || yard.read("err").contains("logs/a.log:7: "));
    agent.stop();
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_the_one_in_its_place_from_its_beginning() {
    for listed in [true, false] {
        let yard = Yard::new();
        yard.events("a.log", 1..4);
        let agent = yard.start_on(if listed { "logs/*" } else { "logs/a.log" }, KEEP);
        yard.until_ids(1..4);
        fs::rename(yard.log("a.log"), yard.log("a.log.1")).unwrap();
        yard.events("a.log.1", 4..6);
        yard.until_ids(1..6);
        yard.events("a.log", 6..8);
        yard.until_ids(1..8);
        yard.events("a.log.1", 8..9);
        yard.until_ids(1..9);
        agent.stop();
    }
}

#[test]
fn what_was_written_before_a_rename_while_nobody_looked_is_read() {
    let yard = Yard::new();
    yard.events("a.log", 1..4);
    let agent = yard.start_on("logs/a.log", KEEP);
    yard.until_ids(1..4);
    agent.stop();
    yard.events("a.log", 4..6);
    fs::rename(yard.log("a.log"), yard.log("a.log.1")).unwrap();
    yard.events("a.log", 6..8);
    let agent = yard.start_on("logs/a.log", KEEP);
    yard.until("all ids", || yard.ids().len() == 7);
    agent.stop();
    let mut ids = yard.ids();
    ids.sort_unstable();
    assert_eq!(ids, (1..8).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_truncated_in_place_is_read_from_its_beginning_and_that_is_said() {
    let yard = Yard::new();
    yard.events("a.log", 1..40);
    let agent = yard.start(KEEP);
    yard.until_ids(1..40);
    // As copytruncate does: the copy is no new file.
    fs::copy(yard.log("a.log"), yard.log("a.log.1")).unwrap();
    fs::write(yard.log("a.log"), "").unwrap();
    yard.events("a.log", 40..45);
    yard.until_ids(1..45);
    // Rewritten beyond where it was, before anybody looked.
    let more: String = (45..60).map(event).collect();
    fs::write(yard.log("a.log"), more).unwrap();
    yard.until_ids(1..60);
    let summary = agent.stop();
    assert_eq!(yard.read("err").matches("it was truncated").count(), 2);
    assert_eq!(summary["truncated_inputs"], 2);
}

#[test]
fn what_only_the_copy_has_is_read_from_the_copy() {
    let yard = Yard::new();
    yard.events("a.log", 1..40);
    let agent = yard.start(KEEP);
    yard.until_ids(1..40);
    agent.stop();
    yard.events("a.log", 40..50);
    fs::copy(yard.log("a.log"), yard.log("a.log.1")).unwrap();
    fs::write(yard.log("a.log"), "").unwrap();
    yard.events("a.log", 50..52);
    let agent = yard.start(KEEP);
    yard.until("all ids", || yard.ids().len() >= 51);
    agent.stop();
    let mut ids = yard.ids();
    ids.sort_unstable();
    assert_eq!(ids, (1..52).collect::<Vec<_>>());
}

#[test]
fn an_archive_is_read_once_and_not_if_it_was_read_before_it_was_one() {
    let yard = Yard::new();
    yard.events("old.log.7", 1..30);
    gzip(&yard.log("old.log.7"));
    yard.events("a.log", 30..60);
    let agent = yard.start(KEEP);
    yard.until("both", || yard.ids().len() == 59);
    fs::rename(yard.log("a.log"), yard.log("a.log.1")).unwrap();
    yard.events("a.log.1", 60..62);
    yard.until("the rest", || yard.ids().len() == 61);
    gzip(&yard.log("a.log.1"));
    yard.events("a.log", 62..64);
    yard.until("what is new", || yard.ids().len() == 63);
    // Long enough for the archive to be looked into.
    yard.until("the archive's end", || {
        yard.checkpoints().iter().filter(|kept| kept.path.ends_with(".gz")).count() == 2
    });
    agent.stop();
    let agent = yard.start(KEEP);
    yard.events("a.log", 64..65);
    yard.until("one more", || yard.ids().len() == 64);
    agent.stop();
    let mut ids = yard.ids();
    ids.sort_unstable();
    assert_eq!(ids, (1..65).collect::<Vec<_>>());
}

/// As rotation does: the oldest archive goes, and the new file may be given its inode.
#[test]
fn a_file_that_takes_an_archives_inode_is_read() {
    let yard = Yard::new();
    yard.events("a.log", 1..30);
    gzip(&yard.log("a.log"));
    let agent = yard.start(KEEP);
    yard.until_ids(1..30);
    for round in 0..20 {
        let gone = fs::read_dir(yard.path("logs")).unwrap().next().unwrap().unwrap().path();
        fs::remove_file(gone).unwrap();
        let name = format!("b.log.{round}");
        yard.events(&name, [100 + round]);
        yard.until("the new file", || yard.ids().contains(&(100 + round)));
    }
    agent.stop();
}

#[test]
fn an_archive_of_which_a_part_was_delivered_goes_on_there() {
    let yard = Yard::new();
    yard.events("a.log", 1..300);
    gzip(&yard.log("a.log"));
    let agent = yard.start(KEEP);
    yard.until_ids(1..300);
    agent.stop();
    // As a process leaves it that is killed in the middle.
    let path = yard.path("data/checkpoints.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let entry = kept["files"][0].as_object_mut().unwrap();
    assert_eq!(entry.remove("ended"), Some(true.into()));
    let part: String = (1..3).map(event).collect();
    entry["offset"] = part.len().into();
    entry["lines"] = 2.into();
    // Of the version that has no checksum.
    kept["version"] = 1.into();
    kept.as_object_mut().unwrap().remove("checksum");
    fs::write(&path, kept.to_string()).unwrap();
    let agent = yard.start(KEEP);
    yard.until_ids((1..300).chain(3..300));
    agent.stop();
}

#[test]
fn an_archive_that_was_met_while_it_was_empty_is_one() {
    let yard = Yard::new();
    yard.events("old.log", 1..30);
    gzip(&yard.log("old.log"));
    let packed = fs::read(yard.log("old.log.gz")).unwrap();
    fs::write(yard.log("old.log.gz"), "").unwrap();
    yard.events("a.log", 30..31);
    let agent = yard.start(KEEP);
    yard.until_ids([30]);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    fs::write(yard.log("old.log.gz"), packed).unwrap();
    yard.until("the archive", || yard.ids().len() == 30);
    let summary = agent.stop();
    assert_eq!(summary["read"], 30);
}

#[test]
fn a_damaged_archive_is_told_and_the_rest_goes_on() {
    let yard = Yard::new();
    yard.events("a.log", 1..300);
    gzip(&yard.log("a.log"));
    let whole = fs::read(yard.log("a.log.gz")).unwrap();
    fs::write(yard.log("a.log.gz"), &whole[..whole.len() / 2]).unwrap();
    yard.events("b.log", 300..302);
    let agent = yard.start(KEEP);
    yard.until("a word", || yard.read("err").contains("a.log.gz: the gzip data ends early"));
    yard.until("the other", || yard.ids().contains(&301));
    // The rest of it comes: a slow copy.
    fs::write(yard.log("a.log.gz"), &whole).unwrap();
    yard.until("the rest", || yard.ids().len() == 301);
    let summary = agent.stop_with(3);
    assert!(summary["failed_inputs"].as_u64() >= Some(1));
}

#[test]
fn half_a_line_waits_for_its_end_and_no_longer_than_it_may() {
    let yard = Yard::new();
    yard.append("a.log", "{\"id\":1}\n{\"id\":2,");
    let agent = yard.start(&["--data-dir", "data", "--line-timeout", "2"]);
    yard.until_ids([1]);
    yard.append("a.log", "\"x\":1}\n{\"id\":3,\"password\":");
    yard.until_ids([1, 2]);
    yard.until("its age", || yard.read("err").contains("logs/a.log:3: "));
    // What comes now is half of a line that was given up: a secret whose key nobody sees.
    yard.append("a.log", "\"canary of the second half\"}\n{\"id\":4}\n");
    yard.until_ids([1, 2, 4]);
    let summary = agent.stop();
    assert_eq!((summary["read"].as_u64(), summary["clean"].as_u64()), (Some(4), Some(3)));
    assert!(!yard.read("out").contains("canary"));
}

#[test]
fn a_line_over_the_limit_is_passed_over_across_a_restart() {
    let yard = Yard::new();
    let args = &["--data-dir", "data", "--max-event-bytes", "1000"];
    yard.append("a.log", &format!("{{\"id\":1}}\n{{\"id\":2,\"x\":\"{}", "x".repeat(5000)));
    let agent = yard.start(args);
    yard.until("a word", || yard.read("err").contains("oversize"));
    yard.until_kept("a.log");
    agent.stop();
    yard.append("a.log", "{\"id\":666}\"}\n{\"id\":3}\n");
    let agent = yard.start(args);
    yard.until_ids([1, 3]);
    agent.stop();
}

#[test]
fn two_processes_do_not_share_a_directory_and_a_newer_format_is_refused() {
    let yard = Yard::new();
    yard.events("a.log", 1..2);
    let agent = yard.start(KEEP);
    yard.until_ids([1]);
    assert_eq!(yard.start(KEEP).ends(), 2);
    assert!(
        yard.read("err")
            .contains("--data-dir data: another Tamis process is using it; give each its own")
    );
    agent.stop();
    let kept = fs::read_to_string(yard.path("data/checkpoints.json")).unwrap();
    let altered = kept.replacen("\"offset\":", "\"offset\":1", 1);
    fs::write(yard.path("data/checkpoints.json"), altered).unwrap();
    assert_eq!(yard.start(KEEP).ends(), 2);
    assert!(yard.read("err").contains("data/checkpoints.json: its checksum does not match"));
    fs::write(yard.path("data/checkpoints.json"), r#"{"version":9,"files":"?"}"#).unwrap();
    assert_eq!(yard.start(KEEP).ends(), 2);
    assert!(yard.read("err").contains("version 9 was written by a newer Tamis"));
    assert_eq!(yard.ids(), [1]);
}

#[test]
fn without_inotify_it_looks_often() {
    let yard = Yard::new();
    let agent = yard.start(&["--poll"]);
    yard.events("a.log", 1..3);
    yard.until_ids(1..3);
    yard.events("a.log", 3..5);
    yard.until_ids(1..5);
    agent.stop();
}

#[test]
fn files_named_like_nothing_that_is_there_are_waited_for() {
    let yard = Yard::new();
    let agent = yard.start_on("logs/to-come.log", KEEP);
    yard.events("to-come.log", 1..3);
    yard.until_ids(1..3);
    agent.stop();
    assert_eq!(yard.start_on("-", &[]).ends(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_files_stay_within_the_memory_formula() {
    let yard = Yard::new();
    for file in 0..1000 {
        yard.events(&format!("{file}.log"), file * 20..(file + 1) * 20);
    }
    let agent = yard.start(KEEP);
    yard.until("all of them", || yard.ids().len() == 20_000);
    for file in 0..1000 {
        yard.events(&format!("{file}.log"), [20_000 + file]);
    }
    yard.until("what was added", || yard.ids().len() == 21_000);
    let peak = agent.peak();
    let summary = agent.stop();
    let ceiling = summary["memory_ceiling_bytes"].as_u64().unwrap();
    assert!(peak < ceiling, "{peak} of {ceiling}");
    assert_eq!(summary["read"], 21_000);
}

#[test]
fn checkpoints_are_no_input() {
    let yard = Yard::new();
    yard.events("a.log", 1..3);
    for there in [false, true] {
        let agent = yard.start_on("-r", &["logs", "--data-dir", "logs/data"]);
        assert_eq!(agent.ends(), 2);
        let wanted = "--data-dir logs/data would be an input (logs): choose another directory";
        assert!(yard.read("err").contains(wanted), "{}", yard.read("err"));
        if !there {
            fs::create_dir(yard.log("data")).unwrap();
        }
    }
}

#[test]
fn small_files_that_say_the_same_are_not_taken_for_copies() {
    let yard = Yard::new();
    yard.append("a.log", "{\"id\":1}\n");
    yard.append("a.log.1", "{\"id\":1}\n");
    let agent = yard.start(KEEP);
    yard.until_ids([1, 1]);
    agent.stop();
}

#[test]
fn what_is_not_there_yet_is_waited_for_and_told_once() {
    let yard = Yard::new();
    let agent = yard.start_on("logs/none.log", &["later/*.log", "logs", KEEP[0], KEEP[1]]);
    yard.until("a word", || yard.read("err").contains("logs: it is a directory"));
    yard.events("none.log", 1..3);
    yard.until_ids(1..3);
    assert_eq!(agent.stop_with(3)["failed_inputs"], 1);
    let said = yard.read("err");
    let said: Vec<_> = said.lines().filter(|line| !line.starts_with('{')).collect();
    let wanted = [
        "tamis: waiting for logs/none.log: the file does not exist yet",
        "tamis: waiting for later/*.log: no file matches yet",
        "tamis: logs: it is a directory: use -r to read the files in it",
    ];
    assert_eq!(said, wanted);

    let yard = Yard::new();
    let agent = yard.start_on("logs/none.log", &["--quiet", "--stats", "stats"]);
    yard.events("none.log", 1..3);
    yard.until_ids(1..3);
    drop(agent);
    assert_eq!(yard.read("err"), "");
}
