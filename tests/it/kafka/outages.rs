//! Outages whose moments and lengths are drawn from a seed: every process recovers by itself, and shows what
//! is true.

use std::{
    thread::{self, sleep},
    time::Duration,
};

use super::{
    broker::{own_broker, runs, unique},
    contract::{PARTITIONS, check, done, records},
    exactly_once::EXACTLY_ONCE,
    member::Desk,
    names, topics,
    watch::{Watch, Watched},
    watched::{ADMIN, port},
};

/// So many at a time: they mostly wait.
const AT_ONCE: u64 = 6;
/// How long brokers are away, in seconds.
const AWAY: std::ops::Range<u64> = 20..131;

/// How many outages there are: six, or `TAMIS_OUTAGES` in the long run.
fn outages() -> u64 {
    std::env::var("TAMIS_OUTAGES").map_or(AT_ONCE, |count| count.parse().unwrap())
}

/// The numbers that an outage is made of.
fn drawn(number: u64) -> impl FnMut(std::ops::Range<u64>) -> u64 {
    let seed: u64 = std::env::var("TAMIS_SEED").map_or(20_261_130, |seed| seed.parse().unwrap());
    let mut state = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    move |range| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        range.start + (state >> 33) % (range.end - range.start)
    }
}

/// What is wrong with a process whose broker goes and comes.
fn outage(number: u64) -> Vec<String> {
    const COUNT: u64 = 40_000;
    let mut drawn = drawn(number);
    let (moment, away) = (drawn(0..1_500), drawn(AWAY));
    // Two in three are exactly once.
    let once = number % 3 != 2;
    let folder = tempfile::tempdir().unwrap();
    let Some((broker, broker_port)) = own_broker(folder.path()) else { return Vec::new() };
    let topics = topics(&broker, PARTITIONS);
    let group = unique("group");
    let more = if once { EXACTLY_ONCE } else { "#secret" };
    let desk = Desk::new(&broker, names(&topics), &group, &format!("{ADMIN}\n{more}"));
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    broker.write(&topics[0], &records(0..COUNT / 2));
    member.until("a record", || broker.count(&topics[1]) > 0);
    let watched =
        Watched { broker: broker.clone(), group: group.clone(), topic: topics[0].clone(), port };
    let watch = Watch::start(watched);
    sleep(Duration::from_millis(moment));
    let dir = folder.path().join("broker");
    let dir = dir.to_str().unwrap();
    assert!(runs(&["kill", dir]));
    sleep(Duration::from_secs(away));
    assert!(runs(&["up", dir, &broker_port.to_string()]));
    broker.write(&topics[0], &records(COUNT / 2..COUNT));
    let what = format!("the end of outage {number} ({moment} ms, {away} s)");
    member.until(&what, || done(&broker, &group, &topics, COUNT));
    let complaints = watch.end();
    assert_eq!(member.stop().0, 0, "{}", desk.said("err"));
    let came = check(&broker, &topics, COUNT, &desk.said("err"));
    assert!(!once || came == COUNT, "{what}: {} twice", came - COUNT);
    let said = || format!("{what}: {}\n{}", complaints.join("; "), desk.said("err"));
    if complaints.is_empty() { complaints } else { vec![said()] }
}

#[test]
fn every_process_recovers_by_itself_and_shows_what_is_true() {
    let numbers: Vec<_> = (0..outages()).collect();
    let mut complaints = Vec::new();
    for some in numbers.chunks(AT_ONCE as usize) {
        complaints.extend(thread::scope(|scope| {
            let running: Vec<_> =
                some.iter().map(|number| scope.spawn(|| outage(*number))).collect();
            let ends = running
                .into_iter()
                .map(|one| one.join().unwrap_or_else(|_| vec!["one failed: see above".to_owned()]));
            ends.flatten().collect::<Vec<_>>()
        }));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
