//! Three brokers, of which one or two go.

use super::{
    broker::{Fate, three, unique},
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
    let path = desk.path("tamis.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    // What a broker that hangs has not answered by then is asked of another.
    let soon = "\"socket.timeout.ms\" = \"3000\", \"session.timeout.ms\"";
    std::fs::write(&path, text.replace("\"session.timeout.ms\"", soon)).unwrap();
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
