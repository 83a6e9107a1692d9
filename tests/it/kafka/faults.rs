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
fn a_topic_that_is_refused_is_paused_and_tried_again_and_nothing_is_lost() {
    let refused = [Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 3];
    for at in [RDKafkaApiKey::Produce, RDKafkaApiKey::Fetch] {
        let (mock, broker, topics) = cluster(&[]);
        mock.request_errors(at, &refused);
        let desk = Desk::new(&broker, names(&topics), "g", "");
        let mut member = desk.start("err");
        member.until("all", || broker.committed("g", &topics[0], 1) == 20);
        member.until("the good news", || desk.said("err").contains("` is resumed"));
        let (code, account) = member.stop();
        let said = desk.said("err");
        assert_eq!(
            (code, &account["clean"], &account["read"]),
            (0, &20.into(), &20.into()),
            "{said}"
        );
        adds_up(&account);
        let wanted = "paused and retried";
        assert!(said.contains(wanted) && said.contains("uthorization"), "{said}");
        assert_eq!(broker.count(&topics[1]), 20);
    }
}

/// What a leader answers about a topic that was made a moment ago.
fn unknown_to_its_leader(more: &str) {
    let (mock, broker, topics) = cluster(&[]);
    // Whoever asks where it ends, to show it, has some of them.
    mock.request_errors(
        RDKafkaApiKey::ListOffsets,
        &[Error::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART; 6],
    );
    let desk = Desk::new(&broker, names(&topics), "g", more);
    let mut member = desk.start("err");
    member.until("all", || broker.committed("g", &topics[0], 1) == 20);
    member.until("the good news", || desk.said("err").contains("` is resumed"));
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!((code, &account["clean"], &account["read"]), (0, &20.into(), &20.into()), "{said}");
    adds_up(&account);
    assert!(said.contains("its leader did not return its first offset"), "{said}");
}

#[test]
fn a_partition_whose_leader_does_not_know_it_yet_is_tried_again() {
    unknown_to_its_leader("");
}

#[test]
fn so_it_is_where_all_partitions_are_shared_out_anew() {
    unknown_to_its_leader("#eager");
}

#[test]
fn a_groups_fault_ends_the_run_and_nothing_is_committed() {
    let (mock, broker, topics) = cluster(&[]);
    mock.request_errors(
        RDKafkaApiKey::JoinGroup,
        &[Error::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 3],
    );
    let desk = Desk::new(&broker, names(&topics), "g", "");
    let (code, account) = desk.start("err").end();
    let said = desk.said("err");
    assert_eq!((code, &account["read"]), (3, &0.into()), "{said}");
    assert!(said.contains("uthorization"), "{said}");
    assert_eq!(broker.committed("g", &topics[0], 1), 0);
}

#[test]
fn a_group_that_may_not_be_read_any_more_ends_the_run() {
    let denied = [Error::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 50];
    let exactly_once = "delivery = \"exactly_once\"\ninstance = \"a\"\n";
    for (more, key) in [
        ("", RDKafkaApiKey::OffsetCommit),
        (exactly_once, RDKafkaApiKey::AddOffsetsToTxn),
        (exactly_once, RDKafkaApiKey::TxnOffsetCommit),
    ] {
        let (mock, broker, topics) = cluster(&[]);
        mock.request_errors(key, &denied);
        let desk = Desk::new(&broker, names(&topics), "g", more);
        let (code, account) = desk.start("err").end();
        let said = desk.said("err");
        assert_eq!((code, &account["level"]), (3, &"fatal".into()), "{more}: {said}");
        let why = account["error"].as_str().unwrap();
        assert!(why.contains("GroupAuthorizationFailed"), "{more}: {said}");
    }
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
