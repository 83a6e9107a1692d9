//! Following by a clock that jumps, or stands still.

use std::{fs, thread::sleep, time::Duration};

use tamis::pipeline::{Growing as _, Turn};

use super::{
    desk::{Desk, LINE_AGE},
    turns::Turns,
};

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

#[test]
fn a_jump_of_an_hour_tears_no_line_that_grows() {
    let mut turns = Turns::new("to be");
    let mut len = 5;
    for more in [" con", "tin", "ued"] {
        assert!(!turns.ready().take_partial);
        assert_eq!(turns.read(), len);
        turns.end(0, false);
        turns.append(more);
        len += more.len();
        turns.clock.advance(HOUR);
    }
    assert!(!turns.ready().take_partial);
    assert_eq!(turns.read(), len);
    turns.end(0, false);
    // And one that does not grow is judged, once.
    turns.clock.advance(HOUR);
    assert!(turns.ready().take_partial);
    assert_eq!(turns.read(), len);
    turns.end(len as u64, true);
    turns.clock.advance(HOUR);
    assert!(matches!(turns.follow.turn(Duration::ZERO), Turn::Idle));
}

/// An end that comes while the half before it, which has waited long enough, is read.
#[test]
fn what_is_added_while_an_aged_line_is_read_is_none_of_it() {
    let mut turns = Turns::new("half");
    assert!(!turns.ready().take_partial);
    assert_eq!(turns.read(), 4);
    turns.end(0, false);
    turns.clock.advance(LINE_AGE);
    assert!(turns.ready().take_partial);
    turns.append(" of a line\nand half of the next");
    assert_eq!(turns.read(), 4);
    turns.end(4, true);
    turns.clock.advance(SECOND);
    let ready = turns.ready();
    assert!(!ready.take_partial && ready.position.inside_line);
    assert_eq!(turns.read(), 31);
}
