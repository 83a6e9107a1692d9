//! What an operator tells a run.

use std::{thread::sleep, time::Duration};

use super::{
    broker::{Written, broker, unique},
    member::Desk,
    names, topics,
    watched::{ADMIN, numbered, port},
};
use crate::{
    admin::{get, measures},
    cli::{adds_up, code, stderr, tamis},
};

/// The exit code, and what was said.
fn order(verb: &str, target: &str, at: &str) -> (i32, String) {
    let output = tamis(&["kafka", verb, target, "--admin", at]).output().unwrap();
    (code(&output), String::from_utf8(output.stdout.clone()).unwrap() + &stderr(&output))
}

#[test]
fn a_topic_is_paused_a_record_skipped_and_the_topic_read_again() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    broker.write(&topics[0], &numbered("in", 0..5));
    let desk = Desk::new(&broker, names(&topics), &group, ADMIN);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    let at = port.to_string();
    member.until("the first", || broker.committed(&group, &topics[0], 1) == 5);
    let (code, said) = order("pause", &topics[0], &at);
    assert!(code == 0 && said.contains("is paused (1 partitions"), "{code} {said}");
    member.until("the pause", || desk.said("err").contains("is paused by an operator"));
    broker.write(&topics[0], &numbered("in", 5..10));
    let all = || measures(&get(port, "/metrics", "").1);
    let lag = format!("tamis_kafka_lag_records{{topic=\"{}\",partition=\"0\"}}", topics[0]);
    member.until("lag", || all()[&lag] == 5.0);
    assert_eq!(broker.count(&topics[1]), 5);
    assert_eq!(
        all()[&format!("tamis_kafka_topic_paused{{topic=\"{}\",by=\"hand\"}}", topics[0])],
        1.0
    );
    assert_eq!(get(port, "/ready", "").0, 200, "it is what somebody wants");
    let spot = |offset| format!("{}:0@{offset}", topics[0]);
    assert_eq!(order("skip", &spot(7), &at).0, 0);
    for (verb, target, wanted, why) in [
        ("skip", spot(3), 1, "was already delivered"),
        ("pause", "nowhere".into(), 1, "is not assigned to this member"),
        ("resume", format!("{}:0", topics[0]), 1, "together with its topic"),
        ("pause", "a b".into(), 2, "expected TOPIC[:PARTITION]"),
        ("skip", topics[0].clone(), 2, "expected TOPIC:PARTITION@OFFSET"),
    ] {
        let (code, said) = order(verb, &target, &at);
        assert!(code == wanted && said.contains(why), "{verb} {target}: {code} {said}");
    }
    assert_eq!(order("resume", &topics[0], &at).0, 0);
    member.until("the rest", || broker.committed(&group, &topics[0], 1) == 10);
    member.until("the count", || all()["tamis_offsets_skipped_total{reason=\"by_hand\"}"] == 1.0);
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!((code, &account["clean"]), (0, &9.into()), "{said}");
    assert_eq!(account["dead_lettered"]["skipped"], 1, "{account}");
    adds_up(&account);
    let letters = broker.read(&topics[2]);
    assert_eq!((letters.len(), letters[0].text()), (1, String::new()));
    assert_eq!(letters[0].header("__tamis.errors.reason").as_deref(), Some("skipped"));
    assert_eq!(letters[0].header("__tamis.errors.offset").as_deref(), Some("7"));
    for wanted in ["[0]:7 is skipped by an operator", "` is resumed"] {
        assert!(said.contains(wanted), "{said}");
    }
}

/// What is paused stays so when the group shares its partitions out anew, and is read behind that.
fn paused_through_a_rebalance(more: &str) {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 2);
    let group = unique("group");
    let desk = Desk::new(&broker, names(&topics), &group, &format!("{ADMIN}\n{more}"));
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    let at = port.to_string();
    let assigned = |port| measures(&get(port, "/metrics", "").1)["tamis_kafka_assigned_partitions"];
    member.until("both", || get(port, "/ready", "").0 == 200 && assigned(port) == 2.0);
    assert_eq!(order("pause", &topics[0], &at).0, 0);
    member.until("the pause", || desk.said("err").contains("is paused by an operator"));
    let mut other = desk.start("other");
    member.until("one of two", || assigned(port) == 1.0);
    other.until("the other", || desk.admin("other").is_some_and(|port| assigned(port) == 1.0));
    let some = numbered("in", 0..20).into_iter().zip((0..2).cycle());
    let some: Vec<_> = some.map(|(one, partition)| Written { partition, ..one }).collect();
    broker.write(&topics[0], &some);
    // The other has its own, and nobody paused it there.
    other.until("its own", || broker.committed(&group, &topics[0], 2) == 10);
    assert_eq!(other.stop().0, 0);
    // All are the first one's again.
    member.until("both", || assigned(port) == 2.0);
    broker.write(&topics[0], &some);
    sleep(Duration::from_secs(1));
    assert_eq!(broker.count(&topics[1]), 10);
    assert_eq!(order("resume", &topics[0], &at).0, 0);
    member.until("the rest", || broker.committed(&group, &topics[0], 2) == 40);
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &30.into()), "{}", desk.said("err"));
}

#[test]
fn what_is_paused_stays_so_through_a_rebalance() {
    paused_through_a_rebalance("");
}

#[test]
fn so_it_does_where_all_partitions_are_shared_out_anew() {
    paused_through_a_rebalance("#eager");
}

#[test]
fn so_it_does_where_the_group_is_joined_anew() {
    // More than memory was shared out for at the start.
    const MANY: usize = 60;
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    let desk = Desk::new(&broker, names(&topics), &group, ADMIN);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    member.until("its start", || get(port, "/ready", "").0 == 200);
    assert_eq!(order("pause", &topics[0], &port.to_string()).0, 0);
    member.until("the pause", || desk.said("err").contains("is paused by an operator"));
    broker.grow(&topics[0], MANY);
    member.until("the others", || desk.said("err").contains("group_joined_anew"));
    let assigned = || measures(&get(port, "/metrics", "").1)["tamis_kafka_assigned_partitions"];
    member.until("all", || assigned() == MANY as f64);
    let some = numbered("in", 0..120).into_iter().zip((0..MANY as i32).cycle());
    let some: Vec<_> = some.map(|(one, partition)| Written { partition, ..one }).collect();
    broker.write(&topics[0], &some);
    sleep(Duration::from_secs(1));
    assert_eq!(broker.count(&topics[1]), 0);
    assert_eq!(order("resume", &topics[0], &port.to_string()).0, 0);
    member.until("the rest", || broker.committed(&group, &topics[0], MANY as i32) == 120);
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &120.into()), "{}", desk.said("err"));
}

#[test]
fn an_order_finds_no_run_or_one_without_topics() {
    // Nobody listens there.
    let (code, said) = order("pause", "t", "127.0.0.1:1");
    assert!(code == 3 && said.contains("--admin 127.0.0.1:1: "), "{code} {said}");
    let watched =
        crate::admin::Watched::start(&[("token", "secret\n")], &["--admin-token-file", "token"]);
    let at = watched.port.to_string();
    let (code, said) = order("pause", "t", &at);
    assert!(code == 2 && said.contains("this page requires a bearer token"), "{code} {said}");
    let token = watched.folder.path().join("token");
    let args =
        ["kafka", "pause", "t", "--admin", &at, "--admin-token-file", token.to_str().unwrap()];
    let output = tamis(&args).output().unwrap();
    let said = stderr(&output);
    assert!(crate::cli::code(&output) == 1 && said.contains("reads no topics"), "{said}");
}
