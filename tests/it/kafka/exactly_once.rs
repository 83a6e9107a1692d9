//! Exactly once: whatever becomes of processes and brokers, who reads what is committed has each
//! record once.

use std::{thread::sleep, time::Duration};

use rustix::process::Signal;

use super::{
    broker::{Written, broker, unique},
    contract::{PARTITIONS, check, done, ended, killed, records, without_a_broker_for},
    member::Desk,
    names, topics,
};
use crate::cli::adds_up;

pub(super) const EXACTLY_ONCE: &str =
    "delivery = \"exactly_once\"\ninstance = \"${INSTANCE}\"\n#secret";

#[test]
fn killed_at_any_moment_each_record_arrives_once() {
    let Some(broker) = broker() else { return };
    let (count, came, said) = killed(&broker, EXACTLY_ONCE);
    assert_eq!(came, count);
    assert!(said.contains("isolation.level=read_committed"));
}

#[test]
fn ended_in_the_middle_the_account_is_what_was_committed() {
    let Some(broker) = broker() else { return };
    ended(&broker, EXACTLY_ONCE);
}

/// One of two stops, one is killed, and a third comes.
fn members_come_and_go(more: &str) {
    const COUNT: u64 = 150_000;
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, PARTITIONS);
    let group = unique("group");
    broker.write(&topics[0], &records(0..COUNT / 3));
    let desk = Desk::new(&broker, names(&topics), &group, &format!("{EXACTLY_ONCE}{more}"));
    let mut first = desk.start("first");
    first.until("a record", || broker.count(&topics[1]) > 0);
    let second = desk.start("second");
    broker.write(&topics[0], &records(COUNT / 3..2 * COUNT / 3));
    sleep(Duration::from_secs(4));
    let (code, account) = first.stop();
    assert_eq!((code, &account["unwritten"]), (0, &0.into()), "{}", desk.said("first"));
    let mut third = desk.start("third");
    broker.write(&topics[0], &records(2 * COUNT / 3..COUNT));
    sleep(Duration::from_millis(300));
    second.kill();
    third.until("the end", || done(&broker, &group, &topics, COUNT));
    let (code, account) = third.stop();
    assert_eq!((code, &account["unwritten"]), (0, &0.into()), "{}", desk.said("third"));
    // What the killed one left open hides what comes behind it until its transaction is too old, or
    // it is there again.
    let mut second = desk.start("second");
    broker.write(&topics[0], &records(COUNT..COUNT + 40));
    second.until("the end", || done(&broker, &group, &topics, COUNT + 40));
    assert_eq!(second.stop().0, 0, "{}", desk.said("second"));
    let said = ["first", "second", "third"].map(|name| desk.said(name)).concat();
    assert_eq!(check(&broker, &topics, COUNT + 40, &said), COUNT + 40);
}

#[test]
fn members_come_and_go_and_each_record_arrives_once() {
    members_come_and_go("");
}

#[test]
fn so_it_is_where_all_partitions_are_shared_out_anew() {
    members_come_and_go("#eager");
}

#[test]
fn one_that_slept_past_its_session_does_nothing_twice() {
    const COUNT: u64 = 60_000;
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, PARTITIONS);
    let group = unique("group");
    broker.write(&topics[0], &records(0..COUNT / 2));
    let desk = Desk::new(&broker, names(&topics), &group, EXACTLY_ONCE);
    let mut sleeper = desk.start("sleeper");
    sleeper.until("a record", || broker.count(&topics[1]) > 0);
    sleeper.signal(Signal::STOP);
    let mut other = desk.start("other");
    broker.write(&topics[0], &records(COUNT / 2..COUNT));
    sleep(Duration::from_secs(9));
    sleeper.signal(Signal::CONT);
    other.until("the end", || done(&broker, &group, &topics, COUNT));
    assert_eq!(sleeper.stop().0, 0, "{}", desk.said("sleeper"));
    assert_eq!(other.stop().0, 0, "{}", desk.said("other"));
    let said = ["sleeper", "other"].map(|name| desk.said(name)).concat();
    assert_eq!(check(&broker, &topics, COUNT, &said), COUNT);
}

#[test]
fn of_two_with_one_name_the_first_ends() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, PARTITIONS);
    let group = unique("group");
    let desk = Desk::new(&broker, names(&topics), &group, EXACTLY_ONCE);
    broker.write(&topics[0], &records(0..1000));
    let mut first = desk.start_as("first", "same");
    first.until("all", || done(&broker, &group, &topics, 1000));
    let mut second = desk.start_as("second", "same");
    broker.write(&topics[0], &records(1000..2000));
    second.until("the rest", || {
        broker.write(&topics[0], &records(2000..2004));
        desk.said("first").contains("fenced")
    });
    let (code, _) = first.end();
    let said = desk.said("first");
    assert_eq!(code, 3, "{said}");
    // Nothing is tried again after that.
    let hopeful = |line: &str| line.contains("enced") && line.contains("retrying");
    assert!(!said.lines().any(hopeful), "{said}");
    let all = broker.count(&topics[0]) as u64;
    second.until("the end", || done(&broker, &group, &topics, all));
    assert_eq!(second.stop().0, 0, "{}", desk.said("second"));
}

#[test]
fn a_record_that_the_topic_refuses_goes_to_the_dead_letter_in_the_transaction() {
    let Some(broker) = broker() else { return };
    let fresh = broker.topic("fresh", 1, &[("message.timestamp.before.max.ms", "86400000")]);
    let topics = [broker.topic("in", 1, &[]), fresh, broker.topic("dead", 1, &[])];
    let value = |n: i32| Written { partition: -1, ..Written::value(format!("{{\"n\":{n}}}")) };
    let mut all: Vec<_> = (0..50).map(value).collect();
    for at in [17, 31] {
        all[at].timestamp = Some(1_700_000_000_000);
    }
    broker.write(&topics[0], &all);
    let group = unique("group");
    let desk = Desk::new(&broker, names(&topics), &group, EXACTLY_ONCE);
    let mut member = desk.start("err");
    member.until("the end", || broker.committed(&group, &topics[0], 1) == 50);
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("err"));
    adds_up(&account);
    assert_eq!((&account["clean"], &account["dead_lettered"]["refused"]), (&48.into(), &2.into()));
    let offsets: Vec<_> = broker
        .read(&topics[2])
        .iter()
        .map(|letter| letter.header("__tamis.errors.offset").unwrap())
        .collect();
    assert_eq!(offsets, ["17", "31"]);
    let came: Vec<_> = broker.read(&topics[1]).iter().map(Written::text).collect();
    let sent = all.iter().enumerate().filter(|(at, _)| ![17, 31].contains(at));
    let sent: Vec<_> = sent.map(|(_, record)| record.text()).collect();
    // In their order, too.
    assert_eq!(came, sent);
}

#[test]
fn a_broker_that_is_killed_is_waited_for_and_each_record_arrives_once() {
    let Some((count, came)) = without_a_broker_for(Duration::from_secs(1), EXACTLY_ONCE) else {
        return;
    };
    assert_eq!(came, count);
}

#[test]
fn brokers_that_are_away_for_longer_than_a_transaction_lives_are_waited_for() {
    let Some((count, came)) = without_a_broker_for(Duration::from_secs(20), EXACTLY_ONCE) else {
        return;
    };
    assert_eq!(came, count);
}
