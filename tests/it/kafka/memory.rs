//! Memory with a cluster: within what the formula says, whatever comes.

use super::{
    broker::{Written, own_broker, unique},
    member::Desk,
    names, topics,
    watched::numbered,
};

const PARTITIONS: i32 = 50;

/// Two workers take long records in which every character is an escape, from many partitions, while a
/// second member joins and leaves.
#[test]
fn many_partitions_long_records_and_a_rebalance_stay_within_the_formula() {
    // So many partitions and so long records slow a broker down for every other test.
    let folder = tempfile::tempdir().unwrap();
    let Some((broker, _)) = own_broker(folder.path()) else { return };
    let topics = topics(&broker, PARTITIONS);
    let group = unique("group");
    let desk = Desk::new(&broker, names(&topics), &group, "threads = 2");
    let escaped = |n: i32| {
        let text = "\\u0041".repeat(158_000);
        let value = format!("{{\"n\":{n},\"m\":\"{text}\"}}");
        Written { partition: n % PARTITIONS, ..Written::value(value) }
    };
    let short = |range| -> Vec<_> {
        let of = |(one, partition)| Written { partition, ..one };
        numbered("in", range).into_iter().zip((0..PARTITIONS).cycle()).map(of).collect()
    };
    broker.write(&topics[0], &(0..60).map(escaped).collect::<Vec<_>>());
    broker.write(&topics[0], &short(0..5000));
    let mut member = desk.start("err");
    let committed = || broker.committed(&group, &topics[0], PARTITIONS);
    member.until("some", || committed() > 1000);
    let mut other = desk.start("other");
    broker.write(&topics[0], &(60..100).map(escaped).collect::<Vec<_>>());
    other.until("a share", || desk.said("other").contains("group_assigned") || committed() >= 5100);
    assert_eq!(other.stop().0, 0);
    broker.write(&topics[0], &short(5000..6000));
    member.until("all", || committed() == 6100);
    let peak = member.peak();
    let (code, account) = member.stop();
    assert_eq!((code, &account["unwritten"]), (0, &0.into()), "{}", desk.said("err"));
    assert_eq!(broker.count(&topics[1]), 6100);
    let ceiling = account["memory_ceiling_bytes"].as_u64().unwrap();
    println!("{} of {} MiB", peak >> 20, ceiling >> 20);
    assert!(ceiling <= 192 << 20, "{} MiB", ceiling >> 20);
    assert!(peak <= ceiling, "{} of {} MiB", peak >> 20, ceiling >> 20);
}
