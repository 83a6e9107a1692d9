//! What cannot be read, or not any more: the rest goes on, and nothing before it is lost.

use std::{
    fs,
    io::{self, Error},
    mem::take,
    os::unix::fs::symlink,
    sync::{Arc, Mutex},
    thread::sleep,
    time::Duration,
};

use tamis::{
    engine::Reason,
    pipeline::{Checkpoint, Delivered, Growing, Position, Reached, Ready, Sizes, Turn},
    shutdown::Shutdown,
};

use super::{
    agent::{Yard, gzip},
    desk::run,
    promise::nothing_leaked,
};
use crate::stand_ins::Seen;

const KEEP: &[&str] = &["--data-dir", "data", "-o", "clean"];

/// A file on a disk of which one place cannot be read for a while.
struct File {
    data: Vec<u8>,
    position: Position,
    cursor: usize,
    /// No byte from here on can be read, for so many attempts.
    bad: usize,
    failures: u64,
    step: usize,
}

impl File {
    fn new(data: &[u8], bad: usize, failures: u64, step: usize) -> Self {
        let position = Position::default();
        Self { data: data.to_vec(), position, cursor: 0, bad, failures, step }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let end = if self.failures > 0 { self.bad } else { self.data.len() };
        let n = self.step.min(buf.len()).min(end.saturating_sub(self.cursor));
        if n == 0 && self.failures > 0 {
            self.failures -= 1;
            return Err(Error::from_raw_os_error(5));
        }
        buf[..n].copy_from_slice(&self.data[self.cursor..self.cursor + n]);
        self.cursor += n;
        Ok(n)
    }
}

/// Such files in turn, each until it is read to its end.
struct Disk {
    files: Vec<File>,
    current: usize,
}

impl Growing for Disk {
    fn turn(&mut self, _: Duration) -> Turn {
        let left = |file: &File| (file.position.offset as usize) < file.data.len();
        let count = self.files.len();
        let next = (1..=count).map(|n| (self.current + n) % count).find(|&n| left(&self.files[n]));
        let Some(input) = next else { return Turn::End };
        self.current = input;
        let file = &mut self.files[input];
        file.cursor = file.position.offset as usize;
        let name = input.to_string().into();
        Turn::Ready(Ready {
            input,
            name,
            position: file.position,
            take_partial: false,
            take_waiting: false,
            caution: Default::default(),
        })
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.files[self.current].read(buf)
    }

    fn end_turn(&mut self, Reached { offset, inside_line, frame, .. }: Reached) {
        let file = &mut self.files[self.current];
        file.position = Position { offset, inside_line, frame, ..file.position };
    }
}

/// The positions that it was told last.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Delivered>>>);

impl Checkpoint for Told {
    fn acknowledge(&mut self, delivered: &[Delivered]) -> io::Result<()> {
        let mut told = self.0.lock().unwrap();
        told.retain(|old| delivered.iter().all(|new| new.input != old.input));
        told.extend_from_slice(delivered);
        Ok(())
    }
}

#[test]
fn wherever_a_read_fails_every_line_comes_once() {
    const MOST: usize = 40;
    let long = "much longer than any line may be, ".repeat(8);
    let data = format!("one\ntwo\n{long}\nthree\n\nfour and more\n{long}\nfive\n");
    let beside = "beside\n".repeat(20);
    for bad in 0..data.len() {
        let (step, failures) = ([1, 7, 1000][bad % 3], 1 + bad as u64 % 2);
        let (seen, told) = (Seen::default(), Told::default());
        let shutdown = Shutdown::new(Duration::from_secs(60)).unwrap();
        let files = vec![
            File::new(data.as_bytes(), bad, failures, step),
            File::new(beside.as_bytes(), 0, 0, step),
        ];
        let sizes = Sizes { chunk_bytes: 16, ..Sizes::new(MOST) };
        let disk = Box::new(Disk { files, current: 1 });
        let running = run(disk, Box::new(told.clone()), sizes, &seen, &shutdown);
        let report = running.join().unwrap();
        let clean = String::from_utf8(seen.get().clean.clone()).unwrap();
        let (others, lines): (Vec<_>, Vec<_>) = clean.lines().partition(|line| *line == "beside");
        let wanted = ["one", "two", "three", "four and more", "five"];
        assert_eq!((lines, others.len()), (wanted.to_vec(), 20), "fails at {bad}");
        assert_eq!(report.tally.rejected[Reason::Oversize.index()], 2, "fails at {bad}");
        let letters: Vec<_> = seen.get().letters.iter().map(|(_, n, at, ..)| (*n, *at)).collect();
        let at = |n| data.match_indices(&long).nth(n).unwrap().0 as u64;
        assert_eq!(letters, [(3, at(0)), (7, at(1))], "fails at {bad}");
        assert_eq!(report.tally.unaccounted(), 0);
        assert_eq!(report.failed_inputs, failures, "fails at {bad}");
        assert!(seen.get().failed_inputs.iter().all(|failed| failed.starts_with("0: ")));
        let told = take(&mut *told.0.lock().unwrap());
        let told = told.iter().find(|delivered| delivered.input == 0).unwrap().position.unwrap();
        assert_eq!((told.offset, told.lines), (data.len() as u64, 8), "fails at {bad}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_once_and_read_when_it_can_be() {
    let yard = Yard::new();
    yard.events("a.log", 1..4);
    // Its first read fails with EIO.
    symlink("/proc/self/mem", yard.log("b.log")).unwrap();
    let agent = yard.start(KEEP);
    yard.until("a word", || yard.read("err").contains("b.log: "));
    // It is looked at again and again.
    sleep(Duration::from_millis(2500));
    yard.events("a.log", 4..7);
    yard.until_file_ids("clean", 1..7);
    let said = yard.read("err");
    assert_eq!(said.matches("b.log").count(), 1, "{said}");
    fs::remove_file(yard.log("b.log")).unwrap();
    yard.events("b.log", 7..9);
    yard.until_file_ids("clean", 1..9);
    let summary = agent.stop_with(3);
    assert_eq!((&summary["failed_inputs"], &summary["read"]), (&1.into(), &8.into()), "{summary}");
    nothing_leaked(&yard);
}

#[test]
fn a_file_that_becomes_a_folder_and_a_file_again_is_read() {
    let yard = Yard::new();
    yard.events("a.log", 1..4);
    let agent = yard.start(KEEP);
    yard.until_file_ids("clean", 1..4);
    // What was added just before is read: the file is open.
    yard.events("a.log", 4..6);
    fs::remove_file(yard.log("a.log")).unwrap();
    fs::create_dir(yard.log("a.log")).unwrap();
    yard.until_file_ids("clean", 1..6);
    yard.events("b.log", 6..7);
    yard.until_file_ids("clean", 1..7);
    fs::remove_dir(yard.log("a.log")).unwrap();
    yard.events("a.log", 7..9);
    yard.until_file_ids("clean", 1..9);
    agent.stop();
    nothing_leaked(&yard);
}

#[test]
fn killed_behind_a_failed_read_nothing_before_it_comes_twice() {
    let yard = Yard::new();
    yard.events("a.log", 1..3000);
    gzip(&yard.log("a.log"));
    let whole = fs::read(yard.log("a.log.gz")).unwrap();
    fs::write(yard.log("a.log.gz"), &whole[..whole.len() / 2]).unwrap();
    let agent = yard.start(KEEP);
    yard.until("a word", || yard.read("err").contains("a.log.gz: the gzip data ends early"));
    yard.until("the checkpoint", || yard.kept("a.log.gz").is_some_and(|kept| kept.offset > 0));
    agent.kill();
    let before = yard.file_ids("clean");
    assert!(before.len() > 10 && before.len() < 2999, "{}", before.len());
    fs::write(yard.log("a.log.gz"), &whole).unwrap();
    let agent = yard.start(KEEP);
    yard.until_file_ids("clean", 1..3000);
    agent.stop();
    nothing_leaked(&yard);
}
