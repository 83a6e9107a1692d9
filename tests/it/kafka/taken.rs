//! Topics, and rights to them, that are taken in the middle of a run, and come back.

use std::collections::BTreeMap;

use super::{
    broker::{Broker, Written, broker, secured, unique},
    exactly_once::EXACTLY_ONCE,
    member::{Desk, Member},
    secured::{DELIVERIES, login, with},
    together,
    watched::{ADMIN, port},
};
use crate::{admin::get, cli::adds_up};

const ROUND: u64 = 600;

/// A source, the sink and the dead letter of it, and another source with its sink.
struct Topics {
    source: String,
    sink: String,
    dead: String,
    other: String,
    other_sink: String,
}

impl Topics {
    fn new(broker: &Broker) -> Self {
        let topic = |name| broker.topic(name, 1, &[]);
        let (source, sink, dead) = (topic("in"), topic("clean"), topic("dead"));
        let (other, other_sink) = (topic("other"), topic("other-clean"));
        Self { source, sink, dead, other, other_sink }
    }

    fn desk(&self, broker: &Broker, group: &str, delivery: &str) -> Desk {
        let Self { source, sink, dead, other, other_sink } = self;
        let both = format!("{source}\", \"{other}");
        let routes = format!("#routes [{{ from = \"{other}\", topic = \"{other_sink}\" }}]");
        Desk::new(broker, [&both, sink, dead], group, &format!("{ADMIN}\n{delivery}\n{routes}"))
    }

    /// Each tenth is no event, and has a dead letter.
    fn write(&self, broker: &Broker, round: u64) {
        let one = |n: u64| match n % 10 {
            0 => Written::value(format!("{{\"n\":{n}")),
            _ => Written::value(format!("{{\"n\":{n}}}")),
        };
        broker.write(
            &self.source,
            &(round * ROUND..(round + 1) * ROUND).map(one).collect::<Vec<_>>(),
        );
    }

    fn write_other(&self, broker: &Broker) {
        let one = |n: u64| Written::value(format!("{{\"other\":{n}}}"));
        broker.write(&self.other, &(0..ROUND).map(one).collect::<Vec<_>>());
    }
}

/// How often each record arrived.
fn arrived(broker: &Broker, topic: &str) -> BTreeMap<String, u32> {
    let mut all = BTreeMap::new();
    for record in broker.read(topic) {
        let name = record.header("__tamis.errors.offset").unwrap_or_else(|| record.text());
        *all.entry(name).or_default() += 1;
    }
    all
}

fn says_paused(port: u16, topic: &str, why: &str) -> bool {
    let (status, body) = get(port, "/ready", "");
    status == 503 && body.contains(&format!("`{topic}` is paused: ")) && body.contains(why)
}

/// A topic that is written is deleted while records come, and made again.
fn deleted(delivery: &str, is_dead_letter: bool) {
    let Some(broker) = broker() else { return };
    let topics = Topics::new(&broker);
    let group = unique("group");
    let desk = topics.desk(&broker, &group, delivery);
    let mut member = desk.start("err");
    let port = port(&desk, &mut member);
    topics.write(&broker, 0);
    member.until("the first", || broker.committed(&group, &topics.source, 1) as u64 == ROUND);
    let (taken, stays) = match is_dead_letter {
        true => (&topics.dead, &topics.sink),
        false => (&topics.sink, &topics.dead),
    };
    let before = arrived(&broker, taken);
    broker.delete(taken);
    topics.write(&broker, 1);
    member.until("the pause", || says_paused(port, &topics.source, taken));
    // Another topic goes on meanwhile.
    topics.write_other(&broker);
    let group_of = |topic: &str| broker.committed(&group, topic, 1) as u64;
    member.until("the other", || group_of(&topics.other) == ROUND);
    topics.write(&broker, 2);
    broker.make(taken, 1, &[]);
    member.until("all", || group_of(&topics.source) == 3 * ROUND);
    member.until("readiness", || get(port, "/ready", "").0 == 200);
    let said = desk.said("err");
    assert!(said.contains("topic_paused") && said.contains("topic_resumed"), "{said}");
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("err"));
    adds_up(&account);
    assert_eq!(account["read"], 4 * ROUND);
    let (after, kept) = (arrived(&broker, taken), arrived(&broker, stays));
    let tenth = ROUND as usize / 10;
    let expected = |dead: bool| if dead { tenth } else { 9 * tenth };
    assert_eq!(before.len(), expected(is_dead_letter));
    // Nothing of what was committed comes again, and nothing is lost.
    assert_eq!(after.len(), 2 * expected(is_dead_letter), "{said}");
    assert_eq!(kept.len(), 3 * expected(!is_dead_letter), "{said}");
    for (name, times) in after.iter().chain(&kept) {
        assert_eq!(*times, 1, "{name}: {said}");
    }
    assert!(arrived(&broker, &topics.other_sink).values().all(|times| *times == 1));
}

#[test]
fn topics_that_are_deleted_in_mid_run_are_waited_for_and_nothing_is_sent_again() {
    together(&[&|| deleted(EXACTLY_ONCE, false), &|| deleted(EXACTLY_ONCE, true), &|| {
        deleted("", true)
    }]);
}

/// The right to write is taken, and given back.
fn denied(delivery: &str, is_dead_letter: bool) {
    let Some(cluster) = secured() else { return };
    let broker = &cluster.broker;
    let topics = Topics::new(broker);
    let group = unique("group");
    let desk = topics.desk(broker, &group, "");
    std::fs::write(desk.path("guest"), "guest-secret").unwrap();
    let (address, guest) =
        (cluster.listener(4), login(&cluster, "SCRAM-SHA-256", "guest", "guest"));
    desk.change("tamis.toml", |text| {
        let brokers = format!("brokers = [\"{}\"]", broker.address);
        with(&text, delivery).replace(&brokers, &format!("brokers = [\"{address}\"]\n{guest}"))
    });
    let mut member: Member<'_> = desk.start("err");
    let port = port(&desk, &mut member);
    let group_of = |topic: &str| broker.committed(&group, topic, 1) as u64;
    topics.write(broker, 0);
    member.until("the first", || group_of(&topics.source) == ROUND);
    let taken = if is_dead_letter { &topics.dead } else { &topics.sink };
    cluster.may_write(taken, false);
    topics.write(broker, 1);
    member.until("the pause", || says_paused(port, &topics.source, "TopicAuthorizationFailed"));
    topics.write_other(broker);
    member.until("the other", || group_of(&topics.other) == ROUND);
    cluster.may_write(taken, true);
    member.until("all", || group_of(&topics.source) == 2 * ROUND);
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!((code, &account["read"]), (0, &(3 * ROUND).into()), "{said}");
    adds_up(&account);
    let (clean, dead) = (arrived(broker, &topics.sink), arrived(broker, &topics.dead));
    let tenth = ROUND as usize / 10;
    assert_eq!((clean.len(), dead.len()), (18 * tenth, 2 * tenth), "{said}");
    for (name, times) in clean.iter().chain(&dead) {
        assert_eq!(*times, 1, "{name}: {said}");
    }
}

#[test]
fn rights_that_are_taken_in_mid_run_are_waited_for_and_nothing_is_sent_again() {
    let [at_least_once, exactly_once] = DELIVERIES;
    together(&[&|| denied(exactly_once, false), &|| denied(exactly_once, true), &|| {
        denied(at_least_once, true)
    }]);
}
