//! Outputs that somebody moves or removes while they are written to.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::{agent::Yard, promise::nothing_leaked};

const AGAIN: &str = "it was moved or removed; it is recreated";

/// Clean events, and lines for the dead letter, of which each has the number of an event.
fn write(yard: &Yard, ids: std::ops::Range<u64>) {
    yard.events("a.log", ids.clone());
    for id in ids {
        yard.append("a.log", &format!("letter {id} of ada@example.com\n"));
    }
}

/// The numbers in what a dead letter has.
fn letters(yard: &Yard, file: &str) -> BTreeSet<u64> {
    let text = yard.read(file);
    let numbers =
        text.split("letter ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse().ok());
    numbers.collect()
}

fn until_both(yard: &Yard, clean: &str, dead: &str, ids: std::ops::Range<u64>) {
    let wanted: BTreeSet<_> = ids.collect();
    yard.until("the clean events", || {
        wanted.is_subset(&yard.file_ids(clean).into_iter().collect())
    });
    yard.until("the dead letters", || wanted.is_subset(&letters(yard, dead)));
}

type Take = fn(&Path, &Path);

/// What becomes of a file, and of the folder that it is in.
const TAKEN: &[(&str, Take)] = &[
    ("removed", |file, _| fs::remove_file(file).unwrap()),
    ("renamed", |file, _| fs::rename(file, file.with_extension("1")).unwrap()),
    ("renamed, and another made", |file, _| {
        fs::rename(file, file.with_extension("1")).unwrap();
        File::create(file).unwrap();
    }),
    ("replaced by one with half a line", |file, _| {
        fs::write(file.with_extension("new"), "not ours").unwrap();
        fs::rename(file.with_extension("new"), file).unwrap();
    }),
    ("its folder removed", |_, folder| drop(fs::remove_dir_all(folder))),
    ("its folder renamed", |_, folder| drop(fs::rename(folder, folder.with_extension("old")))),
    ("its folder renamed, and another made", |_, folder| {
        if fs::rename(folder, folder.with_extension("old")).is_ok() {
            fs::create_dir(folder).unwrap();
        }
    }),
];

#[test]
fn whatever_becomes_of_an_output_what_comes_then_is_in_one_of_its_name() {
    let fsync = ["acknowledged", "never", "always"].iter().cycle();
    for output in ["made/clean", "made/{level}/clean.ndjson"] {
        for ((what, take), fsync) in TAKEN.iter().zip(fsync.clone()) {
            let yard = Yard::new();
            fs::create_dir(yard.path("made")).unwrap();
            fs::create_dir(yard.path("letters")).unwrap();
            let clean = output.replace("{level}", "_");
            let args = ["-o", output, "--dead-letter", "letters/dead", "--text", "dead-letter"];
            let agent =
                yard.start(&[&["--data-dir", "data", "--fsync", fsync], &args[..]].concat());
            write(&yard, 1..20);
            until_both(&yard, &clean, "letters/dead", 1..20);
            yard.until_kept("a.log");
            take(&yard.path(&clean), &yard.path("made"));
            take(&yard.path("letters/dead"), &yard.path("letters"));
            write(&yard, 20..40);
            until_both(&yard, &clean, "letters/dead", 20..40);
            yard.until_kept("a.log");
            agent.stop();
            let said = yard.read("err");
            assert_eq!(said.matches(AGAIN).count(), 2, "{output}, {what}: {said}");
            if what.contains("half a line") {
                assert!(yard.read(&clean).starts_with("not ours\n"), "{what}");
            }
            nothing_leaked(&yard);
        }
    }
}

#[test]
fn a_file_is_made_again_though_no_line_comes() {
    let yard = Yard::new();
    let agent = yard.start(&["--data-dir", "data", "-o", "clean"]);
    yard.events("a.log", 1..20);
    yard.until_file_ids("clean", 1..20);
    yard.until_kept("a.log");
    fs::remove_file(yard.path("clean")).unwrap();
    yard.until("another", || yard.path("clean").exists());
    agent.stop();
}

#[test]
fn renamed_under_load_again_and_again_nothing_is_lost() {
    let yard = Yard::new();
    let agent = yard.start(&["--data-dir", "data", "-o", "clean", "--rotate-size", "100kB"]);
    let mut next = 1;
    for round in 0..8 {
        for _ in 0..20 {
            yard.events("a.log", next..next + 100);
            next += 100;
        }
        let to = yard.path(&format!("clean.{round}"));
        yard.until("some", || fs::metadata(yard.path("clean")).is_ok_and(|file| file.len() > 0));
        // It may have been rotated just now.
        let _ = fs::rename(yard.path("clean"), to);
    }
    yard.until("the end", || yard.file_ids("clean").last() == Some(&(next - 1)));
    yard.until_kept("a.log");
    agent.stop();
    let files: Vec<PathBuf> =
        fs::read_dir(yard.path("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut all = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let name = file.file_name().unwrap().to_str().unwrap();
        if name.starts_with("clean") {
            all.extend(yard.file_ids(name));
        }
    }
    assert!(all.into_iter().eq(1..next));
}

#[test]
fn what_cannot_be_made_again_holds_the_files_back() {
    for held in ["clean", "dead"] {
        let yard = Yard::new();
        fs::create_dir(yard.path("made")).unwrap();
        let (clean, dead) = (format!("made/{held}"), "dead-letter");
        let args = match held {
            "clean" => ["-o", &clean, "--dead-letter", "other", "--text", dead],
            _ => ["-o", "other", "--dead-letter", &clean, "--text", dead],
        };
        let agent = yard.start(&[&["--data-dir", "data"], &args[..]].concat());
        let (clean, dead) =
            if held == "clean" { ("made/clean", "other") } else { ("other", "made/dead") };
        write(&yard, 1..20);
        until_both(&yard, clean, dead, 1..20);
        yard.until_kept("a.log");
        let kept = yard.kept("a.log").unwrap().offset;
        fs::rename(yard.path("made"), yard.path("made.old")).unwrap();
        fs::write(yard.path("made"), "a file where a folder was").unwrap();
        write(&yard, 20..40);
        yard.until("a word", || yard.read("err").contains("it cannot be recreated"));
        assert_eq!(yard.kept("a.log").unwrap().offset, kept, "{held}");
        fs::remove_file(yard.path("made")).unwrap();
        until_both(&yard, clean, dead, 20..40);
        yard.until_kept("a.log");
        agent.stop();
    }
}

#[test]
fn a_link_that_leads_elsewhere_is_followed() {
    let yard = Yard::new();
    let point = |to: &str| {
        let _ = fs::remove_file(yard.path("new"));
        std::os::unix::fs::symlink(to, yard.path("new")).unwrap();
        fs::rename(yard.path("new"), yard.path("clean")).unwrap();
    };
    fs::write(yard.path("monday"), "").unwrap();
    point("monday");
    let agent = yard.start(&["--data-dir", "data", "-o", "clean"]);
    yard.events("a.log", 1..20);
    yard.until_file_ids("monday", 1..20);
    yard.until_kept("a.log");
    point("tuesday");
    yard.events("a.log", 20..40);
    yard.until_file_ids("tuesday", 20..40);
    yard.until_kept("a.log");
    agent.stop();
}
