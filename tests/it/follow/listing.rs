//! Listings that fail, files that go and come back, and more files than descriptors.

use std::{fs, time::Duration};

use super::{
    agent::{Yard, gzip},
    desk::Desk,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_file_that_comes_back_goes_on_where_it_was() {
    for name in ["a.log", "another.log"] {
        let mut desk = Desk::new();
        let text: String = (0..200).map(|n| format!("line {n}\n")).collect();
        desk.append("a.log", &text);
        desk.advance(SECOND);
        desk.until(|clean| clean.contains("line 199\n"));
        for round in 0..2 {
            let from = if round == 0 { "a.log" } else { name };
            fs::rename(desk.path(from), desk.path("away")).unwrap();
            desk.advance(SECOND);
            desk.append("away", &format!("while it was away {round}\n"));
            desk.advance(MINUTE);
            desk.advance(MINUTE);
            fs::rename(desk.path("away"), desk.path(name)).unwrap();
            desk.append(name, &format!("back {round}\n"));
            desk.advance(SECOND);
            desk.until(|clean| clean.contains(&format!("back {round}\n")));
        }
        let clean = desk.clean();
        assert_eq!(clean.matches("line 7\n").count(), 1, "{name}: read again");
        assert_eq!(clean.matches("while it was away").count(), 2);
        assert_eq!(clean.lines().count(), 204);
        desk.end();
    }
}

#[test]
fn a_file_that_comes_back_as_another_is_read_from_its_beginning() {
    let mut desk = Desk::new();
    desk.append("a.log", "one\ntwo\n");
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("two\n"));
    fs::rename(desk.path("a.log"), desk.path("away")).unwrap();
    desk.advance(SECOND);
    desk.advance(MINUTE);
    desk.advance(MINUTE);
    // The same inode.
    fs::write(desk.path("away"), "six\nten\nmore\n").unwrap();
    fs::rename(desk.path("away"), desk.path("a.log")).unwrap();
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("more\n"));
    assert_eq!(desk.clean(), "one\ntwo\nsix\nten\nmore\n");
    desk.end();
}

#[test]
fn what_cannot_be_listed_is_followed_on() {
    let mut desk = Desk::new();
    desk.append("a.log", "one\n");
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("one\n"));
    let held = desk.hide();
    // Longer than a file that is gone lingers.
    for _ in 0..3 {
        desk.clock.advance(MINUTE);
        desk.append("a.log", "more\n");
        let count = desk.clean().len();
        desk.until(|clean| clean.contains("more\n"));
        assert!(count <= desk.clean().len());
    }
    drop(held);
    desk.advance(SECOND);
    desk.append("a.log", "last\n");
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("last\n"));
    assert_eq!(desk.clean(), "one\nmore\nmore\nmore\nlast\n");
    desk.end();
}

#[test]
fn a_restart_knows_a_file_that_went_and_came_back() {
    let yard = Yard::new();
    let agent = yard.start(&["--data-dir", "data"]);
    yard.events("a.log", 1..40);
    yard.until_ids(1..40);
    yard.until_kept("a.log");
    fs::rename(yard.path("logs"), yard.path("away")).unwrap();
    agent.stop();
    // A run that does not see the file keeps what is known of it.
    let agent = yard.start(&["--data-dir", "data"]);
    fs::create_dir(yard.path("logs")).unwrap();
    yard.events("b.log", 40..50);
    yard.until_ids(1..50);
    agent.stop();
    fs::rename(yard.path("away/a.log"), yard.log("c.log")).unwrap();
    yard.events("c.log", 50..60);
    let agent = yard.start(&["--data-dir", "data"]);
    yard.until_ids(1..60);
    agent.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn with_fewer_descriptors_than_files_all_are_read_in_turn() {
    let yard = Yard::new();
    let mut next = 1;
    let mut add = |name: &str| {
        yard.events(name, next..next + 20);
        next += 20;
        next - 1
    };
    for file in 0..60 {
        add(&format!("{file}.log"));
    }
    add("packed.log");
    gzip(&yard.log("packed.log"));
    let args = &["--data-dir", "data", "-o", "clean"];
    let agent = yard.start_limited(40, args);
    yard.until("all of them", || yard.file_ids("clean").len() >= 61 * 20);
    let last = (0..60).map(|file| add(&format!("{file}.log"))).last().unwrap();
    yard.until("what was added", || yard.file_ids("clean").len() as u64 >= last);
    // Some are renamed, also to what no glob covers, and written to by their old names' holders.
    for file in 0..60 {
        let (from, to) = (format!("{file}.log"), format!("{file}.{}", ["old", "log.1"][file % 2]));
        fs::rename(yard.log(&from), yard.log(&to)).unwrap();
        add(&to);
        add(&from);
    }
    let last = add("last.log");
    yard.until("the rest", || yard.file_ids("clean").len() as u64 >= last);
    let said = yard.read("err");
    assert_eq!(said.matches("files can be open at a time (`ulimit -n`)").count(), 1, "{said}");
    let summary = agent.stop();
    assert_eq!(summary["failed_inputs"], 0, "{said}");
    let mut got = yard.file_ids("clean");
    got.sort_unstable();
    assert!(got.into_iter().eq(1..=last), "each once");
    // And a restart goes on in all of them.
    let agent = yard.start_limited(40, args);
    let last = add("last.log");
    yard.until("what is new", || yard.file_ids("clean").len() as u64 >= last);
    agent.stop();
    assert_eq!(yard.file_ids("clean").len() as u64, last);
}
