//! What a record's parts may be, from topic to topic, with a real broker.

use std::{ffi::CString, str::FromStr as _, time::Duration};

use rdkafka::{
    ClientConfig,
    bindings::{
        RD_KAFKA_MSG_F_COPY, rd_kafka_producev, rd_kafka_resp_err_t as Code,
        rd_kafka_vtype_t as Part,
    },
    producer::{BaseProducer, Producer as _},
};

use tamis::compression::{Encoder, Format, decoder};

use super::{
    broker::{Broker, Written, broker, unique},
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

#[test]
fn templates_and_routes_say_where_each_topic_goes() {
    let Some(broker) = broker() else { return };
    let mark = unique("many");
    let make = |name: &str, partitions| {
        let name = format!("{mark}.{name}");
        broker.make(&name, partitions, &[]);
        name
    };
    let (a, b) = (make("a", 2), make("b", 1));
    let (clean, routed) = (make("a.clean", 2), make("elsewhere", 1));
    let dead = [make("a.dead", 1), make("b.dead", 1)];
    let read = format!("^{mark}\\\\.[ab]$");
    let route = format!("#same\n#routes [{{ from = \"{b}\", topic = \"{routed}\" }}]");
    let desk =
        Desk::new(&broker, [&read, "{topic}.clean", "{topic}.dead"], &unique("group"), &route);
    for topic in [&a, &b] {
        let good = record("k", &format!("{{\"from\":\"{topic}\"}}"));
        broker.write(topic, &[Written { partition: 0, ..good }, record("k", "{broken")]);
    }
    let mut member = desk.start("err");
    let written = [&clean, &routed, &dead[0], &dead[1]];
    member.until("all", || written.iter().map(|topic| broker.count(topic)).sum::<i64>() >= 4);
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("err"));
    adds_up(&account);
    for (written, from) in [(&clean, &a), (&routed, &b)] {
        let came: Vec<_> = broker.read(written).iter().map(Written::text).collect();
        assert_eq!(came, [format!("{{\"from\":\"{from}\"}}")]);
    }
    for (written, from) in dead.iter().zip([&a, &b]) {
        let letters = broker.read(written);
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].header("__tamis.errors.topic").as_ref(), Some(from));
    }
    // A topic that is there, and whose sink is not.
    make("c", 1);
    let text = std::fs::read_to_string(desk.path("tamis.toml")).unwrap();
    let wider = text.replace("[ab]", "[abc]");
    std::fs::write(desk.path("tamis.toml"), &wider).unwrap();
    let (code, _) = desk.start("lacks").end();
    let said = desk.said("lacks");
    assert!(
        code == 3 && said.contains(&format!("topic `{mark}.c.clean` does not exist")),
        "{code} {said}"
    );
    // One whose sink would be read: only the cluster's topics show it.
    let circle = text.replace("[ab]$", "(a|b|a\\\\.clean)$");
    std::fs::write(desk.path("tamis.toml"), circle).unwrap();
    let (code, _) = desk.start("circle").end();
    let said = desk.said("circle");
    assert!(code == 3 && said.contains("would be read again"), "{code} {said}");
}

#[test]
fn each_topic_has_its_own_limit() {
    let Some(broker) = broker() else { return };
    let source = [broker.topic("a", 1, &[]), broker.topic("b", 1, &[])];
    let small = broker.topic("small", 1, &[("max.message.bytes", "2000")]);
    let (large, dead) = (broker.topic("large", 1, &[]), broker.topic("dead", 1, &[]));
    let long = record("k", &format!("{{\"text\":\"{}\"}}", "lorem ipsum ".repeat(300)));
    for topic in &source {
        broker.write(topic, std::slice::from_ref(&long));
    }
    let more = format!("#routes [{{ from = \"{}\", topic = \"{small}\" }}]", source[0]);
    let read = format!("{}\", \"{}", source[0], source[1]);
    let desk = Desk::new(&broker, [&read, &large, &dead], &unique("group"), &more);
    let mut member = desk.start("err");
    member.until("both", || broker.count(&large) + broker.count(&dead) >= 2);
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("err"));
    adds_up(&account);
    assert_eq!((&account["clean"], &account["dead_lettered"]["too_large"]), (&1.into(), &1.into()));
    assert_eq!((broker.count(&small), broker.read(&large)[0].text()), (0, long.text()));
}

#[test]
fn what_goes_in_a_circle_of_two_ends() {
    let Some(broker) = broker() else { return };
    let [there, back, dead] = topics(&broker, 1);
    let header = ("kind".to_owned(), Some(b"order".to_vec()));
    broker.write(&there, &[Written { headers: vec![header.clone()], ..record("k", "{\"n\":1}") }]);
    let one = Desk::new(&broker, [&there, &back, &dead], &unique("group"), "#hops");
    let other = Desk::new(&broker, [&back, &there, &dead], &unique("group"), "#hops");
    let (mut one, other) = (one.start("err"), other.start("err"));
    // By each of them four times, and the ninth time by nobody.
    one.until("the end", || broker.count(&there) + broker.count(&back) >= 9);
    std::thread::sleep(Duration::from_millis(500));
    let ((code, account), (others_code, others)) = (one.stop(), other.stop());
    assert_eq!((code, others_code), (0, 0));
    assert_eq!(
        (&account["read"], &account["dropped"]["loop"]),
        (&5.into(), &1.into()),
        "{account}"
    );
    assert_eq!((&others["read"], &others["clean"]), (&4.into(), &4.into()), "{others}");
    assert_eq!((broker.count(&there), broker.count(&back), broker.count(&dead)), (5, 4, 0));
    let came = &broker.read(&back)[0];
    assert_eq!(came.headers, [header, ("__tamis.hop".to_owned(), Some(b"1".to_vec()))]);
}

pub(super) fn packed(format: Format, text: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(format).unwrap();
    [encoder.write(text).unwrap(), encoder.finish().unwrap()].concat()
}

fn unpacked(format: Format, bytes: &[u8]) -> String {
    let mut text = vec![0; 1 << 16];
    let step = decoder(format, 23).unwrap().step(bytes, true, &mut text).unwrap();
    assert!(step.whole && step.consumed == bytes.len());
    text.truncate(step.produced);
    String::from_utf8(text).unwrap()
}

#[test]
fn values_may_be_compressed_or_have_a_schemas_number() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let id = |text: &[u8]| [b"\0\0\0\0\x07", text].concat();
    let (clean, mail) = (b"{\"n\":1}\n".as_slice(), b"{\"m\":\"ada@example.com\"}".as_slice());
    let zeros = packed(Format::Gzip, &vec![b'0'; 900_000]);
    let whole = packed(Format::Zstd, mail);
    let sent = [
        packed(Format::Gzip, clean),
        packed(Format::Zstd, clean),
        packed(Format::Gzip, mail),
        whole.clone(),
        id(clean),
        id(mail),
        id(b"\x02\x1eada@example.com"),
        id(b"\x02\x1eada@example.com"),
        zeros,
        whole[..whole.len() - 3].to_vec(),
        packed(Format::Lz4, mail),
    ];
    let record = |value: &Vec<u8>| Written { partition: 0, ..Written::value(value.clone()) };
    broker.write(&topics[0], &sent.iter().map(record).collect::<Vec<_>>());
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "");
    let mut member = desk.start("err");
    member.until("all", || broker.count(&topics[1]) + broker.count(&topics[2]) >= 11);
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!(code, 0, "{said}");
    adds_up(&account);
    assert_eq!((&account["clean"], &account["redacted"]), (&3.into(), &3.into()), "{account}");
    let letters = serde_json::json!({ "binary": 3, "expands": 1, "corrupt": 1 });
    assert_eq!(account["dead_lettered"], letters);
    let came: Vec<_> = broker.read(&topics[1]).into_iter().filter_map(|r| r.value).collect();
    for at in [0, 1, 4] {
        assert_eq!(came[at], sent[at]);
    }
    let redacted = "{\"m\":\"[REDACTED:email]\"}";
    assert_eq!(unpacked(Format::Gzip, &came[2]), redacted);
    assert_eq!(unpacked(Format::Zstd, &came[3]), redacted);
    assert_eq!(came[5], id(redacted.as_bytes()));
    assert!(broker.read(&topics[2]).iter().all(|letter| letter.text().is_empty()));
    // Of the topic it is said once.
    assert_eq!(said.matches("binary data (Avro, Protobuf").count(), 1, "{said}");
}

#[test]
fn lines_of_a_value_leave_together() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let lines = "{\"n\":1}\n\n{\"n\":2}\n";
    let mixed = "{\"m\":\"ada@example.com\"}\n{broken\n{\"n\":4}";
    let one = |text: &str| Written { partition: 0, ..record("k", text) };
    broker.write(&topics[0], &[one(lines), one(mixed), one("{broken\n")]);
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "#framing \"ndjson\"");
    let mut member = desk.start("err");
    member.until("all", || broker.count(&topics[1]) + broker.count(&topics[2]) >= 4);
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!(code, 0, "{said}");
    adds_up(&account);
    for (outcome, n) in [("read", 7), ("clean", 3), ("redacted", 1), ("blank", 1)] {
        assert_eq!(account[outcome], n, "{outcome}: {account}");
    }
    let came: Vec<_> = broker.read(&topics[1]).iter().map(Written::text).collect();
    assert_eq!(came, [lines, "{\"m\":\"[REDACTED:email]\"}\n{\"n\":4}"]);
    let letters = broker.read(&topics[2]);
    let of = |name: &str| -> Vec<_> { letters.iter().map(|l| l.header(name).unwrap()).collect() };
    assert_eq!(of("__tamis.errors.offset"), ["1", "2"]);
    assert_eq!(of("__tamis.errors.line"), ["2", "1"]);
    assert!(said.contains(&format!("{}[0]:1:2: ", topics[0])), "{said}");
}

#[test]
fn what_is_said_of_topics_is_shown_as_a_configuration() {
    let text = "version = 1\nkafka = { brokers = [\"localhost:1\"] }\n\
                source = { topics = ['^logs\\.[a-z]+$'], group = \"g\", framing = \"ndjson\" }\n\
                sink = { topic = \"{topic}.clean\", routes = [{ from = '^logs\\.a', topic = \
                \"audit\" }], \
                partition = \"same\", hops = 0 }\ndead_letter = { topic = \"dead\" }\n";
    let dir = crate::cli::folder(&[("t.toml", text)]);
    let output = crate::cli::tamis(&["config", "show", "--config", "t.toml"])
        .env_remove("TAMIS_CONFIG")
        .current_dir(&dir)
        .output()
        .unwrap();
    assert_eq!(crate::cli::code(&output), 0, "{}", crate::cli::stderr(&output));
    let (said, shown) =
        (toml::Table::from_str(text).unwrap(), String::from_utf8(output.stdout).unwrap());
    let shown = toml::Table::from_str(&shown).unwrap();
    for key in ["kafka", "source", "sink", "dead_letter"] {
        assert_eq!(shown[key], said[key], "{key}");
    }
}

#[test]
fn text_goes_to_the_dead_letter_topic_where_that_is_wanted() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    broker.write(&topics[0], &[record("k", "card 4111 1111 1111 1111"), record("k", "{\"n\":1}")]);
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "text = \"dead-letter\"");
    let mut member = desk.start("err");
    member.until("both", || broker.count(&topics[1]) + broker.count(&topics[2]) >= 2);
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("err"));
    adds_up(&account);
    assert_eq!((&account["clean"], &account["dead_lettered"]["text"]), (&1.into(), &1.into()));
    let letter = &broker.read(&topics[2])[0];
    assert_eq!(letter.header("__tamis.errors.payload").as_deref(), Some("text"));
    assert!(!letter.text().contains("4111"), "{}", letter.text());
    // Without one there is no place for it.
    let desk = Desk::new(&broker, [&topics[0], &topics[1], ""], "g", "text = \"dead-letter\"");
    let (code, _) = desk.start("err").end();
    let said = desk.said("err");
    assert!(code == 2 && said.contains("text dead-letter needs dead_letter"), "{code} {said}");
}
