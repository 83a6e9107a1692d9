//! What is assigned and does not advance although there is more: it has a name, and who looks is told.

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use super::{
    broker::{Broker, broker, unique},
    exactly_once::EXACTLY_ONCE,
    member::Desk,
    names, together, topics,
    watched::{ADMIN, numbered, port},
};
use crate::admin::{get, measures};

type Producer = ThreadedProducer<DefaultProducerContext>;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Somebody else's producer, with a transaction open.
fn open(broker: &Broker) -> Producer {
    let producer: Producer = ClientConfig::new()
        .set("bootstrap.servers", &broker.address)
        .set("transactional.id", unique("another"))
        .set("transaction.timeout.ms", "600000")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer
}

fn behind_an_open_transaction() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    let desk = Desk::new(&broker, names(&topics), &group, ADMIN);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    broker.write(&topics[0], &numbered("in", 0..10));
    member.until("the first", || broker.committed(&group, &topics[0], 1) == 10);
    let another = open(&broker);
    let record = BaseRecord::<[u8], [u8]>::to(&topics[0]).payload(b"{\"n\":1}".as_slice());
    another.send(record).map_err(|(error, _)| error).unwrap();
    another.flush(PATIENCE).unwrap();
    broker.write(&topics[0], &numbered("in", 10..20));
    let place = format!("{{topic=\"{}\",partition=\"0\"}}", topics[0]);
    let measure =
        |name: &str| measures(&get(port, "/metrics", "").1).get(&format!("{name}{place}")).copied();
    // As the broker counts it.
    member.until("the lag", || measure("tamis_kafka_lag_records") == Some(11.0));
    member.until("the stall", || get(port, "/ready", "").0 == 503);
    let (_, why) = get(port, "/ready", "");
    let wanted =
        format!("`{}[0]` is stalled: a producer has a transaction open since offset 10", topics[0]);
    assert!(why.starts_with(&wanted), "{why}");
    assert_eq!(measure("tamis_kafka_partition_stalled"), Some(1.0));
    let said = desk.said("err");
    let abort = format!("abort --topic {} --partition 0 --start-offset 10", topics[0]);
    let fields = format!(
        "\"topic\":\"{}\",\"partition\":0,\"offset\":10,\"reason\":\"a producer has a transaction",
        topics[0]
    );
    for wanted in ["partition_stalled", "kafka-transactions.sh", "find-hanging", &abort, &fields] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    another.abort_transaction(PATIENCE).unwrap();
    member.until("readiness", || get(port, "/ready", "").0 == 200);
    member.until("the rest", || broker.count(&topics[1]) == 20);
    member.until("no lag", || measure("tamis_kafka_lag_records") == Some(0.0));
    assert_eq!(measure("tamis_kafka_partition_stalled"), None);
    assert!(desk.said("err").contains("partition_advances"));
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &20.into()), "{}", desk.said("err"));
}

/// What the member says once its partition is stalled.
fn without_an_offset(more: &str) -> String {
    let Some(broker) = broker() else { return String::new() };
    let topics = topics(&broker, 1);
    let group = unique("group");
    broker.write(&topics[0], &numbered("in", 0..20));
    let another = open(&broker);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &broker.address)
        .set("group.id", &group)
        .create()
        .unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&topics[0], 0, Offset::Offset(10)).unwrap();
    let metadata = consumer.group_metadata().unwrap();
    another.send_offsets_to_transaction(&offsets, &metadata, PATIENCE).unwrap();
    let desk = Desk::new(&broker, names(&topics), &group, &format!("{ADMIN}\n{more}"));
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    let place = format!("{{topic=\"{}\",partition=\"0\"}}", topics[0]);
    let lag = || {
        let all = measures(&get(port, "/metrics", "").1);
        all.get(&format!("tamis_kafka_lag_records{place}")).copied()
    };
    member.until("the stall", || {
        assert_eq!(lag(), None);
        desk.said("err").contains("partition_stalled")
    });
    let (status, why) = get(port, "/ready", "");
    let wanted =
        format!("`{}[0]` is stalled: the group does not return its committed offset", topics[0]);
    assert!(status == 503 && why.starts_with(&wanted), "{status} {why}");
    let said = desk.said("err");
    assert!(said.contains("find-hanging --topic __consumer_offsets"), "{said}");
    // Who delivers exactly once looks whether it is its own transaction.
    let own = "aborting what this `instance` left open";
    member.until("its own", || more.is_empty() || desk.said("err").contains(own));
    another.commit_transaction(PATIENCE).unwrap();
    member.until("the rest", || broker.committed(&group, &topics[0], 1) == 20);
    member.until("readiness", || get(port, "/ready", "").0 == 200);
    member.until("no lag", || lag() == Some(0.0));
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &10.into()), "{}", desk.said("err"));
    assert_eq!(broker.read(&topics[1]).len(), 10);
    desk.said("err")
}

#[test]
fn what_does_not_advance_although_there_is_more_is_stalled() {
    let at_least_once = || {
        let said = without_an_offset("");
        assert!(!said.contains("taken back"), "{said}");
    };
    let exactly_once = || drop(without_an_offset(EXACTLY_ONCE));
    together(&[&behind_an_open_transaction, &at_least_once, &exactly_once]);
}
