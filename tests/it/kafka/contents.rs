//! What a record's parts may be, from topic to topic, with a real broker.

use std::{ffi::CString, time::Duration};

use rdkafka::{
    ClientConfig,
    bindings::{
        RD_KAFKA_MSG_F_COPY, rd_kafka_producev, rd_kafka_resp_err_t as Code,
        rd_kafka_vtype_t as Part,
    },
    producer::{BaseProducer, Producer as _},
};

use super::{
    broker::{Broker, broker, unique},
    member::Desk,
    names, record, topics,
};
use crate::cli::adds_up;

/// Writes `{"n":1}` with a header whose name is no text, and others around it.
#[allow(unsafe_code)]
fn write_with_a_name_that_is_no_text(broker: &Broker, topic: &str) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &broker.address).create().unwrap();
    let (topic, value) = (CString::new(topic).unwrap(), b"{\"n\":1}");
    // SAFETY: the arguments are as rdkafka.h has them, one kind after another up to the end; all of
    // it is copied before the call returns.
    let code = unsafe {
        rd_kafka_producev(
            producer.client().native_ptr(),
            Part::RD_KAFKA_VTYPE_TOPIC,
            topic.as_ptr(),
            Part::RD_KAFKA_VTYPE_VALUE,
            value.as_ptr(),
            value.len(),
            Part::RD_KAFKA_VTYPE_MSGFLAGS,
            RD_KAFKA_MSG_F_COPY,
            Part::RD_KAFKA_VTYPE_HEADER,
            c"first".as_ptr(),
            c"a".as_ptr(),
            1_isize,
            Part::RD_KAFKA_VTYPE_HEADER,
            c"ada@example.com\xff".as_ptr(),
            c"bob@example.com".as_ptr(),
            15_isize,
            Part::RD_KAFKA_VTYPE_HEADER,
            c"last".as_ptr(),
            c"b".as_ptr(),
            1_isize,
            Part::RD_KAFKA_VTYPE_END,
        )
    };
    assert_eq!(code, Code::RD_KAFKA_RESP_ERR_NO_ERROR);
    producer.flush(Duration::from_secs(60)).unwrap();
}

#[test]
fn a_header_whose_name_is_no_text_goes_and_the_rest_passes() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    write_with_a_name_that_is_no_text(&broker, &topics[0]);
    broker.write(&topics[0], &[record("k", "{\"n\":2}")]);
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "");
    let mut member = desk.start("err");
    member.until("both", || broker.count(&topics[1]) >= 2);
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!(code, 0, "{said}");
    adds_up(&account);
    assert_eq!((&account["redacted"], &account["clean"]), (&1.into(), &1.into()), "{account}");
    let came = broker.read(&topics[1]);
    let text = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
    assert_eq!(came[0].headers, [text("first", "a"), text("last", "b")]);
    assert_eq!(came[0].text(), "{\"n\":1}");
    assert!(!said.contains("panicked") && !said.contains("@example.com"), "{said}");
}
