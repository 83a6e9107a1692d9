//! What a broker refused once it was sent, and what is not there any more when letters are replayed.

use tamis::compression::Format;

use super::{
    broker::{Broker, Written, broker, unique},
    contents::packed,
    member::Desk,
    names, record,
    replayed::unpacked,
    topics,
};
use crate::cli::adds_up;

/// How long after their time a topic takes records: these are refused by the broker alone.
const LIMIT: &str = "message.timestamp.before.max.ms";

fn refused_late(broker: &Broker, more: &str) {
    let fresh = broker.topic("fresh", 1, &[(LIMIT, "86400000")]);
    let topics = [broker.topic("in", 1, &[]), fresh, broker.topic("dead", 1, &[])];
    let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
    let value = |bytes: &[u8]| Written { value: Some(bytes.to_vec()), ..record("k", "") };
    let [text, clean] =
        ["ada@example.com", "[REDACTED:email]"].map(|m| format!("{{\"n\":1,\"mail\":\"{m}\"}}"));
    let mut sent = [
        value(&packed(Format::Gzip, b"{\"n\":0}")),
        value(&packed(Format::Zstd, text.as_bytes())),
        value(&[b"\0\0\0\0\x07", text.as_bytes()].concat()),
        record("k", "{\n\t\"n\": 3\n}\n"),
        Written { value: None, ..record("k", "") },
        record("", "{\"n\":5}"),
    ];
    sent[3].headers = vec![header("kind", "order"), header("mail", "ada@example.com")];
    sent[4].headers = vec![("none".into(), None), header("kind", "order")];
    // Whatever a record says of itself: its letter says what is true.
    sent[5].headers = vec![header("__tamis.errors.payload", "shape"), header("kind", "order")];
    broker.write(&topics[0], &sent);
    let desk = Desk::new(broker, names(&topics), &unique("group"), more);
    let mut member = desk.start_as("run", "a");
    member.until("all", || broker.read(&topics[2]).len() == 6);
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("run"));
    adds_up(&account);
    assert_eq!(account["dead_lettered"]["refused"], 6, "{account}");
    assert!(broker.read(&topics[1]).is_empty());
    let letters = broker.read(&topics[2]);
    assert!(letters.iter().all(|letter| !letter.everything().contains("ada@")), "{letters:?}");

    broker.alter(&topics[1], LIMIT, &i64::MAX.to_string());
    let (code, account) = desk.spawn(&["replay", "--config", "tamis.toml"], "replay", "a").end();
    assert_eq!(code, 0, "{}", desk.said("replay"));
    adds_up(&account);
    assert_eq!(
        (&account["read"], &account["clean"], &account["tombstones"]),
        (&6.into(), &5.into(), &1.into()),
        "{account}"
    );
    let mut wanted = sent;
    wanted[1].value = Some([&b"\0\0\0\0\x07"[..], clean.as_bytes()].concat());
    wanted[2].value = wanted[1].value.clone();
    wanted[3].headers[1].1 = Some(b"[REDACTED:email]".to_vec());
    wanted[5].headers.remove(0);
    let mut came = broker.read(&topics[1]);
    assert_eq!(unpacked(came[1].value.as_ref().unwrap()), clean);
    came[1].value.clone_from(&wanted[1].value);
    for record in &mut wanted {
        record.partition = 0;
    }
    assert_eq!(came, wanted);
}

#[test]
fn what_the_broker_refused_comes_back_as_it_would_have_been_forwarded() {
    let Some(broker) = broker() else { return };
    refused_late(&broker, "");
}

#[test]
fn so_it_does_where_it_was_refused_in_a_transaction() {
    let Some(broker) = broker() else { return };
    refused_late(&broker, "delivery = \"exactly_once\"\ninstance = \"${INSTANCE}\"");
}

#[test]
fn letters_that_are_gone_stop_the_replay_and_are_said() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let sent: Vec<_> = (0..10).map(|n| record("k", &format!("{{\"n\":{n}}}"))).collect();
    broker.write(&topics[0], &sent);
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "require = [\"kind\"]");
    let mut member = desk.start("run");
    member.until("all", || broker.count(&topics[2]) >= 10);
    assert_eq!(member.stop().0, 0);
    desk.change("tamis.toml", |text| text.replace("require = [\"kind\"]\n", ""));
    let replay = |name: &str, more: &[&str]| {
        let args = [&["replay", "--config", "tamis.toml"], more].concat();
        desk.spawn(&args, name, "a").end()
    };
    let (code, account) = replay("first", &[]);
    assert_eq!((code, &account["clean"]), (0, &10.into()), "{}", desk.said("first"));
    // As many again, and retention takes some that were never replayed.
    broker.write(&topics[2], &broker.read(&topics[2]));
    broker.delete_before(&topics[2], 0, 15);
    let (code, account) = replay("gone", &[]);
    let said = desk.said("gone");
    assert_eq!((code, &account["read"]), (3, &0.into()), "{said}");
    assert!(said.contains("the committed offset does not exist"), "{said}");
    // Another group begins with what there is.
    let (code, account) = replay("rest", &["--group", &unique("rest")]);
    assert_eq!((code, &account["clean"]), (0, &5.into()), "{}", desk.said("rest"));
    adds_up(&account);
}
