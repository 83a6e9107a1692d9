//! What an operator sees: probes and measures.

use super::{
    broker::{Broker, broker, unique},
    member::{Desk, Member},
    names, record, topics,
};
use crate::admin::{get, measures};

const ADMIN: &str = "admin = \"127.0.0.1:0\"";

fn port(desk: &Desk, member: &mut Member<'_>) -> u16 {
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
