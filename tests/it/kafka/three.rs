//! Three brokers, of which one or two go.

use std::{collections::BTreeSet, thread::sleep, time::Duration};

use super::{
    broker::{Fate, Written, three, unique},
    contract::{PARTITIONS, check, done, records},
    exactly_once::EXACTLY_ONCE,
    member::Desk,
    names, record, topics,
};
use crate::cli::adds_up;

#[test]
fn records_pass_while_a_broker_is_killed_and_another_hangs() {
    let Some((cluster, _turn)) = three() else { return };
    let broker = &cluster.broker;
    let topics = topics(broker, 6);
    let group = unique("group");
    let some = |from: i32| -> Vec<_> {
        let one = |n: i32| record(&format!("k{n}"), &format!("{{\"n\":{n}}}"));
        (from..from + 500).map(one).collect()
    };
    let desk = Desk::new(broker, names(&topics), &group, "");
    // What a broker that hangs has not answered by then is asked of another.
    let soon = "\"socket.timeout.ms\" = \"3000\", \"session.timeout.ms\"";
    desk.change("tamis.toml", |text| text.replace("\"session.timeout.ms\"", soon));
    broker.write(&topics[0], &some(0));
    let mut member = desk.start("err");
    member.until("the first", || broker.count(&topics[1]) >= 500);
    cluster.befalls(1, Fate::Kill);
    broker.write(&topics[0], &some(500));
    member.until("the second", || broker.count(&topics[1]) >= 1000);
    cluster.befalls(1, Fate::Up);
    cluster.befalls(2, Fate::Stop);
    broker.write(&topics[0], &some(1000));
    member.until("the third", || broker.count(&topics[1]) >= 1500);
    cluster.befalls(2, Fate::Cont);
    let (code, account) = member.stop();
    // A member that is away from its coordinator for too long reads again what was not committed.
    let clean = account["clean"].as_i64().unwrap();
    assert!(code == 0 && clean >= 1500, "{}", desk.said("err"));
    adds_up(&account);
    assert_eq!(broker.committed(&group, &topics[0], 6), 1500);
    let mut keys: Vec<_> = broker.read(&topics[1]).into_iter().filter_map(|r| r.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!((keys.len(), broker.count(&topics[1])), (1500, clean));
}

#[test]
fn leaders_move_and_each_record_arrives_once() {
    const COUNT: u64 = 40_000;
    let Some((cluster, _turn)) = three() else { return };
    let broker = &cluster.broker;
    let topics = topics(broker, PARTITIONS);
    let group = unique("group");
    let desk = Desk::new(broker, names(&topics), &group, EXACTLY_ONCE);
    let part = |n: u64| records(n * COUNT / 4..(n + 1) * COUNT / 4);
    broker.write(&topics[0], &part(0));
    let mut member = desk.start("err");
    member.until("a record", || broker.count(&topics[1]) > 0);
    // One after the other, so that whoever coordinates is among them.
    for gone in 1..=3_u16 {
        cluster.befalls(gone, Fate::Kill);
        broker.write(&topics[0], &part(gone.into()));
        let so_far = (u64::from(gone) + 1) * COUNT / 4;
        member.until("more", || done(broker, &group, &topics, so_far));
        cluster.befalls(gone, Fate::Up);
    }
    let (code, account) = member.stop();
    assert_eq!((code, &account["unwritten"]), (0, &0.into()), "{}", desk.said("err"));
    adds_up(&account);
    assert_eq!(check(broker, &topics, COUNT, &desk.said("err")), COUNT);
}

/// The leader alone takes records, and dies before another has them: these are sent again.
fn what_the_leader_alone_had(more: &str) -> Option<(u64, u64)> {
    const COUNT: u64 = 60_000;
    let (cluster, _turn) = three()?;
    let broker = &cluster.broker;
    let topics = ["in", "clean", "dead"].map(|name| broker.led_by(name, &[1, 2, 3]));
    let group = unique("group");
    let desk = Desk::new(broker, names(&topics), &group, more);
    let all = records(0..COUNT).into_iter().map(|record| Written { partition: 0, ..record });
    broker.write(&topics[0], &all.collect::<Vec<_>>());
    let mut member = desk.start("err");
    member.until("a record", || broker.count(&topics[1]) > 0);
    for follower in [2, 3] {
        cluster.befalls(follower, Fate::Stop);
    }
    sleep(Duration::from_millis(1500));
    cluster.befalls(1, Fate::Kill);
    for follower in [2, 3] {
        cluster.befalls(follower, Fate::Cont);
    }
    member.until("the end", || broker.committed(&group, &topics[0], 1) as u64 == COUNT);
    cluster.befalls(1, Fate::Up);
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!((code, &account["unwritten"]), (0, &0.into()), "{said}");
    adds_up(&account);
    let (clean, dead) = (broker.read(&topics[1]), broker.read(&topics[2]));
    let ids = clean.iter().map(|record| record.header("id"));
    let offsets = dead.iter().map(|letter| letter.header("__tamis.errors.offset"));
    // Each was written in the order of its number.
    let came: BTreeSet<u64> =
        ids.chain(offsets).map(|number| number.unwrap().parse().unwrap()).collect();
    assert_eq!(came.len() as u64, COUNT, "{said}");
    Some((COUNT, (clean.len() + dead.len()) as u64))
}

#[test]
fn what_the_leader_alone_had_is_not_lost() {
    let Some((count, came)) = what_the_leader_alone_had("#secret") else { return };
    println!("{count} records, {} of them twice", came - count);
}

#[test]
fn what_the_leader_alone_had_arrives_once() {
    let Some((count, came)) = what_the_leader_alone_had(EXACTLY_ONCE) else { return };
    assert_eq!(came, count);
}
