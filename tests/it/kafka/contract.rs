//! The contract: whatever becomes of the process or the broker, no record is lost, no canary leaks.

use std::{collections::BTreeSet, thread::sleep, time::Duration};

use super::{
    broker::{Broker, Written, broker, own_broker, runs, unique},
    member::Desk,
    names, topics,
};

pub(super) const PARTITIONS: i32 = 4;
/// In every record, somewhere.
const CANARY: &str = "canary.bird@example.com";

/// Records with an id each: clean ones, redacted ones, malformed ones, keys and headers with canaries.
pub(super) fn records(ids: std::ops::Range<u64>) -> Vec<Written> {
    ids.map(|id| {
        let mut record = Written::value(format!("{{\"id\":{id},\"mail\":\"{CANARY}\"}}"));
        record.partition = (id % PARTITIONS as u64) as i32;
        record.key = Some(format!("key-{id}").into_bytes());
        record.headers = vec![("id".into(), Some(id.to_string().into_bytes()))];
        match id % 10 {
            0 => record.value = Some(format!("{{\"id\":{id},\"mail\":\"{CANARY}\"").into_bytes()),
            1 => record.key = Some(CANARY.into()),
            2 => record.headers.push(("from".into(), Some(CANARY.into()))),
            3 => record.value = None,
            4 => record.value = Some(format!("text {id} {CANARY}").into_bytes()),
            5..=7 => record.value = Some(format!("{{\n\t\"id\": {id}\n}}").into_bytes()),
            _ => {}
        }
        record
    })
    .collect()
}

/// Of each partition, the offsets that arrived anywhere: of what is forwarded, by the id in its
/// header; of dead letters, by where they say that they came from.
pub(super) fn check(broker: &Broker, topics: &[String; 3], count: u64, said: &str) -> u64 {
    let (clean, dead) = (broker.read(&topics[1]), broker.read(&topics[2]));
    let mut came: BTreeSet<u64> = BTreeSet::new();
    for record in &clean {
        came.insert(record.header("id").unwrap().parse().unwrap());
    }
    for letter in &dead {
        let number = |name: &str| -> u64 {
            letter.header(&format!("__tamis.errors.{name}")).unwrap().parse().unwrap()
        };
        came.insert(number("offset") * PARTITIONS as u64 + number("partition"));
    }
    let lost: Vec<_> = (0..count).filter(|id| !came.contains(id)).collect();
    assert!(lost.is_empty(), "{} lost: {:?}…", lost.len(), &lost[..lost.len().min(10)]);
    for record in clean.iter().chain(&dead) {
        assert!(!record.everything().contains("canary"), "{record:?}");
    }
    assert!(!said.contains("canary"), "{said}");
    clean.len() as u64 + dead.len() as u64
}

/// How many processes are killed: ten, or `TAMIS_KILLS` in the long run.
pub(super) fn kills() -> u64 {
    std::env::var("TAMIS_KILLS").map_or(10, |kills| kills.parse().unwrap())
}

/// From a seed: so long lives each process, from its first record on.
pub(super) fn lifetimes() -> impl FnMut() -> Duration {
    let mut seed: u64 =
        std::env::var("TAMIS_SEED").map_or(20_261_128, |seed| seed.parse().unwrap());
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(seed >> 54)
    }
}

/// Whether a group has committed everything.
pub(super) fn done(broker: &Broker, group: &str, topics: &[String; 3], count: u64) -> bool {
    broker.committed(group, &topics[0], PARTITIONS) as u64 == count
}

/// Processes are killed at moments from a seed, and the last one comes to the end: how many records
/// there were, how many came, and what was said.
pub(super) fn killed(broker: &Broker, more: &str) -> (u64, u64, String) {
    const ROUND: u64 = 20_000;
    let count = kills() * ROUND;
    let topics = topics(broker, PARTITIONS);
    let group = unique("group");
    let desk = Desk::new(broker, names(&topics), &group, more);
    let mut lives = lifetimes();
    for round in 0..kills() {
        broker.write(&topics[0], &records(round * ROUND..(round + 1) * ROUND));
        let before = broker.count(&topics[1]);
        let mut member = desk.start("err");
        member.until("a record", || broker.count(&topics[1]) > before);
        sleep(lives());
        member.kill();
    }
    let mut member = desk.start("err");
    member.until("the end", || done(broker, &group, &topics, count));
    assert_eq!(member.stop().0, 0, "{}", desk.said("err"));
    let said = desk.said("err");
    (count, check(broker, &topics, count, &said), said)
}

/// Processes are ended in the middle: all that each read is delivered and committed, and nothing
/// comes twice.
pub(super) fn ended(broker: &Broker, more: &str) {
    const COUNT: u64 = 100_000;
    let topics = topics(broker, PARTITIONS);
    let group = unique("group");
    broker.write(&topics[0], &records(0..COUNT));
    let desk = Desk::new(broker, names(&topics), &group, more);
    let mut read = 0;
    for wait in [0, 20, 60] {
        let before = broker.count(&topics[1]);
        let mut member = desk.start("err");
        member.until("a record", || broker.count(&topics[1]) > before || read == COUNT);
        sleep(Duration::from_millis(wait));
        let (code, account) = member.stop();
        assert_eq!((code, &account["unwritten"]), (0, &0.into()), "{}", desk.said("err"));
        crate::cli::adds_up(&account);
        read += account["read"].as_u64().unwrap();
        assert_eq!(broker.committed(&group, &topics[0], PARTITIONS) as u64, read);
    }
    let mut member = desk.start("err");
    member.until("the end", || done(broker, &group, &topics, COUNT));
    assert_eq!(member.stop().0, 0);
    assert_eq!(check(broker, &topics, COUNT, &desk.said("err")), COUNT);
}

/// The only broker is killed in the middle, and is back after so long: how many records there were, and
/// how many came.
pub(super) fn without_a_broker_for(away: Duration, more: &str) -> Option<(u64, u64)> {
    const COUNT: u64 = 60_000;
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = own_broker(folder.path())?;
    let topics = topics(&broker, PARTITIONS);
    let group = unique("group");
    let desk = Desk::new(&broker, names(&topics), &group, more);
    broker.write(&topics[0], &records(0..COUNT / 2));
    let mut member = desk.start("err");
    member.until("a record", || broker.count(&topics[1]) > 0);
    let dir = folder.path().join("broker");
    let dir = dir.to_str().unwrap();
    assert!(runs(&["kill", dir]));
    sleep(away);
    assert!(runs(&["up", dir, &port.to_string()]));
    broker.write(&topics[0], &records(COUNT / 2..COUNT));
    member.until("the end", || done(&broker, &group, &topics, COUNT));
    assert_eq!(member.stop().0, 0, "{}", desk.said("err"));
    Some((COUNT, check(&broker, &topics, COUNT, &desk.said("err"))))
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_leaks() {
    let Some(broker) = broker() else { return };
    let (count, came, _) = killed(&broker, "#secret");
    println!("{count} records, {} of them twice after {} kills", came - count, kills());
}

#[test]
fn ended_in_the_middle_nothing_is_lost_and_nothing_comes_twice() {
    let Some(broker) = broker() else { return };
    ended(&broker, "#secret");
}

/// One of two stops, a third comes, and the second is killed.
fn members_come_and_go(broker: &Broker, more: &str) {
    const COUNT: u64 = 150_000;
    let topics = topics(broker, PARTITIONS);
    let group = unique("group");
    broker.write(&topics[0], &records(0..COUNT / 3));
    let desk = Desk::new(broker, names(&topics), &group, more);
    let mut first = desk.start("first");
    first.until("a record", || broker.count(&topics[1]) > 0);
    let second = desk.start("second");
    broker.write(&topics[0], &records(COUNT / 3..2 * COUNT / 3));
    sleep(Duration::from_secs(4));
    assert_eq!(first.stop().0, 0, "{}", desk.said("first"));
    let third = desk.start("third");
    broker.write(&topics[0], &records(2 * COUNT / 3..COUNT));
    sleep(Duration::from_millis(300));
    second.kill();
    let mut third = third;
    third.until("the end", || done(broker, &group, &topics, COUNT));
    assert_eq!(third.stop().0, 0, "{}", desk.said("third"));
    let said = ["first", "second", "third"].map(|name| desk.said(name)).concat();
    let came = check(broker, &topics, COUNT, &said);
    println!("{COUNT} records, {} of them twice", came - COUNT);
}

#[test]
fn members_come_and_go_and_nothing_is_lost() {
    let Some(broker) = broker() else { return };
    members_come_and_go(&broker, "#secret");
}

const EAGER: &str = "#secret #eager";

#[test]
fn killed_where_all_partitions_are_shared_out_anew_nothing_is_lost() {
    let Some(broker) = broker() else { return };
    killed(&broker, EAGER);
}

#[test]
fn ended_where_all_partitions_are_shared_out_anew_nothing_comes_twice() {
    let Some(broker) = broker() else { return };
    ended(&broker, EAGER);
}

#[test]
fn members_come_and_go_where_all_partitions_are_shared_out_anew() {
    let Some(broker) = broker() else { return };
    members_come_and_go(&broker, EAGER);
}

#[test]
fn a_broker_that_is_killed_is_waited_for() {
    without_a_broker_for(Duration::from_secs(3), "#secret");
}
