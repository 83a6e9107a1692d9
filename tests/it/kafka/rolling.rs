//! Members are replaced one by one while records come steadily.

use std::{
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread::{scope, sleep},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use super::{
    broker::{Broker, Written, broker, unique},
    exactly_once::EXACTLY_ONCE,
    member::{Desk, Member},
    names, topics,
    watched::ADMIN,
};
use crate::{admin::get, cli::adds_up};

const PARTITIONS: i32 = 12;
/// What is written at once, and how often.
const SOME: u64 = 60;
const EVERY: Duration = Duration::from_millis(50);

/// Who replaces a member, and when.
#[derive(Clone, Copy)]
enum Order {
    /// One of its name, once it has ended, as with a StatefulSet's pods.
    OldFirst,
    /// One of another name, before it ends, as with a Deployment's.
    NewFirst,
}

/// Ends the writer, also where a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Writes records with ids, again and again, until it is over; how many are sent is in `count`.
fn write(broker: &Broker, topic: &str, over: &AtomicBool, count: &AtomicU64) {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &broker.address)
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    while !over.load(Relaxed) {
        for id in count.load(Relaxed)..count.load(Relaxed) + SOME {
            let value = format!("{{\"id\":{id}}}");
            let partition = (id % PARTITIONS as u64) as i32;
            let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        count.fetch_add(SOME, Relaxed);
        sleep(EVERY);
    }
    producer.flush(Duration::from_secs(60)).unwrap();
}

/// Starts these, and waits until each is ready.
fn ready<'a, const N: usize>(desk: &'a Desk, names: [String; N]) -> [(String, Member<'a>); N] {
    let listens = |name: &str| desk.said(name).matches("--admin: listening at ").count();
    let started = names.map(|name| {
        // What an earlier process of this name said does not count.
        let before = listens(&name);
        (before, desk.start(&name), name)
    });
    started.map(|(before, mut member, name)| {
        member.until("the address", || listens(&name) > before);
        let port = desk.admin(&name).unwrap();
        let there = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        member.until("readiness", || there() && get(port, "/ready", "").0 == 200);
        (name, member)
    })
}

/// Replaces all members, and returns how many records there were, and how many came.
fn roll(broker: &Broker, more: &str, order: Order) -> (u64, u64) {
    let topics = topics(broker, PARTITIONS);
    let group = unique("group");
    let desk = Desk::new(broker, names(&topics), &group, &format!("{ADMIN}\n{more}"));
    let (over, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let stop = |name: &str, member: Member<'_>| {
        let (code, account) = member.stop();
        let said = desk.said(name);
        assert_eq!((code, &account["unwritten"]), (0, &0.into()), "{said}");
        adds_up(&account);
        // Who leaves asks for nothing that nobody answers any more, and leaves nothing uncommitted.
        assert!(!said.contains("OperationTimedOut") && !said.contains("not committed"), "{said}");
    };
    scope(|threads| {
        let writer = threads.spawn(|| write(broker, &topics[0], &over, &count));
        let writes = Over(&over);
        let mut members = Vec::from(ready(&desk, ["a", "b", "c"].map(str::to_owned)));
        for other in ["d", "e", "f"] {
            let (name, old) = members.remove(0);
            let new = match order {
                Order::OldFirst => {
                    stop(&name, old);
                    ready(&desk, [name])
                }
                Order::NewFirst => {
                    let new = ready(&desk, [other.to_owned()]);
                    stop(&name, old);
                    new
                }
            };
            members.extend(new);
        }
        drop(writes);
        writer.join().unwrap();
        let (_, last) = members.last_mut().unwrap();
        last.until("the end", || {
            broker.committed(&group, &topics[0], PARTITIONS) as u64 == count.load(Relaxed)
        });
        for (name, member) in members {
            stop(&name, member);
        }
    });
    let (count, came) = (count.into_inner(), broker.read(&topics[1]));
    let mut texts: Vec<_> = came.iter().map(Written::text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!((texts.len() as u64, broker.count(&topics[2])), (count, 0));
    (count, came.len() as u64)
}

#[test]
fn members_are_replaced_one_by_one_and_nothing_is_lost_or_comes_twice() {
    let Some(broker) = broker() else { return };
    for order in [Order::OldFirst, Order::NewFirst] {
        let (count, came) = roll(&broker, "", order);
        // All of them left in order, having committed what they delivered.
        assert_eq!(came, count);
    }
}

#[test]
fn members_are_replaced_one_by_one_and_each_record_arrives_once() {
    let Some(broker) = broker() else { return };
    for order in [Order::OldFirst, Order::NewFirst] {
        let (count, came) = roll(&broker, EXACTLY_ONCE, order);
        assert_eq!(came, count);
    }
}
