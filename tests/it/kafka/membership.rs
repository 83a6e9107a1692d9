//! Members with a name: who comes back, who goes for good, and what is said of both.

use std::process::{Command, Output};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    broker::{Broker, Written, broker, unique},
    contract::{PARTITIONS, check, done, records},
    exactly_once::EXACTLY_ONCE,
    member::{Desk, Member, Session},
    names, topics,
    watched::{ADMIN, numbered, port},
};
use crate::{admin::get, cli::adds_up};

const NAMED: &str = "instance = \"${INSTANCE}\"\n#secret";

/// All lines that a process logged of this event.
fn told(desk: &Desk, name: &str, event: &str) -> Vec<Value> {
    let said = desk.said(name);
    crate::journal::as_shown(&said);
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == event).collect()
}

/// The partitions that a line names, with their offsets.
fn partitions(line: &Value) -> Vec<(i64, Option<i64>)> {
    let all = line["partitions"].as_array().unwrap().iter();
    let mut all: Vec<_> =
        all.map(|one| (one["partition"].as_i64().unwrap(), one["offset"].as_i64())).collect();
    all.sort_unstable();
    all
}

/// The digest of what `tamis config show` prints.
fn shown(desk: &Desk) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tamis"));
    command.args(["config", "show", "--config", "tamis.toml"]);
    let output = command.current_dir(desk.path("")).env("INSTANCE", "a").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Sha256::digest(&output.stdout).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn until_all(member: &mut Member<'_>, broker: &Broker, group: &str, topics: &[String; 3], n: u64) {
    member.until("all", || done(broker, group, topics, n));
}

#[test]
fn one_that_was_killed_is_back_under_its_name_at_once() {
    let Some(broker) = broker() else { return };
    for delivery in [NAMED, EXACTLY_ONCE] {
        let (topics, group) = (topics(&broker, PARTITIONS), unique("group"));
        let desk = Desk::new(&broker, names(&topics), &group, delivery);
        // Nobody waits for the end of that.
        desk.session(Session::Long);
        broker.write(&topics[0], &records(0..500));
        let mut member = desk.start_as("first", "a");
        until_all(&mut member, &broker, &group, &topics, 500);
        member.kill();
        broker.write(&topics[0], &records(500..1000));
        let mut member = desk.start_as("second", "a");
        until_all(&mut member, &broker, &group, &topics, 1000);
        let (code, account) = member.stop();
        assert_eq!(code, 0, "{}", desk.said("second"));
        adds_up(&account);
        let joined = &told(&desk, "second", "group_joined")[0];
        let whose = (&joined["group"], &joined["instance"]);
        assert_eq!(whose, (&group.as_str().into(), &"a".into()));
        assert!(joined["duration_ms"].is_u64(), "{joined}");
        let assigned = partitions(&told(&desk, "second", "partitions_assigned")[0]);
        assert_eq!(assigned.len(), PARTITIONS as usize);
        // It goes on where the one before was.
        assert_eq!(assigned.iter().filter_map(|(_, offset)| *offset).sum::<i64>(), 500);
        let revoked = &told(&desk, "second", "partitions_revoked")[0];
        assert_eq!(revoked["reason"], "ended");
        let ends = partitions(revoked);
        assert_eq!(ends.iter().filter_map(|(_, offset)| *offset).sum::<i64>(), 1000);
        let started = told(&desk, "second", "run_started");
        assert_eq!(started.len(), 1);
        assert_eq!(started[0]["version"], env!("CARGO_PKG_VERSION"));
        let digest = started[0]["config_digest"].as_str().unwrap();
        assert_eq!(digest, shown(&desk));
        let before = &told(&desk, "first", "run_started")[0];
        assert_eq!(before["config_digest"], digest);
        let said = ["first", "second"].map(|name| desk.said(name)).concat();
        let came = check(&broker, &topics, 1000, &said);
        assert!(came == 1000 || delivery == NAMED, "{came}");
    }
}

#[test]
fn one_that_was_killed_without_a_name_is_waited_for_and_that_is_said() {
    let Some(broker) = broker() else { return };
    let (topics, group) = (topics(&broker, 1), unique("group"));
    let desk = Desk::new(&broker, names(&topics), &group, ADMIN);
    // As it is where nothing is said of it.
    desk.session(Session::Default);
    broker.write(&topics[0], &numbered("in", 0..10));
    let mut member = desk.start("first");
    member.until("the first", || broker.committed(&group, &topics[0], 1) == 10);
    member.kill();
    broker.write(&topics[0], &numbered("in", 10..20));
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    let waits = format!("not joined yet: waiting for group `{group}` to assign partitions");
    member.until("the probe", || {
        let (status, why) = get(port, "/ready", "");
        status == 503 && why.starts_with(&waits) && why.contains("(session.timeout.ms, 10 s)")
    });
    member.until("the word", || !told(&desk, "err", "group_awaited").is_empty());
    let awaited = &told(&desk, "err", "group_awaited")[0];
    assert_eq!(awaited["group"], group.as_str());
    assert!(awaited["duration_ms"].as_u64().unwrap() >= 1000, "{awaited}");
    member.until("the rest", || broker.committed(&group, &topics[0], 1) == 20);
    member.until("readiness", || get(port, "/ready", "").0 == 200);
    assert_eq!(member.stop().0, 0);
}

#[test]
fn of_two_with_one_name_the_older_is_fenced() {
    let Some(broker) = broker() else { return };
    let (topics, group) = (topics(&broker, PARTITIONS), unique("group"));
    let desk = Desk::new(&broker, names(&topics), &group, NAMED);
    desk.session(Session::Long);
    broker.write(&topics[0], &records(0..100));
    let mut first = desk.start_as("first", "same");
    until_all(&mut first, &broker, &group, &topics, 100);
    let mut second = desk.start_as("second", "same");
    second.until("the fence", || desk.said("first").contains("run_ended"));
    let (code, account) = first.end();
    let said = desk.said("first");
    assert_eq!((code, &account["level"]), (3, &"fatal".into()), "{said}");
    let why = account["error"].as_str().unwrap();
    assert!(why.contains("fenced: another process runs as `same`"), "{said}");
    let hopeful = |line: &str| line.contains("enced") && line.contains("retrying");
    assert!(!said.lines().any(hopeful), "{said}");
    broker.write(&topics[0], &records(100..200));
    until_all(&mut second, &broker, &group, &topics, 200);
    assert_eq!(second.stop().0, 0, "{}", desk.said("second"));
}

/// Takes a member out of its group.
fn leave(desk: &Desk, instance: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tamis"));
    command.args(["kafka", "leave", "--config", "tamis.toml"]).args(more);
    command.current_dir(desk.path("")).env("INSTANCE", instance).output().unwrap()
}

#[test]
fn one_that_goes_for_good_leaves_its_partitions_to_others_at_once() {
    let Some(broker) = broker() else { return };
    for (delivery, flag) in [(NAMED, true), (EXACTLY_ONCE, true), (NAMED, false)] {
        let (topics, group) = (topics(&broker, PARTITIONS), unique("group"));
        let desk = Desk::new(&broker, names(&topics), &group, delivery);
        desk.session(Session::Long);
        broker.write(&topics[0], &records(0..500));
        let more: &[&str] = if flag { &["--leave"] } else { &[] };
        let args = [&["--config", "tamis.toml"], more].concat();
        let mut first = desk.spawn(&args, "first", "a");
        until_all(&mut first, &broker, &group, &topics, 500);
        let mut second = desk.start_as("second", "b");
        second.until("its share", || !told(&desk, "second", "partitions_assigned").is_empty());
        let (code, account) = first.stop();
        let said = desk.said("first");
        assert_eq!((code, &account["unwritten"]), (0, &0.into()), "{said}");
        assert_eq!(told(&desk, "first", "group_left").len(), usize::from(flag), "{said}");
        if !flag {
            let output = leave(&desk, "a", &[]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            assert!(text.contains(&format!("`a` left group `{group}`")), "{text}");
        }
        broker.write(&topics[0], &records(500..1000));
        until_all(&mut second, &broker, &group, &topics, 1000);
        let output = leave(&desk, "b", &["--instance", "a"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("has no static member `a`"), "{text}");
        assert_eq!(second.stop().0, 0, "{}", desk.said("second"));
        // What was handed over was committed.
        let said = ["first", "second"].map(|name| desk.said(name)).concat();
        assert_eq!(check(&broker, &topics, 1000, &said), 1000, "{delivery} {flag}");
    }
}

#[test]
fn one_that_is_said_to_be_gone_and_still_runs_is_fenced() {
    let Some(broker) = broker() else { return };
    for delivery in [NAMED, EXACTLY_ONCE] {
        let (topics, group) = (topics(&broker, PARTITIONS), unique("group"));
        let desk = Desk::new(&broker, names(&topics), &group, delivery);
        broker.write(&topics[0], &records(0..100));
        let mut member = desk.start_as("member", "a");
        until_all(&mut member, &broker, &group, &topics, 100);
        let output = leave(&desk, "a", &[]);
        let (code, account) = member.end();
        let said = desk.said("member");
        assert_eq!((code, &account["level"]), (3, &"fatal".into()), "{delivery}: {said}");
        assert!(account["error"].as_str().unwrap().contains("fenced"), "{delivery}: {said}");
        assert_eq!(output.status.code(), Some(0), "{delivery}: {output:?}");
    }
}

#[test]
fn what_comes_while_a_member_is_away_is_read_when_it_is_back() {
    let Some(broker) = broker() else { return };
    let (topics, group) = (topics(&broker, 1), unique("group"));
    let other = broker.topic("other", 1, &[]);
    let desk = Desk::new(&broker, names(&topics), &group, NAMED);
    desk.session(Session::Long);
    broker.write(&topics[0], &numbered("in", 0..10));
    let mut member = desk.start_as("first", "a");
    member.until("the first", || broker.committed(&group, &topics[0], 1) == 10);
    member.kill();
    // The group hears of neither: whoever would tell it is away, and is known again when it is back.
    broker.grow(&topics[0], 2);
    let more = numbered("in", 10..20).into_iter().map(|record| Written { partition: 1, ..record });
    broker.write(&topics[0], &more.collect::<Vec<_>>());
    broker.write(&other, &numbered("other", 0..10));
    desk.change("tamis.toml", |text| {
        text.replace(
            &format!("topics = [\"{}\"]", topics[0]),
            &format!("topics = [\"{}\", \"{other}\"]", topics[0]),
        )
    });
    let mut member = desk.start_as("second", "a");
    member.until("the new partition", || broker.committed(&group, &topics[0], 2) == 20);
    member.until("the new topic", || broker.committed(&group, &other, 1) == 10);
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &20.into()), "{}", desk.said("second"));
}

#[test]
fn a_topic_that_was_just_made_is_waited_for() {
    let Some(broker) = broker() else { return };
    for late in 0..3 {
        let topics = ["in", "clean", "dead"].map(unique);
        for topic in topics.iter().enumerate().filter(|(at, _)| *at != late).map(|(_, t)| t) {
            broker.make(topic, 1, &[]);
        }
        let desk = Desk::new(&broker, names(&topics), &unique("group"), ADMIN);
        let mut member = desk.start("err");
        let port = port(&desk, &mut member);
        member.until("the word", || !told(&desk, "err", "topic_awaited").is_empty());
        let line = &told(&desk, "err", "topic_awaited")[0];
        assert_eq!(line["topic"], topics[late].as_str(), "{line}");
        member.until("the probe", || {
            let (status, why) = get(port, "/ready", "");
            status == 503 && why.contains(&topics[late])
        });
        broker.make(&topics[late], 1, &[]);
        broker.write(&topics[0], &numbered("in", 0..10));
        member.until("all", || broker.count(&topics[1]) == 10);
        assert_eq!(member.stop().0, 0, "{}", desk.said("err"));
    }
}
