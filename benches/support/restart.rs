//! A rolling restart under load: how long a record waits at most until it can be read at the sink.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread::{scope, sleep},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use crate::{
    cluster::{Client, Cluster, Delivery, PARTITIONS, Task, ask, free_port},
    process::Outcome,
};

const INSTANCES: usize = 3;
/// Records a second.
const RATE: u64 = 1_200;
/// How long nothing happens, before the restart and behind it.
const CALM: Duration = Duration::from_secs(4);
/// How long a new instance is ready before the next restarts.
const BETWEEN: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(90);

/// Who replaces an instance, and when.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// One of the same name, once the old one has ended, as with a StatefulSet's pods.
    OldFirst,
    /// One of another name, before the old one ends, as with a Deployment's.
    NewFirst,
}

/// Restarts three instances one by one while records come steadily: the longest that one waited
/// before, and from then on.
pub(crate) fn restart(
    cluster: &Cluster,
    delivery: Delivery,
    order: Order,
) -> Outcome<(Duration, Duration)> {
    let source = cluster.topic(PARTITIONS)?;
    let task = Task::new(cluster, (&source, PARTITIONS), delivery)?;
    let mut fleet = Fleet { cluster, task: &task, members: Vec::new(), next: 0 };
    for _ in 0..INSTANCES {
        let name = fleet.name();
        let member = fleet.start(name)?;
        fleet.members.push(member);
    }
    let (over, written) = (AtomicBool::new(false), AtomicU64::new(u64::MAX));
    let (moments, waits) = scope(|threads| {
        let writer = threads.spawn(|| write(cluster, &source, &over).map_err(|e| e.to_string()));
        let reader =
            threads.spawn(|| read(cluster, &task.sink, &written).map_err(|e| e.to_string()));
        let moments = fleet.roll(order);
        over.store(true, Relaxed);
        let count = writer.join().unwrap_or(Err("the writer failed".into()));
        written.store(*count.as_ref().unwrap_or(&0), Relaxed);
        let waits = reader.join().unwrap_or(Err("the reader failed".into()));
        count?;
        Ok::<_, Box<dyn std::error::Error>>((moments?, waits?))
    })?;
    let [calm, begun] = moments;
    let longest = |from: u64, to: u64| {
        let then = waits.iter().filter(|(seen, _)| (from..to).contains(seen));
        Duration::from_millis(then.map(|(_, wait)| *wait).max().unwrap_or_default())
    };
    Ok((longest(calm, begun), longest(begun, u64::MAX)))
}

/// The instances that run.
struct Fleet<'a> {
    cluster: &'a Cluster,
    task: &'a Task,
    members: Vec<(String, Client)>,
    next: usize,
}

impl Fleet<'_> {
    fn name(&mut self) -> String {
        self.next += 1;
        format!("i{}", self.next)
    }

    /// Starts one, and waits until it is ready.
    fn start(&self, name: String) -> Outcome<(String, Client)> {
        let admin = free_port()?;
        let mut client = self.task.start(self.cluster, &name, admin)?;
        let begun = Instant::now();
        while !ask(admin, "/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            client.check()?;
            if begun.elapsed() > PATIENCE {
                return Err(format!("{name} does not become ready").into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok((name, client))
    }

    /// Replaces one by one; when the calm began before it, and when it did itself.
    fn roll(&mut self, order: Order) -> Outcome<[u64; 2]> {
        // The first records make connections and caches.
        sleep(CALM);
        let calm = now();
        sleep(CALM);
        let begun = now();
        for _ in 0..INSTANCES {
            let (name, mut old) = self.members.remove(0);
            let new = match order {
                Order::OldFirst => {
                    old.stop()?;
                    self.start(name)?
                }
                Order::NewFirst => {
                    let name = self.name();
                    let new = self.start(name)?;
                    old.stop()?;
                    new
                }
            };
            self.members.push(new);
            sleep(BETWEEN);
        }
        sleep(CALM);
        Ok([calm, begun])
    }
}

/// In milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// Writes records that have numbers until it is over, and returns how many there are.
fn write(cluster: &Cluster, topic: &str, over: &AtomicBool) -> Outcome<u64> {
    let producer: ThreadedProducer<DefaultProducerContext> =
        cluster.client().set("linger.ms", "5").create()?;
    let (mut count, begun) = (0, Instant::now());
    while !over.load(Relaxed) {
        while count < begun.elapsed().as_millis() as u64 * RATE / 1_000 {
            let value = format!("{{\"n\":{count}}}");
            let record = BaseRecord::<(), str>::to(topic)
                .partition((count % PARTITIONS as u64) as i32)
                .payload(&value);
            producer.send(record).map_err(|(error, _)| error)?;
            count += 1;
        }
        sleep(Duration::from_millis(2));
    }
    producer.flush(PATIENCE)?;
    Ok(count)
}

/// Reads what is committed until every number came: when each was seen first, and how old it was.
fn read(cluster: &Cluster, topic: &str, written: &AtomicU64) -> Outcome<Vec<(u64, u64)>> {
    let consumer: BaseConsumer = cluster.client().set("group.id", "watch").create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (mut waits, mut last) = (Vec::new(), Instant::now());
    let (mut seen, mut missing) = (Vec::new(), 0);
    while (seen.len() - missing) as u64 != written.load(Relaxed) {
        if last.elapsed() > PATIENCE {
            return Err("records are missing".into());
        }
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message?;
        let value: serde_json::Value = serde_json::from_slice(message.payload().unwrap_or(b""))?;
        let number = value["n"].as_u64().ok_or("no number")? as usize;
        if number >= seen.len() {
            missing += number + 1 - seen.len();
            seen.resize(number + 1, false);
        }
        if !seen[number] {
            (seen[number], missing, last) = (true, missing - 1, Instant::now());
            let stamp = message.timestamp().to_millis().ok_or("no timestamp")?;
            waits.push((now(), now().saturating_sub(stamp as u64)));
        }
    }
    Ok(waits)
}
