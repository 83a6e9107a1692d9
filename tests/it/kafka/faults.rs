//! Faults that no broker shows at will: librdkafka's mock cluster has them. No proof of delivery.

use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr as Error},
};

use super::{
    broker::{Broker, Written, unique},
    member::Desk,
    names,
};
use crate::cli::adds_up;

type Mock = MockCluster<'static, DefaultProducerContext>;

/// A cluster with twenty records to read, that answers the first requests to produce with `errors`.
fn cluster(errors: &[Error]) -> (Mock, Broker, [String; 3]) {
    let mock = MockCluster::new(1).unwrap();
    let broker = Broker { address: mock.bootstrap_servers() };
    let topics = ["in", "clean", "dead"].map(unique);
    for topic in &topics {
        mock.create_topic(topic, 1, 1).unwrap();
    }
    let record = |n| Written { partition: -1, ..Written::value(format!("{{\"n\":{n}}}")) };
    broker.write(&topics[0], &(0..20).map(record).collect::<Vec<_>>());
    mock.request_errors(RDKafkaApiKey::Produce, errors);
    (mock, broker, topics)
}

#[test]
fn the_clusters_faults_are_waited_out() {
    let errors = [
        Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Error::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Error::RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    let (_mock, broker, topics) = cluster(&errors);
    let desk = Desk::new(&broker, names(&topics), "g", "");
    let mut member = desk.start("err");
    member.until("all", || broker.committed("g", &topics[0], 1) == 20);
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &20.into()), "{}", desk.said("err"));
    adds_up(&account);
}

#[test]
fn a_topics_fault_ends_the_run_and_nothing_is_committed() {
    let (_mock, broker, topics) =
        cluster(&[Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 3]);
    let desk = Desk::new(&broker, names(&topics), "g", "");
    let (code, account) = desk.start("err").end();
    let said = desk.said("err");
    assert_eq!(code, 3, "{said}");
    assert_eq!((&account["read"], &account["unwritten"]), (&20.into(), &20.into()), "{account}");
    assert!(said.contains("uthorization"), "{said}");
    assert_eq!(broker.committed("g", &topics[0], 1), 0);
}

#[test]
fn a_batch_that_is_too_long_is_sent_in_parts() {
    let (_mock, broker, topics) = cluster(&[Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 2]);
    let desk = Desk::new(&broker, names(&topics), "g", "");
    let mut member = desk.start("err");
    member.until("all", || broker.committed("g", &topics[0], 1) == 20);
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &20.into()), "{}", desk.said("err"));
    adds_up(&account);
    assert_eq!(broker.count(&topics[1]), 20);
}
