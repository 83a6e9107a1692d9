//! A broker that dies in the middle of a transaction's calls: it has the request, and nobody its answer.

use std::{thread::sleep, time::Duration};

use rustix::process::Signal;

use super::{
    broker::unique,
    contract::{PARTITIONS, check, done, records},
    exactly_once::EXACTLY_ONCE,
    member::Desk,
    names,
    proxy::{Api, Proxied, TOO_LATE, When},
    together, topics,
    watch::{Watch, Watched},
    watched::{ADMIN, port},
};

/// The process lives through all of these cuts, one after the other.
fn cut(cuts: &[(Api, When, u64)]) {
    const ROUND: u64 = 4_000;
    let folder = tempfile::tempdir().unwrap();
    let Some(proxied) = Proxied::start(folder.path()) else { return };
    let broker = &proxied.broker;
    let topics = topics(broker, PARTITIONS);
    let group = unique("group");
    let desk =
        Desk::new(&proxied.behind, names(&topics), &group, &format!("{ADMIN}\n{EXACTLY_ONCE}"));
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    broker.write(&topics[0], &records(0..ROUND));
    member.until("the first", || done(broker, &group, &topics, ROUND));
    let (broker, group, topic) = (broker.clone(), group.clone(), topics[0].clone());
    let watch = Watch::start(Watched { broker: broker.clone(), group: group.clone(), topic, port });
    let mut count = ROUND;
    for (api, when, away) in cuts {
        // Nobody reads while it is written, for the broker dies of the first that is read.
        member.signal(Signal::STOP);
        broker.write(&topics[0], &records(count..count + ROUND));
        proxied.arm(*api, *when);
        member.signal(Signal::CONT);
        member.until(&format!("{api:?}"), || proxied.is_cut());
        if *when != When::Late {
            sleep(Duration::from_secs(*away));
            proxied.up();
        }
        broker.write(&topics[0], &records(count + ROUND..count + 2 * ROUND));
        count += 2 * ROUND;
        let what = format!("all, after {api:?}, {when:?}, {away} s");
        member.until(&what, || done(&broker, &group, &topics, count));
    }
    assert_eq!(watch.end(), Vec::<String>::new(), "{}", desk.said("err"));
    assert_eq!(member.stop().0, 0, "{}", desk.said("err"));
    assert_eq!(check(&broker, &topics, count, &desk.said("err")), count);
}

#[test]
fn a_broker_that_dies_in_the_middle_of_a_call_is_waited_for() {
    cut(&[
        (Api::AddOffsetsToTxn, When::Asked, 0),
        (Api::AddOffsetsToTxn, When::Answered, 0),
        (Api::TxnOffsetCommit, When::Asked, 0),
        (Api::TxnOffsetCommit, When::Answered, 0),
        (Api::EndTxn, When::Asked, 0),
        (Api::EndTxn, When::Answered, 0),
    ]);
}

/// Nobody but the coordinator fences it: a broker is away, a request is late, or it slept.
#[test]
fn whoever_is_fenced_by_time_goes_on() {
    let away = || {
        cut(&[(Api::AddOffsetsToTxn, When::Answered, 20), (Api::EndTxn, When::Answered, 20)]);
    };
    let late = || cut(&[(Api::TxnOffsetCommit, When::Late, 0), (Api::EndTxn, When::Late, 0)]);
    together(&[&away, &late, &slept]);
}

/// A process that slept, twice within a minute, and that nobody replaced.
fn slept() {
    const ROUND: u64 = 4_000;
    let folder = tempfile::tempdir().unwrap();
    let Some(proxied) = Proxied::start(folder.path()) else { return };
    let broker = &proxied.broker;
    let topics = topics(broker, PARTITIONS);
    let group = unique("group");
    let desk = Desk::new(&proxied.behind, names(&topics), &group, EXACTLY_ONCE);
    let mut member = desk.start("err");
    broker.write(&topics[0], &records(0..ROUND));
    member.until("the first", || done(broker, &group, &topics, ROUND));
    for round in [2, 3] {
        proxied.arm(Api::EndTxn, When::Late);
        broker.write(&topics[0], &records((round - 1) * ROUND..round * ROUND));
        member.until("a transaction", || proxied.is_cut());
        member.signal(Signal::STOP);
        sleep(TOO_LATE);
        member.signal(Signal::CONT);
        member.until("all", || done(broker, &group, &topics, round * ROUND));
    }
    assert_eq!(member.stop().0, 0, "{}", desk.said("err"));
    assert_eq!(check(broker, &topics, 3 * ROUND, &desk.said("err")), 3 * ROUND);
}
