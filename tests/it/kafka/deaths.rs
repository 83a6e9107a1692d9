//! Records that runs die of.

use std::fs;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tamis::compression::Format;

use super::{
    broker::{Written, broker, unique},
    contents::packed,
    member::Desk,
    names,
    starts::{skipped, texts},
    topics,
    watched::{ADMIN, numbered, port},
};
use crate::admin::{get, measures};

/// A note as it is kept.
fn sealed(text: &str) -> String {
    let digest: String =
        Sha256::digest(text)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digest} {text}")
}

/// Notes as runs leave them that died of these offsets, the last of them of the latter.
pub(super) fn died(desk: &Desk, group: &str, topic: &str, deaths: u32, [first, last]: [i64; 2]) {
    let suspect = |first, last, deaths| {
        let place = format!("\"topic\":\"{topic}\",\"partition\":0");
        format!("{{{place},\"first\":{first},\"last\":{last},\"deaths\":{deaths}}}")
    };
    let path = |end: &str| desk.path(&format!("data/tamis-{group}.{end}"));
    fs::create_dir_all(desk.path("data")).unwrap();
    let known = format!("{{\"suspects\":[{}],\"quarantined\":[]}}", suspect(0, 9, deaths));
    fs::write(path(".deaths"), sealed(&known)).unwrap();
    let left = sealed(&format!("[{}]", suspect(first, last, 0)));
    fs::write(path(".0.work"), left + "\n").unwrap();
}

#[test]
fn records_that_runs_died_of_are_judged_one_by_one() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    broker.write(&topics[0], &numbered("in", 0..30));
    let desk = Desk::new(&broker, names(&topics), &group, &format!("{ADMIN}\n#data"));
    died(&desk, &group, &topics[0], 2, [0, 9]);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    member.until("all", || broker.committed(&group, &topics[0], 1) == 30);
    let m = measures(&get(port, "/metrics", "").1);
    // Ten by themselves, and the others together.
    let chunks = m["tamis_acknowledged_age_seconds_count"];
    assert!((11.0..30.0).contains(&chunks), "{chunks}");
    assert_eq!(member.stop().0, 0);
    let said = desk.said("err");
    assert!(said.contains("[0]:0 to 9: the process crashed 3 times in a row"), "{said}");
    assert_eq!(broker.count(&topics[1]), 30);
}

#[test]
fn a_record_that_runs_died_of_is_quarantined() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    broker.write(&topics[0], &numbered("in", 0..10));
    let desk = Desk::new(&broker, names(&topics), &group, &format!("{ADMIN}\n#data"));
    died(&desk, &group, &topics[0], 3, [4, 4]);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    member.until("all", || broker.committed(&group, &topics[0], 1) == 10);
    member.until("the count", || skipped(port, "poison") == 1.0);
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!((code, &account["dead_lettered"]["poison"]), (0, &1.into()), "{said}");
    assert!(said.contains("[0]:4: quarantined, because the process crashed repeatedly"), "{said}");
    let letters = broker.read(&topics[2]);
    assert_eq!((letters.len(), letters[0].text()), (1, String::new()));
    assert_eq!(letters[0].header("__tamis.errors.offset").as_deref(), Some("4"));
    assert!(!texts(&broker, &topics[1]).contains(&"{\"in\":4}".to_owned()));
    // It is over: the notes have nothing left.
    let deaths = fs::read_to_string(desk.path(&format!("data/tamis-{group}..deaths"))).unwrap();
    assert!(deaths.contains("\"quarantined\":[]"), "{deaths}");
}

/// What is full of findings and takes long to judge, short as it arrives.
fn heavy() -> Written {
    let mails: String = (0..500_000).map(|n| format!("roe{n}@mail.example.org ")).collect();
    let value = packed(Format::Zstd, format!("{{\"mails\":\"{mails}\"}}").as_bytes());
    Written { value: Some(value), ..Written::value(String::new()) }
}

/// Whether a worker is judging a block that holds this offset, as its note says.
fn is_judging(desk: &Desk, group: &str, offset: i64) -> bool {
    let note = |slot| {
        let path = desk.path(&format!("data/tamis-{group}..{slot}.work"));
        let text = fs::read_to_string(path).unwrap_or_default();
        let ranges: Value = serde_json::from_str(text.lines().next()?.split_once(' ')?.1).ok()?;
        let at = |range: &Value, key: &str| range[key].as_i64().unwrap();
        let mut all = ranges.as_array()?.iter();
        all.any(|range| at(range, "first") <= offset && offset <= at(range, "last")).then_some(())
    };
    (0..8).any(|slot| note(slot).is_some())
}

#[test]
fn a_record_at_which_the_process_is_killed_again_and_again_is_found_and_passed_over() {
    const CULPRIT: i64 = 20;
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    broker.write(&topics[0], &numbered("in", 0..20));
    broker.write(&topics[0], &[heavy()]);
    broker.write(&topics[0], &numbered("in", 21..40));
    let more = format!("{ADMIN}\nmax_event_bytes = \"16MiB\"\n#data");
    let desk = Desk::new(&broker, names(&topics), &group, &more);
    let mut deaths = 0;
    // As the system does it when memory runs out.
    while !desk.said("err").contains("[0]:20: quarantined, because the process crashed repeatedly")
    {
        assert!(deaths < 6, "{}", desk.said("err"));
        let mut member = desk.start("err");
        let passed = || desk.said("err").contains("[0]:20: quarantined");
        // What the one before left is known by now, and nobody's note any more.
        let known = || {
            let path = desk.path(&format!("data/tamis-{group}..deaths"));
            fs::read_to_string(path).unwrap_or_default().contains(&format!("\"deaths\":{deaths}"))
        };
        member.until("the notes", || deaths == 0 || known() || passed());
        member.until("the culprit", || is_judging(&desk, &group, CULPRIT) || passed());
        if !passed() {
            member.kill();
            deaths += 1;
        }
    }
    // It may have been in a block with others; then it was found behind the third death, and died of alone.
    assert!((3..=4).contains(&deaths), "{deaths} {}", desk.said("err"));
    let mut member = desk.start("last");
    member.until("all", || broker.committed(&group, &topics[0], 1) == 40);
    assert_eq!(member.stop().0, 0, "{}", desk.said("last"));
    let mut arrived = texts(&broker, &topics[1]);
    arrived.sort();
    arrived.dedup();
    assert_eq!(arrived.len(), 39, "{arrived:?}");
    let letters = broker.read(&topics[2]);
    assert!(!letters.is_empty());
    for letter in letters {
        assert_eq!(letter.header("__tamis.errors.offset").as_deref(), Some("20"));
    }
}
