//! A file that is followed turn by turn, and changes in the middle of one.

use std::{fs, time::Duration};

use tamis::{
    pipeline::{Growing as _, Position, Reached, Ready, Turn},
    shutdown::Shutdown,
    sources::Follow,
};
use tempfile::TempDir;

use super::desk::{Clock, append, follow};
use crate::stand_ins::Seen;

/// A file that is followed turn by turn.
pub(crate) struct Turns {
    folder: TempDir,
    pub(crate) clock: Clock,
    pub(crate) follow: Follow,
}

impl Turns {
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.log"), text).unwrap();
        let (clock, seen) = (Clock::new(), Seen::default());
        let shutdown = Shutdown::new(Duration::from_secs(1)).unwrap();
        let (follow, _) = follow(folder.path().to_path_buf(), &clock, &seen, &shutdown);
        Self { folder, clock, follow }
    }

    /// As `> a.log` does, and who writes on at once.
    pub(crate) fn rewrite(&self, text: &str) {
        fs::write(self.folder.path().join("a.log"), text).unwrap();
    }

    pub(crate) fn until_truncated(&mut self) {
        match self.follow.turn(Duration::ZERO) {
            Turn::Ended { truncated: true, .. } => {}
            other => panic!("not seen to be truncated: {other:?}"),
        }
        assert_eq!(self.ready().position, Position::default());
    }

    pub(crate) fn append(&self, text: &str) {
        append(&self.folder.path().join("a.log"), text);
    }

    pub(crate) fn ready(&mut self) -> Ready {
        match self.follow.turn(Duration::ZERO) {
            Turn::Ready(ready) => ready,
            other => panic!("nothing to read: {other:?}"),
        }
    }

    /// How much this turn reads before there is no more.
    pub(crate) fn read(&mut self) -> usize {
        let (mut all, mut buf) = (0, [0; 64]);
        loop {
            match self.follow.read(&mut buf).unwrap() {
                0 => return all,
                n => all += n,
            }
        }
    }

    pub(crate) fn end(&mut self, offset: u64, inside_line: bool) {
        self.follow.end_turn(Reached {
            offset,
            inside_line,
            frame: 0,
            waits: false,
            settles: u64::MAX,
        });
    }
}

#[test]
fn what_is_rewritten_between_the_look_and_the_read_is_another_file() {
    let mut turns = Turns::new("one\n");
    turns.ready();
    assert_eq!(turns.read(), 4);
    turns.end(4, false);
    turns.append("two\n");
    turns.clock.advance(Duration::from_secs(1));
    assert_eq!(turns.ready().position.offset, 4);
    turns.rewrite("three\nfour\n");
    assert_eq!(turns.read(), 0, "read on in the middle of another file");
    turns.end(4, false);
    turns.until_truncated();
    assert_eq!(turns.read(), 11);
}

#[test]
fn what_is_rewritten_before_the_first_read_is_another_file() {
    let mut turns = Turns::new("one\n");
    turns.ready();
    turns.rewrite("two\nthree\n");
    assert_eq!(turns.read(), 0);
    turns.end(0, false);
    turns.until_truncated();
    assert_eq!(turns.read(), 10);
}

#[test]
fn what_is_rewritten_behind_the_read_is_another_file() {
    for first in ["one\n", &"a longer one\n".repeat(200)] {
        let mut turns = Turns::new(first);
        turns.ready();
        assert_eq!(turns.read(), first.len());
        turns.rewrite(&"two\n".repeat(1000));
        turns.end(first.len() as u64, false);
        turns.until_truncated();
        assert_eq!(turns.read(), 4000);
    }
}
