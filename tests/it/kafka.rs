//! From topic to topic, with a real broker.

mod anew;
pub(crate) mod broker;
mod contents;
mod contract;
mod cuts;
mod deaths;
mod exactly_once;
mod faults;
mod late;
pub(crate) mod member;
mod membership;
mod memory;
mod orders;
mod otlp;
mod outages;
mod proxy;
mod replayed;
mod rolling;
mod routed;
mod sealed;
mod secured;
mod slow;
mod stalled;
mod starts;
mod taken;
mod three;
mod tokens;
mod watch;
mod watched;

use tamis::records::Pseudonyms;

use broker::{Broker, Written, broker, unique};
use member::Desk;

use crate::cli::adds_up;

fn topics(broker: &Broker, partitions: i32) -> [String; 3] {
    let topic = |name| broker.topic(name, partitions, &[]);
    [topic("in"), topic("clean"), topic("dead")]
}

fn names(topics: &[String; 3]) -> [&str; 3] {
    [&topics[0], &topics[1], &topics[2]]
}

/// Runs side by side what mostly waits; all of it ends, also where one fails.
fn together(runs: &[&(dyn Fn() + Sync)]) {
    std::thread::scope(|scope| {
        for run in runs {
            scope.spawn(*run);
        }
    });
}

fn record(key: &str, value: &str) -> Written {
    let key = (!key.is_empty()).then(|| key.as_bytes().to_vec());
    Written { partition: -1, key, timestamp: Some(1_700_000_000_000), ..Written::value(value) }
}

#[test]
fn records_pass_whole_and_findings_go() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 3);
    let group = unique("group");
    let header = |name: &str, value: &[u8]| (name.to_owned(), Some(value.to_vec()));
    let trace = header("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let mut clean: Vec<Written> = (0..300)
        .map(|n| record(&format!("order-{n}"), &format!("{{\n\t\"n\": {n}\n}}\n")))
        .collect();
    clean[7].headers = vec![trace, ("none".into(), None), header("kind", b"order")];
    clean[8].value = None;
    let personal = [
        record("a", "{\"mail\":\"ada@example.com\"}"),
        record("b", "{\"broken\":\"ada@example.com\""),
        record("ada@example.com", "{\"n\":1}"),
        Written { headers: vec![header("mail", b"ada@example.com")], ..record("c", "{\"n\":2}") },
        record("ada@example.com", "{\"n\":3}"),
    ];
    broker.write(&topics[0], &clean);
    broker.write(&topics[0], &personal);
    let desk = Desk::new(&broker, names(&topics), &group, "#secret");
    let mut member = desk.start("err");
    member.until("all", || broker.count(&topics[1]) + broker.count(&topics[2]) >= 305);
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("err"));
    adds_up(&account);
    for (outcome, n) in [("read", 305), ("clean", 299), ("tombstones", 1), ("redacted", 4)] {
        assert_eq!(account[outcome], n, "{outcome}: {account}");
    }
    assert_eq!(account["dead_lettered"]["unterminated"], 1);
    assert_eq!(broker.committed(&group, &topics[0], 3), 305);

    let sent = broker.read(&topics[0]);
    let came = broker.read(&topics[1]);
    for record in &clean {
        let same = |other: &&Written| other.key == record.key;
        let (sent, came) = (sent.iter().find(same).unwrap(), came.iter().find(same).unwrap());
        // The partition too: by the key, as the Java client has it.
        assert_eq!(came, sent);
    }
    let all: Vec<_> =
        came.iter().chain(&broker.read(&topics[2])).map(Written::everything).collect();
    assert!(!all.iter().any(|text| text.contains("ada@")), "{all:#?}");
    let pseudonyms: Vec<_> = came.iter().filter(|r| r.key.as_ref().unwrap().len() == 64).collect();
    assert_eq!(pseudonyms.len(), 2);
    assert_eq!(
        (&pseudonyms[0].key, pseudonyms[0].partition),
        (&pseudonyms[1].key, pseudonyms[1].partition)
    );
    let letters = broker.read(&topics[2]);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("__tamis.errors.reason").as_deref(), Some("unterminated"));
    assert_eq!(letters[0].header("__tamis.errors.topic").as_ref(), Some(&topics[0]));
    assert!(letters[0].text().starts_with("{\"xxxxxx\":"), "{}", letters[0].text());

    // Another run goes on where this one ended.
    broker.write(&topics[0], &[record("order-x", "{\"last\":1}")]);
    let mut member = desk.start("again");
    member.until("the last", || broker.count(&topics[1]) >= 305);
    let (code, account) = member.stop();
    assert_eq!((code, &account["read"]), (0, &1.into()), "{}", desk.said("again"));
}

#[test]
fn a_key_that_may_not_be_seen_stops_its_record_without_a_secret() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    broker.write(
        &topics[0],
        &[record("ada@example.com", "{\"n\":1}"), record("k", "{\"n\":2}"), record("k", "text")],
    );
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "text = \"drop\"");
    let mut member = desk.start("err");
    member.until("all", || broker.count(&topics[1]) + broker.count(&topics[2]) >= 2);
    let (code, account) = member.stop();
    assert_eq!(code, 0);
    adds_up(&account);
    assert_eq!(account["dead_lettered"]["personal_key"], 1);
    assert_eq!(account["dropped"]["text"], 1);
    let letters = broker.read(&topics[2]);
    assert_eq!((letters[0].key.clone(), letters[0].text()), (None, String::new()));
    let said = desk.said("err");
    assert!(said.contains("dead-lettered ") && said.contains("[0]:0: personal_key"), "{said}");
    assert!(!said.contains("ada@"), "{said}");
}

#[test]
fn what_a_topic_does_not_take_goes_to_the_dead_letter() {
    let Some(broker) = broker() else { return };
    let long = format!("{{\"n\":\"{}\"}}", "wxyz ".repeat(1000));
    let secret = Pseudonyms::new(b"0123456789abcdef0123456789abcdef").unwrap();
    // Who has the secret can tell which one it was.
    let digest = Some(secret.of(long.as_bytes()));
    for (most, kept, said) in [("1000000", &*long, None), ("2000", "", digest)] {
        let small = broker.topic("small", 1, &[("max.message.bytes", "2000")]);
        let dead = broker.topic("dead", 1, &[("max.message.bytes", most)]);
        let topics = [broker.topic("in", 1, &[]), small, dead];
        let header = vec![("h".to_owned(), Some(long.clone().into_bytes()))];
        let sent = [
            record("k", "{\"n\":1}"),
            record("k", &long),
            record("k", "{\"n\":2}"),
            Written { value: None, ..record(&long, "") },
            Written { headers: header, ..record("k", "{\"n\":4}") },
        ];
        broker.write(&topics[0], &sent);
        let desk = Desk::new(&broker, names(&topics), &unique("group"), "#secret");
        let mut member = desk.start("err");
        member.until("all", || broker.count(&topics[1]) + broker.count(&topics[2]) >= 5);
        let (code, account) = member.stop();
        assert_eq!(code, 0, "{}", desk.said("err"));
        adds_up(&account);
        let counts = (&account["clean"], &account["dead_lettered"]["too_large"]);
        assert_eq!(counts, (&2.into(), &3.into()));
        let letters = broker.read(&topics[2]);
        let letter = &letters[0];
        assert_eq!(letter.header("__tamis.errors.offset").as_deref(), Some("1"));
        assert_eq!(
            (letter.text(), letter.header("__tamis.errors.digest")),
            (kept.to_owned(), said.clone())
        );
        // Where a key or a header is too long, that goes as well.
        let (tombstone, headed) = (&letters[1], &letters[2]);
        let whole = said.is_none();
        assert_eq!(tombstone.key, whole.then(|| long.clone().into_bytes()));
        assert_eq!(
            tombstone.header("__tamis.errors.payload").as_deref(),
            whole.then_some("tombstone")
        );
        assert_eq!(headed.header("h"), whole.then(|| long.clone()));
        assert_eq!(headed.text(), if whole { "{\"n\":4}" } else { "" });
    }
}

#[test]
fn a_record_that_the_topic_refuses_takes_no_other_with_it() {
    let Some(broker) = broker() else { return };
    let fresh = broker.topic("fresh", 1, &[("message.timestamp.before.max.ms", "86400000")]);
    let topics = [broker.topic("in", 1, &[]), fresh, broker.topic("dead", 1, &[])];
    let mut records: Vec<_> = (0..50).map(|n| record("k", &format!("{{\"n\":{n}}}"))).collect();
    let old = records[17].timestamp;
    for record in &mut records {
        record.timestamp = None;
    }
    records[17].timestamp = old;
    broker.write(&topics[0], &records);
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "");
    let mut member = desk.start("err");
    member.until("all", || broker.count(&topics[1]) + broker.count(&topics[2]) >= 50);
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("err"));
    adds_up(&account);
    assert_eq!((&account["clean"], &account["dead_lettered"]["refused"]), (&49.into(), &1.into()));
    let letter = &broker.read(&topics[2])[0];
    assert_eq!(letter.header("__tamis.errors.offset").as_deref(), Some("17"));
    // It is kept as it would have been forwarded.
    assert_eq!((&letter.value, &letter.key), (&records[17].value, &records[17].key));
    assert_eq!(letter.header("__tamis.errors.payload").as_deref(), Some("event"));
    // Those that were sent again are as they were, but for their order.
    let mut sent = broker.read(&topics[0]);
    sent.remove(17);
    let came = broker.read(&topics[1]);
    assert!(came.len() == 49 && sent.iter().all(|record| came.contains(record)), "{came:#?}");
}

#[test]
fn what_the_cluster_lacks_is_said_at_the_start() {
    let Some(broker) = broker() else { return };
    let [source, sink, dead] = topics(&broker, 2);
    let three = broker.topic("three", 3, &[]);
    for (names, more, wanted) in [
        ([&*source, "nowhere", &*dead], "", "topic `nowhere` does not exist"),
        (["nowhere", &*sink, &*dead], "", "topic `nowhere` does not exist"),
        ([&*source, &*three, ""], "#same", "has 2, `three-"),
    ] {
        let desk = Desk::new(&broker, names, &unique("group"), more);
        let (code, _) = desk.start("err").end();
        let said = desk.said("err");
        assert!(code == 3 && said.contains(wanted), "{code} {said}");
    }
    let desk = Desk::new(&broker, [&source, &sink, &dead], &unique("group"), "#same");
    let sent: Vec<_> = (0..20)
        .map(|n| Written { partition: n % 2, ..record("k", &format!("{{\"n\":{n}}}")) })
        .collect();
    broker.write(&source, &sent);
    let mut member = desk.start("err");
    member.until("all", || broker.count(&sink) >= 20);
    assert_eq!(member.stop().0, 0);
    assert_eq!(broker.read(&sink), broker.read(&source));
}

#[test]
fn an_offset_that_is_gone_stops_the_run_and_is_said() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    let some = |from: i32| -> Vec<_> {
        (from..from + 10).map(|n| record("k", &format!("{{\"n\":{n}}}"))).collect()
    };
    broker.write(&topics[0], &some(0));
    let desk = Desk::new(&broker, names(&topics), &group, "");
    let mut member = desk.start("err");
    member.until("all", || broker.count(&topics[1]) >= 10);
    assert_eq!(member.stop().0, 0);
    broker.write(&topics[0], &some(10));
    broker.delete_before(&topics[0], 0, 15);
    let (code, account) = desk.start("gone").end();
    let said = desk.said("gone");
    assert_eq!((code, &account["read"]), (3, &0.into()), "{said}");
    let wanted = "the committed offset does not exist (10; existing: 15 to 20)";
    assert!(said.contains(wanted), "{said}");
    // A group without an offset begins with what there is.
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "");
    let mut member = desk.start("err");
    member.until("the rest", || broker.count(&topics[1]) >= 15);
    assert_eq!(member.stop().0, 0);
}

#[test]
fn a_reload_holds_for_records() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let mail = [record("k", "{\"mail\":\"ada@example.com\"}")];
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "ip = \"keep\"");
    broker.write(&topics[0], &mail);
    let mut member = desk.start("err");
    member.until("the first", || broker.count(&topics[1]) == 1);
    let path = desk.path("tamis.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let kept = text.replace("ip = \"keep\"", "ip = \"keep\"\nwithout = [\"email\"]");
    std::fs::write(&path, &kept).unwrap();
    member.until("the reload", || desk.said("err").contains("reloaded"));
    broker.write(&topics[0], &mail);
    member.until("the second", || broker.count(&topics[1]) == 2);
    // What is said of topics needs a restart.
    std::fs::write(&path, kept.replace(&topics[1], "elsewhere")).unwrap();
    member.until("the refusal", || desk.said("err").contains("`sink`"));
    let (code, account) = member.stop();
    assert_eq!((code, &account["reloads"], &account["refused_reloads"]), (0, &1.into(), &1.into()));
    let came: Vec<_> = broker.read(&topics[1]).iter().map(Written::text).collect();
    assert_eq!(came, ["{\"mail\":\"[REDACTED:email]\"}", "{\"mail\":\"ada@example.com\"}"]);
    assert_eq!((&account["redacted"], &account["clean"]), (&1.into(), &1.into()));
}

#[test]
fn a_configuration_that_goes_in_a_circle_is_refused_with_its_place() {
    let dir = crate::cli::folder(&[]);
    let head = "version = 1\n[kafka]\nbrokers = [\"localhost:1\"]\n";
    for (text, wanted) in [
        (
            "[source]\ntopics = [\"^logs\\\\..*\"]\ngroup = \"g\"\n[sink]\ntopic = \
             \"logs.clean\"\n",
            "8:9: `logs.clean`: what is written there would be read again",
        ),
        (
            "[source]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \
             \"b\"\n[dead_letter]\ntopic = \"a\"\n",
            "10:9: `a`: what is written",
        ),
        (
            "[source]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \
             \"b\"\n[dead_letter]\ntopic = \"b\"\n",
            "10:9: dead letters need a topic of their own",
        ),
        ("[source]\ntopics = [\"a\"]\ngroup = \"g\"\n", "2:1: to read topics, add [sink]"),
        ("[source]\ntopics = [\"a\"]\n[sink]\ntopic = \"{topic}.b\"\n", "4:1: `group` is missing"),
        (
            "[source]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \"{name}.b\"\n",
            "8:9: `{name}.b` is not a valid topic name: use letters, digits",
        ),
        (
            "[source]\ntopics = [\"^logs\\\\..*\"]\ngroup = \"g\"\n[sink]\ntopic = \"{topic}.b\"\n",
            "8:9: `{topic}.b`: what is written there would be read again, because [source] \
             includes `^logs\\..*`, which matches any ending: end it with `$`",
        ),
        (
            "[source]\ntopics = [\"a\", \"a.b\"]\ngroup = \"g\"\n[sink]\ntopic = \"{topic}.b\"\n",
            "8:9: `{topic}.b`: what is written there would be read again, because [source] includes `a.b`",
        ),
        (
            "[source]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \"b\"\nroutes = [{ from = \
             \"x\", topic = \"a\" }]\n",
            "9:33: `a`: what is written there would be read again, because [source] includes this topic",
        ),
        (
            "[source]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \"b\"\nroutes = [{ from = \
             \"^(\", topic = \"c\" }]\n",
            "9:20: `^(` is not a valid regex",
        ),
        (
            "[source]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \"b\"\nroutes = [{ form = \
             \"a\", topic = \"c\" }]\n",
            "`from` is missing",
        ),
        (
            "properties = { \"acks\" = \"1\" }\n[source]\ntopics = [\"a\"]\ngroup = \
             \"g\"\n[sink]\ntopic = \"b\"\n",
            "4:16: `acks` cannot be set: Tamis sets it, because",
        ),
        (
            "properties = { \"linger\" = \"1\" }\n[source]\ntopics = [\"a\"]\ngroup = \
             \"g\"\n[sink]\ntopic = \"b\"\n",
            "kafka.properties: ",
        ),
        (
            "[source]\ntopic = [\"a\"]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \"b\"\n",
            "5:1: unknown key `topic`: did you mean `topics`?",
        ),
    ] {
        let (code, said) = judged(&dir, &format!("{head}{text}"));
        assert_eq!(code, 2, "{text}{said}");
        assert!(said.contains(wanted), "{text}{said}");
    }
}

/// What `config check` says of a configuration, and its exit code.
fn judged(dir: &tempfile::TempDir, text: &str) -> (i32, String) {
    std::fs::write(dir.path().join("t.toml"), text).unwrap();
    let output = crate::cli::tamis(&["config", "check", "t.toml"])
        .env_remove("TAMIS_CONFIG")
        .current_dir(dir)
        .output()
        .unwrap();
    (crate::cli::code(&output), crate::cli::stderr(&output))
}
