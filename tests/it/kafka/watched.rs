//! What an operator sees: probes and measures.

use super::{
    broker::{Broker, Written, broker, unique},
    member::{Desk, Member},
    names, record, topics,
};
use crate::admin::{get, measures};

pub(super) const ADMIN: &str = "admin = \"127.0.0.1:0\"";

pub(super) fn port(desk: &Desk, member: &mut Member<'_>) -> u16 {
    member.until("the address", || desk.admin("err").is_some());
    desk.admin("err").unwrap()
}

#[test]
fn lag_and_the_group_can_be_watched() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 2);
    let some: Vec<_> =
        (0..200).map(|n| record(&format!("k{n}"), &format!("{{\"n\":{n}}}"))).collect();
    broker.write(&topics[0], &some);
    let group = unique("group");
    let desk = Desk::new(&broker, names(&topics), &group, ADMIN);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    let all = || measures(&get(port, "/metrics", "").1);
    let at = |partition| format!("{{topic=\"{}\",partition=\"{partition}\"}}", topics[0]);
    let lag = |partition| all().get(&format!("tamis_kafka_lag_records{}", at(partition))).copied();
    member.until("no lag", || [0, 1].map(lag) == [Some(0.0); 2] && broker.count(&topics[1]) == 200);
    member.until("the commit", || all()["tamis_kafka_commit_seconds_count"] >= 1.0);
    let m = all();
    assert_eq!(get(port, "/ready", ""), (200, "ready\n".into()));
    assert_eq!(m["tamis_kafka_assigned_partitions"], 2.0);
    assert_eq!(m["tamis_kafka_rebalances_total{event=\"assigned\"}"], 1.0);
    assert_eq!(m["tamis_kafka_rebalances_total{event=\"lost\"}"], 0.0);
    assert_eq!(m[&format!("tamis_kafka_lag_seconds{}", at(0))], 0.0);
    // The records say that they are of 2023.
    assert!(m["tamis_kafka_event_age_seconds_sum"] > 86_400.0);
    assert_eq!(m["tamis_kafka_event_age_seconds_bucket{le=\"604800\"}"], 0.0);
    assert_eq!(m["tamis_kafka_errors_total{class=\"topic\"}"], 0.0);
    let (status, body) = get(port, "/ready/deps", "");
    let wanted = format!("kafka: ok\nsink {}: ok\ndead_letter {}: ok\n", topics[1], topics[2]);
    assert_eq!((status, body), (200, wanted));
    // Another member takes one of the two, and its labels go.
    let mut second = desk.start("second");
    member.until("one of two", || [lag(0), lag(1)].iter().flatten().count() == 1);
    assert_eq!(get(port, "/ready", "").0, 200);
    second.until("its join", || all()["tamis_kafka_assigned_partitions"] == 1.0);
    assert!(all()["tamis_kafka_rebalances_total{event=\"revoked\"}"] >= 1.0);
    assert_eq!(second.stop().0, 0);
    assert_eq!(member.stop().0, 0);
}

#[test]
fn who_has_not_joined_is_not_ready() {
    // Nobody listens there.
    let broker = Broker { address: "127.0.0.1:1".into() };
    let desk = Desk::new(&broker, ["in", "clean", "dead"], "g", ADMIN);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    let (status, why) = get(port, "/ready", "");
    assert!(status == 503 && why.starts_with("not joined yet"), "{status} {why}");
    let (status, why) = get(port, "/ready/deps", "");
    assert!(status == 503 && why.starts_with("kafka: "), "{status} {why}");
    assert_eq!(get(port, "/health", "").0, 200);
    assert_eq!(member.stop().0, 0);
}

pub(super) fn numbered(name: &str, range: std::ops::Range<u32>) -> Vec<Written> {
    range.map(|n| record("k", &format!("{{\"{name}\":{n}}}"))).collect()
}

#[test]
fn a_source_topic_that_is_deleted_pauses_alone_and_comes_back() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let other = broker.topic("other", 2, &[]);
    broker.write(&topics[0], &numbered("in", 0..10));
    broker.write(&other, &numbered("other", 0..10));
    let both = format!("{}\", \"{other}", topics[0]);
    let group = unique("group");
    let desk = Desk::new(&broker, [&both, &topics[1], &topics[2]], &group, ADMIN);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    member.until("both", || broker.count(&topics[1]) == 20);
    // A commit that is on its way while the broker deletes the topic may outlive it: what is made anew
    // begins there then, which ends the run.
    member.until("the commit", || broker.committed(&group, &other, 2) == 10);
    broker.delete(&other);
    member.until("the pause", || get(port, "/ready", "").0 == 503);
    let (_, why) = get(port, "/ready", "");
    assert!(why.starts_with(&format!("`{other}` is paused: ")), "{why}");
    let m = measures(&get(port, "/metrics", "").1);
    assert_eq!(m[&format!("tamis_kafka_topic_paused{{topic=\"{other}\",by=\"fault\"}}")], 1.0);
    broker.write(&topics[0], &numbered("in", 10..20));
    member.until("the one that is there", || broker.count(&topics[1]) == 30);
    // Once the group has noticed, what is made anew is a new topic.
    member.until("the rebalance", || {
        measures(&get(port, "/metrics", "").1)["tamis_kafka_assigned_partitions"] == 1.0
    });
    broker.make(&other, 2, &[]);
    broker.write(&other, &numbered("other", 10..15));
    member.until("the other", || broker.count(&topics[1]) == 35);
    member.until("readiness", || get(port, "/ready", "").0 == 200);
    let said = desk.said("err");
    assert!(said.contains(&format!("`{other}` is resumed")), "{said}");
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &35.into()), "{}", desk.said("err"));
}

#[test]
fn a_sink_that_is_deleted_is_waited_for_and_nothing_is_lost() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 2);
    let group = unique("group");
    broker.write(&topics[0], &numbered("in", 0..10));
    let desk = Desk::new(&broker, names(&topics), &group, ADMIN);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    member.until("the first", || broker.count(&topics[1]) == 10);
    broker.delete(&topics[1]);
    member.until("its end", || get(port, "/ready/deps", "").0 == 503);
    broker.write(&topics[0], &numbered("in", 10..300));
    member.until("the pause", || get(port, "/ready", "").1.contains(&topics[1]));
    broker.make(&topics[1], 2, &[]);
    member.until("the rest", || broker.committed(&group, &topics[0], 2) == 300);
    member.until("readiness", || get(port, "/ready", "").0 == 200);
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &300.into()), "{}", desk.said("err"));
    crate::cli::adds_up(&account);
    let came: std::collections::BTreeSet<_> =
        broker.read(&topics[1]).iter().map(Written::text).collect();
    assert_eq!(came.len(), 290);
}
