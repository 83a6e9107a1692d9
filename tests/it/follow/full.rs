//! Full disks under the output, and under the checkpoints.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::symlink,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::{
    agent::{Yard, ids},
    chance::{Random, setting},
    promise::{Promise, nothing_leaked},
};
use crate::logs::skipped;

const WAITS: &str = "no space left on the device: waiting for space";

/// A file system in memory at a yard's `disk`, in a name space of its own, which somebody holds open.
struct Disk<'y> {
    yard: &'y Yard,
    holder: Child,
}

impl<'y> Disk<'y> {
    /// `None` where no file system can be had; that is said.
    fn mount(yard: &'y Yard, size: &str) -> Option<Self> {
        fs::create_dir(yard.path("mounted")).unwrap();
        let script = format!("mount -t tmpfs -o size={size} none mounted && echo ok && exec cat");
        let holder = Command::new("unshare")
            .args(["-rm", "bash", "-c", &script])
            .current_dir(yard.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(holder) = holder else {
            skipped("");
            return None;
        };
        let mut disk = Self { yard, holder };
        let mut said = String::new();
        let _ = BufReader::new(disk.holder.stdout.as_mut().unwrap()).read_line(&mut said);
        let root = format!("/proc/{}/root", disk.holder.id());
        let there = root + yard.path("mounted").to_str().unwrap();
        if said != "ok\n" || fs::write(format!("{there}/x"), "").is_err() {
            skipped(&said);
            return None;
        }
        symlink(there, yard.path("disk")).unwrap();
        Some(disk)
    }

    fn fill(&self) {
        let filler = self.yard.path("disk/filler");
        let mut filler = OpenOptions::new().append(true).create(true).open(filler).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.yard.path("disk/filler")).unwrap();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Whole lines only, none of which was promised and is not there.
fn is_behind_its_output(yard: &Yard, output: &str) {
    let text = yard.read(output);
    assert!(text.is_empty() || text.ends_with('\n'), "half a line: {:?}", text.lines().last());
    let there: HashSet<_> = ids(&text).into_iter().collect();
    let promise = Promise::of(yard, output);
    let ahead: Vec<_> = promise.ids.difference(&there).collect();
    assert!(ahead.is_empty(), "a checkpoint is ahead of what was written: {ahead:?}");
}

#[test]
fn a_full_output_holds_the_files_back_until_there_is_room() {
    let yard = Yard::new();
    let Some(disk) = Disk::mount(&yard, "2m") else { return };
    let agent = yard.start(&["--data-dir", "data", "-o", "disk/clean", "--dead-letter", "dead"]);
    yard.events("a.log", 1..100);
    yard.until_file_ids("disk/clean", 1..100);
    disk.fill();
    yard.events("a.log", 100..9000);
    yard.until("a word", || yard.read("err").contains(WAITS));
    let before = yard.read("disk/clean");
    // It is tried again and again, and files go on growing.
    yard.events("a.log", 9000..9100);
    sleep(Duration::from_millis(1500));
    is_behind_its_output(&yard, "disk/clean");
    assert_eq!(yard.read("disk/clean").len(), before.len());
    disk.make_room();
    yard.until_file_ids("disk/clean", 1..9100);
    yard.until_kept("a.log");
    let summary = agent.stop();
    let said = yard.read("err");
    assert_eq!(
        (said.matches(WAITS).count(), said.matches("the device has space again").count()),
        (1, 1)
    );
    assert_eq!(summary["read"], 9099);
    assert!(!yard.read("disk/clean").contains("canary"));
    nothing_leaked(&yard);
}

#[test]
fn dead_letters_that_have_no_room_hold_the_files_back_too() {
    let yard = Yard::new();
    let Some(disk) = Disk::mount(&yard, "1m") else { return };
    let agent = yard.start(&["--data-dir", "data", "-o", "clean", "--dead-letter", "disk/dead"]);
    yard.events("a.log", 1..10);
    yard.append("a.log", "{cut\n");
    yard.until_kept("a.log");
    disk.fill();
    let bad = |n: u64| format!("{{\"n\":{n},\n");
    yard.append("a.log", &(0..500).map(bad).collect::<String>());
    yard.until("a word", || yard.read("err").contains(WAITS));
    assert!(yard.read("err").contains("disk/dead: no space left"), "{}", yard.read("err"));
    let there = yard.read("disk/dead");
    assert!(there.ends_with("}\n"), "half a letter: {there:?}");
    yard.events("a.log", 10..20);
    disk.make_room();
    yard.until_file_ids("clean", 1..20);
    yard.until_kept("a.log");
    let summary = agent.stop();
    assert_eq!(yard.read("disk/dead").lines().count(), 501);
    assert_eq!((&summary["read"], &summary["unwritten"]), (&520.into(), &0.into()), "{summary}");
    let said = yard.read("err");
    assert_eq!(
        (said.matches(WAITS).count(), said.matches("the device has space again").count()),
        (1, 1)
    );
}

#[test]
fn killed_on_a_full_disk_nothing_is_lost() {
    let seed = setting("TAMIS_SEED", 1);
    let yard = Yard::new();
    let Some(disk) = Disk::mount(&yard, "3m") else { return };
    let args = &["--data-dir", "data", "-o", "disk/clean", "--dead-letter", "dead"];
    let (mut random, mut next) = (Random(seed), 1);
    for round in 0..4 {
        let agent = yard.start(args);
        yard.events("a.log", next..next + 100);
        yard.until("what has room", || yard.file_ids("disk/clean").contains(&(next + 99)));
        disk.fill();
        let waits = yard.read("err").matches(WAITS).count();
        yard.events("a.log", next + 100..next + 3000);
        next += 3000;
        yard.until("a word", || yard.read("err").matches(WAITS).count() > waits);
        sleep(Duration::from_millis(random.below(700)));
        agent.kill();
        is_behind_its_output(&yard, "disk/clean");
        if round % 2 == 0 {
            // At the start there is still no room.
            let agent = yard.start(args);
            sleep(Duration::from_millis(random.below(700)));
            agent.kill();
            is_behind_its_output(&yard, "disk/clean");
        }
        let promise = Promise::of(&yard, "disk/clean");
        disk.make_room();
        let agent = yard.start(args);
        yard.until("the rest", || yard.file_ids("disk/clean").last() == Some(&(next - 1)));
        promise.is_kept(&format!("round {round} of seed {seed}"));
        yard.until_kept("a.log");
        agent.stop();
    }
    let mut got = yard.file_ids("disk/clean");
    got.sort_unstable();
    got.dedup();
    assert!(got.into_iter().eq(1..next), "seed {seed}");
    assert!(!yard.read("disk/clean").contains("canary"));
    nothing_leaked(&yard);
}

#[test]
fn checkpoints_that_have_no_room_are_told_once_and_kept_later() {
    let yard = Yard::new();
    let Some(disk) = Disk::mount(&yard, "1m") else { return };
    fs::create_dir(yard.path("disk/data")).unwrap();
    symlink("disk/data", yard.path("data")).unwrap();
    let args = &["--data-dir", "data", "-o", "clean", "--dead-letter", "dead"];
    yard.events("a.log", 1..100);
    let agent = yard.start(args);
    yard.until_file_ids("clean", 1..100);
    yard.until_kept("a.log");
    let kept = yard.kept("a.log").unwrap().offset;
    disk.fill();
    for id in 100..110 {
        // Nothing waits for the checkpoint.
        yard.events("a.log", [id]);
        yard.until("what is new", || yard.file_ids("clean").contains(&id));
        sleep(Duration::from_millis(150));
    }
    let what = "--data-dir: no space left on the device; retrying, nothing is lost";
    yard.until("a word", || yard.read("err").contains(what));
    assert_eq!(yard.kept("a.log").unwrap().offset, kept);
    agent.kill();
    let agent = yard.start(args);
    yard.until_file_ids("clean", (1..110).chain(100..110));
    yard.until("a word", || yard.read("err").matches(what).count() == 2);
    disk.make_room();
    // Without another event.
    yard.until_kept("a.log");
    yard.until("a word", || yard.read("err").contains("--data-dir: checkpoints are written again"));
    agent.stop();
    let agent = yard.start(args);
    yard.events("a.log", [110]);
    yard.until_file_ids("clean", (1..110).chain(100..111));
    agent.stop();
    assert_eq!(yard.read("err").matches(what).count(), 2);
    let left = fs::read_dir(yard.path("data")).unwrap();
    assert_eq!(left.count(), 3, "what a killed process was writing is left");
    nothing_leaked(&yard);
}
