//! A source topic that is deleted and made anew at once, while a member reads it or is idle: every record of
//! its second life arrives, if some of them twice.

use std::collections::BTreeSet;

use super::{
    broker::{Broker, Written, broker, unique},
    exactly_once::EXACTLY_ONCE,
    member::Desk,
    names, together, topics,
    watched::numbered,
};

const REFRESHED: &str = "\"topic.metadata.refresh.interval.ms\" = \"1000";

/// What befalls a topic.
struct Case {
    /// It is deleted while it is read; otherwise all of it was delivered and committed.
    reading: bool,
    /// The group looks at its topics every second.
    refreshed: bool,
    /// How many records it has in its first life and in its second, and how many partitions in that.
    first: u32,
    second: u32,
    partitions: i32,
}

const CASES: [Case; 5] = [
    Case { reading: false, refreshed: false, first: 500, second: 1_500, partitions: 2 },
    Case { reading: false, refreshed: true, first: 500, second: 1_500, partitions: 2 },
    // Fewer than were read of the first.
    Case { reading: false, refreshed: false, first: 500, second: 10, partitions: 2 },
    Case { reading: false, refreshed: false, first: 500, second: 1_500, partitions: 1 },
    Case { reading: true, refreshed: false, first: 20_000, second: 30_000, partitions: 2 },
];

/// The events of the second life that are not in the sink.
fn missing(broker: &Broker, sink: &str, second: u32) -> usize {
    let came: BTreeSet<_> = broker.read(sink).iter().map(Written::text).collect();
    numbered("second", 0..second).iter().filter(|event| !came.contains(&event.text())).count()
}

/// Made so that each partition has its part of the records.
fn spread(name: &str, count: u32, partitions: i32) -> Vec<Written> {
    let mut all = numbered(name, 0..count);
    (0..).zip(&mut all).for_each(|(number, record)| record.partition = number % partitions);
    all
}

fn lives_twice(case: &Case, more: &str) {
    const BEFORE: i32 = 2;
    let Some(broker) = broker() else { return };
    let Case { reading, refreshed, first, second, partitions } = *case;
    let topics = topics(&broker, BEFORE);
    let group = unique("group");
    broker.write(&topics[0], &spread("first", first, BEFORE));
    let desk = Desk::new(&broker, names(&topics), &group, more);
    if !refreshed {
        // librdkafka's own default: whoever is asked more often notices sooner.
        desk.change("tamis.toml", |text| text.replace(REFRESHED, &format!("{REFRESHED}00")));
    }
    let mut member = desk.start("err");
    match reading {
        true => member.until("a record", || broker.count(&topics[1]) > 0),
        false => member.until("the first life", || {
            broker.committed(&group, &topics[0], BEFORE) == i64::from(first)
        }),
    }
    broker.delete(&topics[0]);
    broker.make(&topics[0], partitions, &[]);
    broker.write(&topics[0], &spread("second", second, partitions));
    let what = format!("the second life ({reading}, {second}, {partitions}, {more})");
    member.until(&what, || missing(&broker, &topics[1], second) == 0);
    member.until("its offsets", || {
        broker.committed(&group, &topics[0], partitions) == i64::from(second)
    });
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!(code, 0, "{said}");
    crate::cli::adds_up(&account);
    assert!(said.contains("\"topic_paused\"") && said.contains("deleted and recreated"), "{said}");
    // What was committed last is of the second life.
    let rest = numbered("third", 0..5);
    broker.write(&topics[0], &rest);
    let mut member = desk.start("err");
    member.until("the rest", || {
        broker.committed(&group, &topics[0], partitions) == i64::from(second) + 5
    });
    let (code, account) = member.stop();
    assert_eq!((code, &account["read"]), (0, &5.into()), "{}", desk.said("err"));
}

fn all_cases(more: &str) {
    let [a, b, c, d, e] = CASES.each_ref().map(|case| move || lives_twice(case, more));
    together(&[&a, &b, &c, &d, &e]);
}

#[test]
fn a_source_topic_that_is_made_anew_at_once_is_read_from_its_first_record() {
    all_cases("#secret");
}

#[test]
fn so_it_is_exactly_once_where_some_come_twice() {
    all_cases(EXACTLY_ONCE);
}
