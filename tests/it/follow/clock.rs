//! Following by a clock that jumps, or stands still.

use std::{fs, thread::sleep, time::Duration};

use tamis::{
    pipeline::{Growing as _, Reached, Turn},
    shutdown::Shutdown,
};

use super::desk::{Clock, Desk, LINE_AGE, append, follow};
use crate::stand_ins::Seen;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn half_a_line_waits_for_its_end_by_the_clock() {
    let mut desk = Desk::new();
    desk.append("a.log", "one\nhalf");
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("one"));
    desk.advance(LINE_AGE - 2 * SECOND);
    assert_eq!(desk.clean(), "one\n");
    desk.advance(3 * SECOND);
    desk.until(|clean| clean.contains("half\n"));
    desk.append("a.log", " of it\ntwo\n");
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("two\n"));
    assert_eq!(desk.clean(), "one\nhalf\ntwo\n");
    desk.end();
}

#[test]
fn a_jump_of_an_hour_tears_no_line_that_grows() {
    let mut desk = Desk::new();
    desk.append("a.log", "one\nto be");
    desk.advance(SECOND);
    for more in [" con", "tin", "ued"] {
        desk.append("a.log", more);
        desk.advance(HOUR);
        assert_eq!(desk.clean(), "one\n");
    }
    desk.append("a.log", "\n");
    desk.until(|clean| clean.contains("to be continued\n"));
    desk.end();
}

#[test]
fn a_jump_of_an_hour_lets_no_file_go_that_was_renamed_just_now() {
    let mut desk = Desk::new();
    desk.append("a.log", "one\n");
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("one"));
    fs::rename(desk.path("a.log"), desk.path("a.old")).unwrap();
    // It has been quiet for long, and was renamed a moment ago.
    desk.advance(HOUR);
    desk.append("a.old", "two\n");
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("two"));
    // Nobody writes to it for as long as it lingers.
    desk.advance(11 * SECOND);
    desk.append("a.old", "three\n");
    desk.advance(2 * SECOND);
    assert_eq!(desk.clean(), "one\ntwo\n");
    desk.end();
}

#[test]
fn the_last_line_of_a_file_that_is_gone_is_judged_without_its_end() {
    let mut desk = Desk::new();
    desk.append("a.log", "one\nhalf");
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("one"));
    fs::remove_file(desk.path("a.log")).unwrap();
    for _ in 0..3 {
        desk.advance(LINE_AGE / 4);
    }
    assert_eq!(desk.clean(), "one\n");
    desk.advance(LINE_AGE);
    desk.until(|clean| clean.contains("half\n"));
    desk.end();
}

#[test]
fn a_clock_that_stands_still_or_jumps_makes_nothing_spin() {
    let mut desk = Desk::new();
    desk.append("a.log", "one\nhalf");
    desk.advance(SECOND);
    desk.until(|clean| clean.contains("one"));
    // What inotify hears of needs no clock.
    desk.append("a.log", " two\n");
    desk.until(|clean| clean.contains("half two"));
    for jump in [Duration::ZERO, HOUR, 1000 * HOUR] {
        desk.advance(jump);
        let asked = desk.clock.asked();
        sleep(Duration::from_millis(300));
        let asked = desk.clock.asked() - asked;
        assert!(asked < 150, "asked {asked} times in 0.3 s after a jump of {jump:?}");
    }
    desk.end();
}

/// An end that comes while the half before it, which has waited long enough, is read.
#[test]
fn what_is_added_while_an_aged_line_is_read_is_none_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, seen) = (Clock::new(), Seen::default());
    let path = folder.path().join("a.log");
    fs::write(&path, "half").unwrap();
    let shutdown = Shutdown::new(SECOND).unwrap();
    let (mut follow, _) = follow(folder.path().to_path_buf(), &clock, &seen, &shutdown);
    let mut buf = [0; 64];
    let Turn::Ready(ready) = follow.turn(Duration::ZERO) else { panic!("nothing to read") };
    assert!(!ready.take_partial);
    assert_eq!((follow.read(&mut buf).unwrap(), follow.read(&mut buf).unwrap()), (4, 0));
    follow.end_turn(Reached { offset: 0, inside_line: false, frame: 0, waits: false });
    clock.advance(LINE_AGE);
    let Turn::Ready(ready) = follow.turn(Duration::ZERO) else { panic!("it has not aged") };
    assert!(ready.take_partial);
    append(&path, " of a line\nand half of the next");
    assert_eq!((follow.read(&mut buf).unwrap(), follow.read(&mut buf).unwrap()), (4, 0));
    follow.end_turn(Reached { offset: 4, inside_line: true, frame: 0, waits: false });
    clock.advance(SECOND);
    let Turn::Ready(ready) = follow.turn(Duration::ZERO) else { panic!("it has grown") };
    assert!(!ready.take_partial && ready.position.inside_line);
    assert_eq!(follow.read(&mut buf).unwrap(), 31);
}
