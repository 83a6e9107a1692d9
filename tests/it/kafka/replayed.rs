//! Dead letters of topics, replayed.

use std::collections::BTreeMap;

use serde_json::Value;
use tamis::compression::Format;

use super::{
    broker::{Broker, Written, broker, unique},
    contents::packed,
    deaths::died,
    member::Desk,
    names, record, topics,
    watched::ADMIN,
};
use crate::{admin::get, cli::adds_up, replay::key};

/// A folder with a configuration whose letters are sealed to the identity in `key`.
fn sealing(broker: &Broker, topics: [&str; 3], group: &str, more: &str) -> Desk {
    let desk = Desk::new(broker, topics, group, more);
    let public = key(desk.path("").as_path(), "key");
    desk.change("tamis.toml", |text| format!("{text}encrypt_to = \"{public}\"\n"));
    desk
}

/// The configuration becomes another, as `name`.
fn mended(text: String) -> String {
    text.replace("require = [\"kind\"]\n", "")
}

/// Runs until so many records were written, to the sink or the dead letter.
fn run(desk: &Desk, broker: &Broker, topics: &[String; 3], written: i64) {
    let mut member = desk.start("run");
    member.until("all", || broker.count(&topics[1]) + broker.count(&topics[2]) >= written);
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("run"));
    adds_up(&account);
}

/// Replays with the identity in `key`, and returns the account.
fn replay(desk: &Desk, more: &[&str]) -> Value {
    let args = ["replay", "--config", "tamis.toml", "--identity", "key"];
    done(desk, &[&args[..], more].concat())
}

fn done(desk: &Desk, args: &[&str]) -> Value {
    let (code, account) = desk.spawn(args, "replay", "a").end();
    let said = desk.said("replay");
    assert_eq!(code, 0, "{said}");
    adds_up(&account);
    assert!(!said.contains("ada@") && !said.contains("AGE-SECRET"), "{said}");
    // That it comes to the end is no fault.
    assert!(!said.contains("PartitionEOF"), "{said}");
    account
}

/// All that a topic holds, in an order that does not hang on when it came.
fn sorted(broker: &Broker, topic: &str) -> Vec<Written> {
    let mut all = broker.read(topic);
    all.sort_by(|a, b| (&a.key, &a.value).cmp(&(&b.key, &b.value)));
    all
}

#[test]
fn what_was_refused_arrives_as_it_came_once_the_rules_are_mended() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 3);
    let group = unique("group");
    let header = |name: &str, value: &[u8]| (name.to_owned(), Some(value.to_vec()));
    let mut sent: Vec<_> = (0..40)
        .map(|n| record(&format!("order-{n}"), &format!("{{\n\t\"n\": {n}\n}}\n")))
        .collect();
    sent[3].headers = vec![header("kind", b"order"), ("none".into(), None)];
    sent[4].value = Some(packed(Format::Gzip, b"{\"n\":\"four\"}"));
    sent[5].value = Some(packed(Format::Zstd, b"{\"n\":\"five\"}\n"));
    sent[6].value = Some(b"\0\0\0\0\x07{\"n\":6}".to_vec());
    sent[7].value = Some(b"{\"kind\":\"good at once\"}".to_vec());
    sent[8].key = None;
    for (n, record) in sent.iter_mut().enumerate() {
        record.partition = (n % 3) as i32;
    }
    let personal = [
        record("ada@example.com", "{\"mail\":\"ada@example.com\"}"),
        record("broken", "{\"broken\":\"ada@example.com\""),
    ];
    broker.write(&topics[0], &sent);
    broker.write(&topics[0], &personal);
    let desk = sealing(&broker, names(&topics), &group, "#secret\n#same\nrequire = [\"kind\"]");
    run(&desk, &broker, &topics, 42);
    assert_eq!((broker.count(&topics[1]), broker.count(&topics[2])), (1, 41));
    let broken = |letters: &[Written]| -> Vec<Written> {
        let of = letters.iter().filter(|l| l.key.as_deref() == Some(b"broken"));
        of.cloned().collect()
    };
    let first = &broken(&broker.read(&topics[2]))[0];

    desk.change("tamis.toml", mended);
    let account = replay(&desk, &[]);
    assert_eq!((&account["read"], &account["clean"]), (&41.into(), &39.into()), "{account}");
    assert_eq!(account["redacted"], 1);
    assert_eq!(account["dead_lettered"]["unterminated"], 1);
    let came = sorted(&broker, &topics[1]);
    let (known, others): (Vec<_>, Vec<_>) =
        came.into_iter().partition(|r| r.key.as_ref().is_none_or(|key| key.len() < 64));
    // Key, value, headers, timestamp, and the partition.
    let mut wanted = sent.clone();
    wanted.sort_by(|a, b| (&a.key, &a.value).cmp(&(&b.key, &b.value)));
    assert_eq!(known, wanted);
    assert_eq!(others[0].text(), "{\"mail\":\"[REDACTED:email]\"}");
    assert_eq!(broker.committed(&format!("{group}.replay"), &topics[2], 3), 41);
    assert_eq!(broker.committed(&group, &topics[0], 3), 42);

    // What fails again does so three times, and then it stays.
    for attempts in 1..=3 {
        let letters = broken(&broker.read(&topics[2]));
        let last = letters
            .iter()
            .find(|letter| letter.header("__tamis.attempts") == Some(attempts.to_string()));
        let mut last = last.unwrap_or_else(|| panic!("{letters:?}")).clone();
        assert_eq!(letters.len(), attempts + 1);
        last.headers.retain(|(name, _)| name != "__tamis.attempts" && name != "__tamis.sealed");
        let mut before = first.clone();
        before.headers.retain(|(name, _)| name != "__tamis.sealed");
        before.timestamp = last.timestamp;
        assert_eq!(last, before);
        let account = replay(&desk, &[]);
        let stays = u64::from(attempts == 3);
        assert_eq!(account["read"], 1, "{attempts}: {account}");
        assert_eq!(account["stay"]["tried"].as_u64().unwrap_or_default(), stays, "{account}");
    }
    assert!(desk.said("replay").contains("1 not replayed: 1 at the limit of --attempts"));
    let account = replay(&desk, &[]);
    assert_eq!(account["read"], 0, "{account}");
    assert_eq!((broker.count(&topics[1]), broker.count(&topics[2])), (41, 44));
    let all = [broker.read(&topics[1]), broker.read(&topics[2])].concat();
    assert!(all.iter().all(|record| !record.everything().contains("ada@")));
}

#[test]
fn letters_for_another_identity_stay_and_another_group_reads_them() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let sent = [record("a", "{\"n\":1}"), record("b", "{\"n\":2}")];
    broker.write(&topics[0], &sent);
    let desk = sealing(&broker, names(&topics), &unique("group"), "require = [\"kind\"]");
    run(&desk, &broker, &topics, 2);
    desk.change("tamis.toml", mended);
    let other = key(desk.path("").as_path(), "other");
    let args = ["replay", "--config", "tamis.toml", "--identity", "other"];
    let (code, account) = desk.spawn(&args, "replay", "a").end();
    assert_eq!((code, &account["stay"]["shut"]), (3, &2.into()), "{account}");
    adds_up(&account);
    let said = desk.said("replay");
    assert!(said.contains("2 not decrypted by --identity"), "{said}");
    assert!(!said.contains(&other), "{said}");
    assert_eq!((broker.count(&topics[1]), broker.count(&topics[2])), (0, 2));
    // They are passed over.
    assert_eq!(replay(&desk, &[])["read"], 0);
    let account = replay(&desk, &["--group", &unique("elsewhere")]);
    assert_eq!((&account["read"], &account["clean"]), (&2.into(), &2.into()), "{account}");
    assert_eq!(broker.read(&topics[1]), broker.read(&topics[0]));
    // So often, and no more.
    let account = replay(&desk, &["--group", &unique("elsewhere"), "--attempts", "1"]);
    assert_eq!(account["clean"], 2, "{account}");
}

#[test]
fn open_letters_are_replayed_where_they_are_whole_and_others_stay() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    let hop = |n: &str| ("__tamis.hop".to_owned(), Some(n.as_bytes().to_vec()));
    let sent = [
        Written { headers: vec![hop("7")], ..record("k", "{\n \"mail\":\"ada@example.com\"}") },
        record("ada@example.com", "{\"n\":1}"),
        record("k", "a text"),
        record("k", "{\"broken\":"),
        Written { value: Some(b"\0\0\0\0\x07{\"n\":2}".to_vec()), ..record("k", "") },
        Written { value: Some(packed(Format::Gzip, b"{\"n\":3}")), ..record("k", "") },
        record("k", "{\"n\":1e400}"),
    ];
    broker.write(&topics[0], &sent);
    let desk = Desk::new(&broker, names(&topics), &group, "#hops\nrequire = [\"kind\"]");
    run(&desk, &broker, &topics, 7);
    // One of a topic that is another's, and what is no letter.
    let mut foreign = broker.read(&topics[2]).swap_remove(6);
    for (name, value) in &mut foreign.headers {
        if name == "__tamis.errors.topic" {
            *value = Some(b"payroll".to_vec());
        }
    }
    broker.write(&topics[2], &[foreign, record("k", "no letter"), Written::default()]);
    desk.change("tamis.toml", mended);
    let args = ["replay", "--config", "tamis.toml"];
    let account = done(&desk, &args);
    let wanted = serde_json::json!({ "in_part": 5, "no_letter": 2, "elsewhere": 1 });
    assert_eq!((&account["read"], &account["stay"]), (&10.into(), &wanted), "{account}");
    assert_eq!(account["clean"], 2, "{account}");
    let came = broker.read(&topics[1]);
    let texts: Vec<_> = came.iter().map(Written::text).collect();
    // A line end that stood for white space is white space.
    assert_eq!(texts, ["{\t \"mail\":\"[REDACTED:email]\"}", "{\"n\":1e400}"]);
    assert_eq!((&came[0].headers, &came[0].key), (&vec![hop("8")], &sent[0].key));
    assert_eq!(came[0].timestamp, sent[0].timestamp);
    assert_eq!((broker.count(&topics[2]), &done(&desk, &args)["read"]), (10, &0.into()));
}

#[test]
fn of_lines_and_log_records_only_those_come_back_that_were_refused() {
    let Some(broker) = broker() else { return };
    let otlp = |logs: &str| {
        format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{logs}]}}]}}]}}")
    };
    let text = "{\"n\":1}\n{\"kind\":2}\n\n{\"n\":3}\n";
    let cases = [
        (
            "\"ndjson\"",
            vec![text.as_bytes().to_vec(), packed(Format::Zstd, text.as_bytes())],
            ["{\"kind\":2}\n", "{\"n\":1}\n", "{\"n\":3}\n"].map(str::to_owned),
        ),
        (
            "\"otlp\"",
            vec![otlp("{\"n\":1}, {\"kind\":2},{\"n\":3}").into_bytes()],
            [otlp("{\"kind\":2}"), otlp("{\"n\":1}"), otlp("{\"n\":3}")],
        ),
    ];
    for (framing, values, wanted) in cases {
        let topics = topics(&broker, 1);
        let sent: Vec<_> =
            values.into_iter().map(|v| Written { value: Some(v), ..record("k", "") }).collect();
        broker.write(&topics[0], &sent);
        let more = format!("#framing {framing}\nrequire = [\"kind\"]");
        let desk = sealing(&broker, names(&topics), &unique("group"), &more);
        let records = sent.len() as i64;
        run(&desk, &broker, &topics, 3 * records);
        // Once more for nothing: each keeps its line.
        let account = replay(&desk, &[]);
        assert_eq!(account["dead_lettered"]["schema_required"], 2 * records, "{account}");
        desk.change("tamis.toml", mended);
        let account = replay(&desk, &[]);
        let clean = &account["clean"];
        assert_eq!((&account["read"], clean), (&(2 * records).into(), &(2 * records).into()));
        let came: Vec<String> = broker
            .read(&topics[1])
            .iter()
            .map(|record| match record.value.as_deref().unwrap_or_default() {
                bytes if bytes.starts_with(b"\x28\xb5") => unpacked(bytes),
                bytes => String::from_utf8_lossy(bytes).into_owned(),
            })
            .collect();
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        came.iter().for_each(|text| *counts.entry(text).or_default() += 1);
        let wanted: BTreeMap<_, _> = wanted.iter().map(|text| (text.as_str(), records)).collect();
        assert_eq!(counts, wanted);
        let lines: Vec<_> =
            broker.read(&topics[2]).iter().map(|l| l.header("__tamis.errors.line")).collect();
        let last = if framing.contains("nd") { "4" } else { "3" };
        assert!(
            lines.iter().flatten().all(|line| ["1", last].contains(&line.as_str())),
            "{lines:?}"
        );
        assert_eq!(lines.len() as i64, 4 * records);
    }
}

pub(super) fn unpacked(bytes: &[u8]) -> String {
    let mut text = vec![0; 1 << 16];
    let mut decoder = tamis::compression::decoder(Format::Zstd, 23).unwrap();
    let step = decoder.step(bytes, true, &mut text).unwrap();
    text.truncate(step.produced);
    String::from_utf8(text).unwrap()
}

#[test]
fn lines_with_letters_of_their_own_do_not_come_twice() {
    let Some(broker) = broker() else { return };
    let small = broker.topic("small", 1, &[("max.message.bytes", "2000")]);
    let topics = [broker.topic("in", 1, &[]), small, broker.topic("dead", 1, &[])];
    let large = broker.topic("large", 1, &[]);
    let long = |n: u32| format!("{{\"kind\":{n},\"text\":\"{}\"}}", "lorem ipsum ".repeat(200));
    let text = [long(1), "{\"n\":2}".into(), long(3)].join("\n");
    broker.write(&topics[0], &[record("k", &text)]);
    let more = "#framing \"ndjson\"\nrequire = [\"kind\"]";
    let desk = sealing(&broker, names(&topics), &unique("group"), more);
    run(&desk, &broker, &topics, 2);
    let letters = broker.read(&topics[2]);
    let others: Vec<_> = letters.iter().filter_map(|l| l.header("__tamis.errors.others")).collect();
    assert_eq!(others, ["2"]);
    desk.change("tamis.toml", |text| mended(text).replace(&topics[1], &large));
    assert_eq!(replay(&desk, &[])["clean"], 3);
    let came: Vec<_> = sorted(&broker, &large).iter().map(Written::text).collect();
    assert_eq!(came, [[long(1), long(3)].join("\n"), "{\"n\":2}".into()]);
}

#[test]
fn exactly_once_and_beside_the_main_job_by_templates_and_routes() {
    let Some(broker) = broker() else { return };
    let mark = unique("again");
    let make = |name: &str, partitions| {
        let name = format!("{mark}.{name}");
        broker.make(&name, partitions, &[]);
        name
    };
    let (a, b) = (make("a", 2), make("b", 1));
    let (clean, routed) = (make("a.clean", 2), make("elsewhere", 1));
    let dead = [make("a.dead", 1), make("b.dead", 2)];
    let more = format!(
        "delivery = \"exactly_once\"\ninstance = \"${{INSTANCE}}\"\nrequire = [\"kind\"]\n\
         #routes [{{ from = \"{b}\", topic = \"{routed}\" }}]"
    );
    let group = unique("group");
    let read = format!("^{mark}\\\\.[ab]$");
    let desk = sealing(&broker, [&read, "{topic}.clean", "{topic}.dead"], &group, &more);
    for topic in [&a, &b] {
        let sent: Vec<_> = (0..50)
            .map(|n| record(&format!("{n}"), &format!("{{\"of\":\"{topic}\",\"n\":{n}}}")))
            .collect();
        broker.write(topic, &sent);
    }
    let mut main = desk.start_as("run", "a");
    let letters = || dead.iter().map(|topic| broker.read(topic).len()).sum::<usize>();
    main.until("the letters", || letters() >= 100);
    // What has no letters needs none.
    make("c", 1);
    desk.change("mended.toml", |text| mended(text).replace("[ab]", "[abc]"));
    let again = ["replay", "--config", "mended.toml", "--identity", "key"];
    let account = done(&desk, &again);
    assert_eq!((&account["read"], &account["clean"]), (&100.into(), &100.into()), "{account}");
    let same = |from: &str, to: &str| {
        let (sent, came) = (sorted(&broker, from), sorted(&broker, to));
        assert_eq!(came, sent, "{to}");
    };
    same(&a, &clean);
    same(&b, &routed);
    assert_eq!(done(&desk, &again)["read"], 0);
    // The main job has gone on, and does so: it is not fenced.
    broker.write(&a, &[record("last", "{\"kind\":\"last\"}")]);
    main.until("the last", || broker.read(&clean).len() > 50);
    let (code, account) = main.stop();
    assert_eq!((code, &account["read"]), (0, &101.into()), "{}", desk.said("run"));
    same(&a, &clean);
}

/// So many letters, and the way to replay them.
fn many(broker: &Broker, more: &str, letters: i64) -> ([String; 3], Desk) {
    let topics = topics(broker, 3);
    let sent: Vec<_> = (0..letters)
        .map(|n| {
            record(&format!("order-{n}"), &format!("{{\"n\":{n},\"mail\":\"ada@example.com\"}}"))
        })
        .collect();
    broker.write(&topics[0], &sent);
    let more = format!("{more}\nrequire = [\"kind\"]");
    let desk = sealing(broker, names(&topics), &unique("group"), &more);
    let mut member = desk.start_as("run", "a");
    member.until("all", || broker.count(&topics[2]) >= letters);
    let (code, account) = member.stop();
    assert_eq!((code, &account["read"]), (0, &letters.into()), "{}", desk.said("run"));
    desk.change("tamis.toml", mended);
    (topics, desk)
}

const AGAIN: [&str; 5] = ["replay", "--config", "tamis.toml", "--identity", "key"];

#[test]
fn keys_that_had_no_pseudonym_and_tombstones_come_back() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let personal = record("ada@example.com", "{\"n\":1}");
    let sent = [Written { value: None, ..personal.clone() }, personal];
    broker.write(&topics[0], &sent);
    let desk = sealing(&broker, names(&topics), &unique("group"), "");
    run(&desk, &broker, &topics, 2);
    assert_eq!((broker.count(&topics[1]), broker.count(&topics[2])), (0, 2));
    desk.change("tamis.toml", |text| {
        text.replace("[sink]\n", "[sink]\npseudonym_key_file = \"secret\"\n")
    });
    let account = replay(&desk, &[]);
    assert_eq!((&account["tombstones"], &account["redacted"]), (&1.into(), &1.into()), "{account}");
    let came = broker.read(&topics[1]);
    assert_eq!([0, 1].map(|at| &came[at].value), [&None, &sent[1].value]);
    assert!(came[0].key.as_ref().unwrap().len() == 64 && came[0].key == came[1].key);
}

#[test]
fn a_letter_that_runs_died_of_is_passed_over_and_a_sink_holds_no_letters() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    let sent: Vec<_> = (0..5).map(|n| record("k", &format!("{{\"n\":{n}}}"))).collect();
    broker.write(&topics[0], &sent);
    let desk = sealing(&broker, names(&topics), &group, "#data\nrequire = [\"kind\"]");
    run(&desk, &broker, &topics, 5);
    desk.change("tamis.toml", mended);
    let again = format!("{group}.replay");
    died(&desk, &again, &topics[2], 3, [3, 3]);
    let account = replay(&desk, &[]);
    assert_eq!(
        (&account["clean"], &account["stay"]["skipped"]),
        (&4.into(), &1.into()),
        "{account}"
    );
    assert_eq!((broker.count(&topics[1]), broker.count(&topics[2])), (4, 5));
    // Of a topic that is gone, too.
    let sink = format!("{}.dead", unique("gone"));
    broker.make(&sink, 1, &[]);
    let of = sink.trim_end_matches(".dead");
    let read = format!("{}\", \"{of}", topics[0]);
    broker.make(&format!("{}.dead", topics[0]), 1, &[]);
    let desk = sealing(&broker, [&read, &sink, "{topic}.dead"], &group, "");
    let (code, _) = desk.spawn(&AGAIN, "circle", "a").end();
    let said = desk.said("circle");
    assert!(
        code == 3
            && said.contains(&format!("`{sink}` is both a sink topic and a dead letter topic")),
        "{said}"
    );
}

#[test]
fn letters_outlive_the_topic_that_they_came_from() {
    let Some(broker) = broker() else { return };
    let [source, sink, _] = topics(&broker, 1);
    let dead = format!("{source}.dead");
    broker.make(&dead, 1, &[]);
    let sent = [record("k", "{\"n\":1}"), record("k", "{\"n\":2}")];
    broker.write(&source, &sent);
    let more = "require = [\"kind\"]";
    let desk = sealing(&broker, [&source, &sink, "{topic}.dead"], &unique("group"), more);
    let all = [source.clone(), sink.clone(), dead.clone()];
    run(&desk, &broker, &all, 2);
    desk.change("tamis.toml", mended);
    broker.delete(&source);
    let account = replay(&desk, &[]);
    assert_eq!((&account["read"], &account["clean"]), (&2.into(), &2.into()), "{account}");
    let came: Vec<_> = broker.read(&sink).iter().map(Written::text).collect();
    assert_eq!(came, ["{\"n\":1}", "{\"n\":2}"]);
    broker.delete(&dead);
    let (code, _) = desk.spawn(&AGAIN, "gone", "a").end();
    let said = desk.said("gone");
    assert!(code == 3 && said.contains(&format!("topic `{dead}` does not exist")), "{code} {said}");
}

/// The sink is not there when a replay begins, and then it is.
fn waited(broker: &Broker, exactly: &str) {
    let [source, _, dead] = topics(broker, 2);
    let sink = format!("{source}.clean");
    broker.make(&sink, 2, &[]);
    let sent: Vec<_> =
        (0..20).map(|n| record(&format!("{n}"), &format!("{{\"n\":{n}}}"))).collect();
    broker.write(&source, &sent);
    let more = format!("{exactly}\nrequire = [\"kind\"]");
    let desk = sealing(broker, [&source, "{topic}.clean", &dead], &unique("group"), &more);
    let mut main = desk.start_as("run", "a");
    main.until("the letters", || broker.read(&dead).len() == 20);
    assert_eq!(main.stop().0, 0);
    desk.change("tamis.toml", |text| {
        let soon = "{ \"topic.metadata.propagation.max.ms\" = \"500\",";
        mended(text).replace("{ \"session", &format!("{soon} \"session"))
    });
    broker.delete(&source);
    broker.delete(&sink);
    let mut member = desk.spawn(&AGAIN, "replay", "a");
    member.until("the pause", || desk.said("replay").contains("topic_paused"));
    broker.make(&sink, 2, &[]);
    let (code, account) = member.end();
    let said = desk.said("replay");
    assert_eq!((code, &account["clean"]), (0, &20.into()), "{said}");
    adds_up(&account);
    let mut keys: Vec<_> = sorted(broker, &sink).into_iter().map(|r| r.key).collect();
    let came = keys.len();
    keys.dedup();
    // At least once, what a topic's fault met may come twice.
    assert!(keys.len() == 20 && (exactly.is_empty() || came == 20), "{came}: {said}");
    assert_eq!(replay(&desk, &[])["read"], 0);
}

#[test]
fn a_sink_that_is_not_there_is_waited_for_and_the_end_comes_all_the_same() {
    let Some(broker) = broker() else { return };
    waited(&broker, "");
}

#[test]
fn so_it_is_where_the_transaction_is_taken_back() {
    let Some(broker) = broker() else { return };
    waited(&broker, "delivery = \"exactly_once\"\ninstance = \"${INSTANCE}\"");
}

#[test]
fn two_share_the_letters() {
    let Some(broker) = broker() else { return };
    let (topics, desk) = many(&broker, "", 6_000);
    let members = ["one", "two"].map(|name| (name, desk.spawn(&AGAIN, name, name)));
    let read = members.map(|(name, member)| {
        let (code, account) = member.end();
        assert_eq!(code, 0, "{}", desk.said(name));
        adds_up(&account);
        account["read"].as_u64().unwrap()
    });
    let keys: Vec<_> = sorted(&broker, &topics[1]).into_iter().map(|record| record.key).collect();
    let mut once = keys.clone();
    once.dedup();
    assert_eq!((read[0] + read[1], keys.len(), once.len()), (6_000, 6_000, 6_000));
}

#[test]
fn one_that_is_stopped_goes_on_where_it_was() {
    let Some(broker) = broker() else { return };
    let (topics, desk) = many(&broker, ADMIN, 6_000);
    let mut first = desk.spawn(&AGAIN, "first", "a");
    first.until("the address", || desk.admin("first").is_some());
    let port = desk.admin("first").unwrap();
    first.until("readiness", || get(port, "/ready", "").0 == 200);
    let lag = format!("tamis_kafka_lag_records{{topic=\"{}\"", topics[2]);
    first.until("its lag", || get(port, "/metrics", "").1.contains(&lag));
    first.until("some", || broker.count(&topics[1]) > 500);
    let (code, account) = first.stop();
    assert_eq!(code, 0, "{}", desk.said("first"));
    adds_up(&account);
    let read = account["read"].as_u64().unwrap();
    let account = replay(&desk, &[]);
    assert_eq!(account["read"].as_u64(), Some(6_000 - read), "{account}");
    let keys: Vec<_> = sorted(&broker, &topics[1]).into_iter().map(|record| record.key).collect();
    let mut once = keys.clone();
    once.dedup();
    assert_eq!((keys.len(), once.len()), (6_000, 6_000));
}

/// One of 4,000 letters is killed, and another goes on: how many records there are in the end.
fn killed(broker: &Broker, more: &str) -> usize {
    let (topics, desk) = many(broker, more, 4_000);
    let mut first = desk.spawn(&AGAIN, "first", "a");
    first.until("some", || broker.count(&topics[1]) > 500);
    first.kill();
    replay(&desk, &[]);
    let keys: Vec<_> = sorted(broker, &topics[1]).into_iter().map(|record| record.key).collect();
    let mut once = keys.clone();
    once.dedup();
    assert_eq!(once.len(), 4_000);
    assert_eq!(replay(&desk, &[])["read"], 0);
    keys.len()
}

#[test]
fn one_that_is_killed_loses_nothing() {
    let Some(broker) = broker() else { return };
    assert!(killed(&broker, "") >= 4_000);
}

#[test]
fn one_that_is_killed_doubles_nothing_where_it_is_exactly_once() {
    let Some(broker) = broker() else { return };
    let more = "delivery = \"exactly_once\"\ninstance = \"${INSTANCE}\"";
    assert_eq!(killed(&broker, more), 4_000);
}

#[test]
fn what_is_typed_for_files_is_not_for_topics() {
    let broker = Broker { address: "localhost:1".into() };
    let desk = sealing(&broker, ["a", "b", "c"], "tamis", "");
    let plain = Desk::new(&broker, ["a", "b", ""], "tamis", "");
    let base = ["replay", "--config", "tamis.toml"];
    for (desk, more, wanted) in [
        (
            &desk,
            &["--identity", "key", "--remaining", "left"][..],
            "--remaining is only for dead letters in a FILE",
        ),
        (&desk, &["--identity", "key", "--follow"], "remove FILE, -r, -f, -o"),
        (&desk, &["--identity", "key", "-o", "x"], "remove FILE, -r, -f, -o"),
        (&desk, &["--identity", "key", "app.log"], "remove FILE, -r, -f, -o"),
        (&desk, &["--identity", "key", "--group", "tamis"], "[source] uses this group"),
        (&desk, &["--identity", "none"], "--identity none: "),
        (&desk, &[], "--identity KEYFILE"),
        (&desk, &["--dead-letter", "key"], "this configuration reads topics"),
        (&plain, &[], "the configuration has no [dead_letter]"),
    ] {
        let (code, _) = desk.spawn(&[&base[..], more].concat(), "usage", "a").end();
        let said = desk.said("usage");
        let last = said.lines().last().unwrap_or_default();
        assert!(code == 2 && last.contains(wanted), "{more:?}: {code} {said}");
    }
}
