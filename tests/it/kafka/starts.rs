//! Where partitions begin, and topics that do not fit any more.

use std::cell::Cell;

use super::{
    broker::{Broker, Written, broker, unique},
    exactly_once::EXACTLY_ONCE,
    judged,
    member::Desk,
    names, topics,
    watched::{ADMIN, numbered, port},
};
use crate::admin::{get, measures};

pub(super) fn skipped(port: u16, reason: &str) -> f64 {
    let all = measures(&get(port, "/metrics", "").1);
    all[&format!("tamis_offsets_skipped_total{{reason=\"{reason}\"}}")]
}

pub(super) fn texts(broker: &Broker, topic: &str) -> Vec<String> {
    broker.read(topic).iter().map(Written::text).collect()
}

#[test]
fn a_group_without_offsets_begins_where_it_is_told() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    broker.write(&topics[0], &numbered("in", 0..10));
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "#source no_offset = \"stop\"");
    let (code, account) = desk.start("err").end();
    let said = desk.said("err");
    assert_eq!((code, &account["read"]), (3, &0.into()), "{said}");
    assert!(said.contains("no committed offset, and source.no_offset = "), "{said}");

    let group = unique("group");
    let more = format!("{ADMIN}\n#source no_offset = \"latest\"");
    let desk = Desk::new(&broker, names(&topics), &group, &more);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    member.until("its start", || get(port, "/ready", "").0 == 200);
    assert_eq!(skipped(port, "latest"), 10.0);
    // Where it began is kept, though nothing was read.
    member.until("the commit", || broker.committed(&group, &topics[0], 1) == 10);
    assert_eq!(member.stop().0, 0);
    assert!(desk.said("err").contains("10 offsets are skipped; reading begins at 10"));
    broker.write(&topics[0], &numbered("in", 10..13));
    let mut member = desk.start("again");
    member.until("the rest", || broker.committed(&group, &topics[0], 1) == 13);
    assert_eq!(member.stop().0, 0);
    assert_eq!(texts(&broker, &topics[1]), ["{\"in\":10}", "{\"in\":11}", "{\"in\":12}"]);
    assert!(!desk.said("again").contains("skipped,"), "{}", desk.said("again"));
}

#[test]
fn a_new_partition_begins_where_it_is_told() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let group = unique("group");
    let of = |partition, range| -> Vec<_> {
        numbered("in", range).into_iter().map(|record| Written { partition, ..record }).collect()
    };
    broker.write(&topics[0], &of(0, 0..5));
    let more = format!("{ADMIN}\n#source new_partition = \"latest\"");
    let desk = Desk::new(&broker, names(&topics), &group, &more);
    let mut member = desk.start("first");
    member.until("all", || broker.committed(&group, &topics[0], 1) == 5);
    assert_eq!(member.stop().0, 0);
    broker.grow(&topics[0], 2);
    broker.write(&topics[0], &of(1, 5..9));
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    member.until("its start", || get(port, "/ready", "").0 == 200);
    assert_eq!(skipped(port, "latest"), 4.0);
    broker.write(&topics[0], &of(1, 9..11));
    member.until("the rest", || broker.count(&topics[1]) == 7);
    assert_eq!(member.stop().0, 0);
    assert!(desk.said("err").contains(": 4 offsets are skipped"));
}

#[test]
fn a_member_whose_partitions_outgrow_its_memory_joins_anew() {
    const MANY: usize = 12;
    let Some(broker) = broker() else { return };
    for delivery in ["#secret", EXACTLY_ONCE] {
        let topics = topics(&broker, 1);
        let group = unique("group");
        broker.write(&topics[0], &numbered("in", 0..500));
        let desk = Desk::new(&broker, names(&topics), &group, delivery);
        let mut member = desk.start("err");
        member.until("the first", || broker.committed(&group, &topics[0], 1) == 500);
        broker.grow(&topics[0], MANY);
        // It has some of the old partition's records in hand when the others come.
        let anew = || desk.said("err").contains("group_joined_anew");
        let count = Cell::new(500);
        member.until("the new partitions", || {
            let more = numbered("in", count.get()..count.get() + 100).into_iter();
            let more: Vec<_> = more.map(|record| Written { partition: 0, ..record }).collect();
            broker.write(&topics[0], &more);
            count.set(count.get() + 100);
            anew()
        });
        let count = count.get();
        let spread: Vec<_> = numbered("in", count..count + 1200)
            .into_iter()
            .zip(0..)
            .map(|(record, at)| Written { partition: at % MANY as i32, ..record })
            .collect();
        broker.write(&topics[0], &spread);
        let all = i64::from(count) + 1200;
        member.until("the rest", || broker.committed(&group, &topics[0], MANY as i32) == all);
        let (code, account) = member.stop();
        let said = desk.said("err");
        assert_eq!((code, &account["unwritten"]), (0, &0.into()), "{said}");
        crate::cli::adds_up(&account);
        assert_eq!(said.matches("\"group_joined_anew\"").count(), 1, "{said}");
        let mut came = texts(&broker, &topics[1]);
        assert_eq!(came.len() as i64, all, "{said}");
        came.sort();
        came.dedup();
        assert_eq!(came.len() as i64, all);
    }
}

#[test]
fn an_offset_that_is_gone_leads_where_it_is_told() {
    let Some(broker) = broker() else { return };
    for (policy, skips, comes) in [("earliest", 5.0, 15), ("latest", 10.0, 10)] {
        let topics = topics(&broker, 1);
        let group = unique("group");
        broker.write(&topics[0], &numbered("in", 0..10));
        let more = format!("{ADMIN}\n#source out_of_range = \"{policy}\"");
        let desk = Desk::new(&broker, names(&topics), &group, &more);
        let mut member = desk.start("first");
        member.until("all", || broker.committed(&group, &topics[0], 1) == 10);
        assert_eq!(member.stop().0, 0);
        broker.write(&topics[0], &numbered("in", 10..20));
        broker.delete_before(&topics[0], 0, 15);
        let mut member = desk.start("err");
        let port = port(&desk, &mut member);
        member.until("the end", || broker.committed(&group, &topics[0], 1) == 20);
        assert_eq!(skipped(port, "out_of_range"), skips);
        assert_eq!(member.stop().0, 0);
        let said = desk.said("err");
        assert!(
            said.contains("the committed offset 10 does not exist (existing: 15 to 20)"),
            "{said}"
        );
        assert_eq!(broker.count(&topics[1]), comes);
    }
}

#[test]
fn a_topic_that_comes_later_must_fit_too() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 2);
    let pattern = format!("^{}(-more)?$", topics[0]);
    let desk = Desk::new(&broker, [&pattern, &topics[1], &topics[2]], &unique("group"), "#same");
    broker.write(&topics[0], &numbered("in", 0..5));
    let mut member = desk.start("err");
    member.until("the first", || broker.count(&topics[1]) == 5);
    broker.make(&format!("{}-more", topics[0]), 3, &[]);
    let (code, account) = member.end();
    let said = desk.said("err");
    assert_eq!((code, &account["clean"]), (3, &5.into()), "{said}");
    assert!(said.contains("-more` has 3, `"), "{said}");
}

#[test]
fn start_policies_are_judged() {
    let dir = crate::cli::folder(&[]);
    let head = "version = 1\n[kafka]\nbrokers = [\"localhost:1\"]\n[sink]\ntopic = \"b\"\n\
                [source]\ntopics = [\"a\"]\ngroup = \"g\"\n";
    for (line, wanted) in [
        ("new_partition = \"stop\"", "new partitions cannot use \"stop\""),
        ("no_offset = \"first\"", "earliest, latest, stop"),
        ("no_offsets = \"stop\"", "did you mean `no_offset`"),
    ] {
        let (code, said) = judged(&dir, &format!("{head}{line}\n"));
        assert!(code == 2 && said.contains(wanted), "{line}: {said}");
    }
}
