//! What is known of a member of a group while it runs: for probes and for measures.
//!
//! | file | does |
//! | --- | --- |
//! | `awaited` | what it waiting for before it has records |
//! | `clients` | what librdkafka's clients count of themselves |
//! | `partition` | how far a partition is, and how far it could be |
//! | `orders` | what an operator wants |
//! | `stall` | partitions that do not advance although there is more |
//! | `families` | the measures by name |

mod awaited;
mod clients;
mod families;
mod orders;
mod partition;
mod stall;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rdkafka::statistics::Statistics;

use super::Fault;
use crate::metrics::Histogram;
use awaited::Awaited;
pub use clients::Client;
use clients::{Retries, Waiting};
use orders::Orders;
pub use orders::Unfit;
pub use partition::Partition;
pub use stall::Change;

/// What happens to partitions of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    /// Some came.
    Assigned,
    /// Some went, after a last commit.
    Revoked,
    /// Some were another's already.
    Lost,
}

/// Why records were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The committed offset does not exist any more.
    OutOfRange,
    /// There was no committed offset, and the configuration says `latest`.
    Latest,
    /// Somebody asked for it.
    ByHand,
    /// Runs died of it.
    Poison,
}

/// A member that was given up has so long to join again before it is not ready.
const REJOINED_WITHIN: Duration = Duration::from_secs(2);

/// What is known of a member.
pub struct Vitals {
    joined: AtomicBool,
    /// Another process has taken this member's place in its group.
    ousted: AtomicBool,
    rebalances: [AtomicU64; 3],
    errors: [AtomicU64; 4],
    skipped: [AtomicU64; 4],
    commit_failures: AtomicU64,
    /// From an acknowledgement to the answer to its commit.
    commit: Histogram,
    /// How old a record was when it was acknowledged.
    age: Histogram,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What it waiting for before it has records.
    awaited: Option<Awaited>,
    /// The oldest offset was stored then that is not committed.
    stored: Option<Instant>,
    partitions: BTreeMap<u64, Partition>,
    /// What waits inside librdkafka: read ahead, and to be sent.
    waiting: [Waiting; 2],
    retries: [Retries; 2],
    /// Topics that are paused for a fault of their own, and which.
    faults: BTreeMap<String, String>,
    /// Partitions that do not advance although there is more, and why.
    stalled: BTreeMap<(String, i32), String>,
    /// One of those of which the group does not say where they begin.
    untold: Option<(String, i32)>,
    /// When something was acknowledged last.
    moved: Option<Instant>,
    orders: Orders,
}

impl Default for Vitals {
    fn default() -> Self {
        Self {
            joined: AtomicBool::new(false),
            ousted: AtomicBool::new(false),
            rebalances: Default::default(),
            errors: Default::default(),
            skipped: Default::default(),
            commit_failures: AtomicU64::new(0),
            commit: Histogram::default(),
            age: Histogram::of_ages(),
            state: Mutex::default(),
        }
    }
}

impl Vitals {
    /// Whether it takes records; if not, why.
    ///
    /// # Errors
    /// It did not join yet, or not again, a topic is paused for a fault of its own, or a partition is stalled.
    pub fn ready(&self) -> Result<(), String> {
        let joined = self.joined.load(Relaxed);
        let awaited = self.awaited().filter(|(_, took)| !joined || *took >= REJOINED_WITHIN);
        let yet = if joined { "not joined" } else { "not joined yet" };
        let awaited = awaited
            .map(|(what, took)| format!("{yet}: waiting for {what}; {} s so far", took.as_secs()));
        if !joined {
            let nothing = || "not joined yet: the group has not assigned partitions".into();
            return Err(awaited.unwrap_or_else(nothing));
        }
        let state = self.state();
        let faults = state.faults.iter().map(|(topic, why)| format!("`{topic}` is paused: {why}"));
        let stalled = state.stalled.iter();
        let stalled = stalled.map(|((topic, n), why)| format!("`{topic}[{n}]` is stalled: {why}"));
        let faults: Vec<_> = faults.chain(stalled).chain(awaited).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }

    /// Partitions came or went, if only none of them. How long they were waited for, if they were.
    pub fn rebalanced(&self, what: Rebalance) -> Option<Duration> {
        self.rebalances[what as usize].fetch_add(1, Relaxed);
        if what != Rebalance::Assigned {
            return None;
        }
        self.joined.store(true, Relaxed);
        self.state().awaited.take().map(|awaited| awaited.took())
    }

    /// How often partitions came.
    pub fn assignments(&self) -> u64 {
        self.rebalances[Rebalance::Assigned as usize].load(Relaxed)
    }

    /// Another process has taken this member's place.
    pub fn oust(&self) {
        self.ousted.store(true, Relaxed);
    }

    /// Whether one has.
    pub fn is_ousted(&self) -> bool {
        self.ousted.load(Relaxed)
    }

    /// There was an error.
    pub fn erred(&self, fault: Fault) {
        self.errors[fault as usize].fetch_add(1, Relaxed);
    }

    /// So many offsets were skipped.
    pub fn skipped(&self, why: Skip, offsets: u64) {
        self.skipped[why as usize].fetch_add(offsets, Relaxed);
    }

    /// A partition is this member's, by this number.
    pub fn assigned(&self, id: u64, partition: Partition) {
        self.state().partitions.insert(id, partition);
    }

    /// It is another's.
    pub fn revoked(&self, id: u64) {
        self.state().partitions.remove(&id);
    }

    /// Records before `end` were handed out, the oldest of this timestamp.
    pub fn handed(&self, id: u64, end: i64, oldest: Option<i64>) {
        if let Some(partition) = self.state().partitions.get_mut(&id) {
            partition.handed(end, oldest);
        }
    }

    /// Records before `end` are durable where they went.
    pub fn acknowledged(&self, id: u64, end: i64) {
        let now = now();
        let mut state = self.state();
        let partition = state.partitions.get_mut(&id);
        let times = partition.map(|partition| partition.acknowledged(end)).unwrap_or_default();
        state.moved = Some(Instant::now());
        drop(state);
        for time in times {
            self.age.observe(Duration::from_millis(u64::try_from(now - time).unwrap_or_default()));
        }
    }

    /// Offsets are there to be committed.
    pub fn stored(&self) {
        self.state().stored.get_or_insert_with(Instant::now);
    }

    /// A commit was answered.
    pub fn committed(&self, kept: bool) {
        if !kept {
            self.commit_failures.fetch_add(1, Relaxed);
        } else if let Some(since) = self.state().stored.take() {
            self.commit.observe(since.elapsed());
        }
    }

    /// Takes over what librdkafka says of itself.
    pub fn told(&self, client: Client, statistics: &Statistics) {
        let mut state = self.state();
        state.retries[client as usize].told(statistics);
        state.waiting[client as usize] = Waiting::of(client, statistics);
        if client == Client::Source {
            for partition in state.partitions.values_mut() {
                let topic = statistics.topics.get(&*partition.topic);
                if let Some(told) = topic.and_then(|t| t.partitions.get(&partition.partition)) {
                    partition.told(told);
                }
            }
        }
    }

    /// Partitions of which librdkafka does not know the end: those that are not read at present.
    pub fn untold(&self) -> Vec<(String, i32)> {
        let state = self.state();
        let is_untold = |partition: &&Partition| {
            partition.is_untold()
                || state.faults.contains_key(&*partition.topic)
                || state.orders.holds(&partition.topic, partition.partition)
        };
        let untold = state.partitions.values().filter(is_untold);
        untold.map(|partition| (partition.topic.to_string(), partition.partition)).collect()
    }

    /// A partition begins and ends there, as its leader says.
    pub fn ends(&self, topic: &str, partition: i32, (low, end): (i64, i64)) {
        self.of(topic, partition, |found| found.ends(low, end));
    }

    /// A partition that was to be read again from elsewhere is.
    pub fn sought(&self, topic: &str, partition: i32) {
        self.of(topic, partition, Partition::sought);
    }

    fn of(&self, topic: &str, partition: i32, with: impl FnOnce(&mut Partition)) {
        let mut state = self.state();
        let mut all = state.partitions.values_mut();
        if let Some(found) = all.find(|p| *p.topic == *topic && p.partition == partition) {
            with(found);
        }
    }

    /// A topic is paused for this fault of its own; whether that is new.
    pub fn paused(&self, topic: &str, why: &str) -> bool {
        self.state().faults.insert(topic.to_owned(), why.to_owned()).is_none()
    }

    /// It is read again; whether it was paused.
    pub fn resumed(&self, topic: &str) -> bool {
        self.state().faults.remove(topic).is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In milliseconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rdkafka::Offset;

    use super::*;

    fn values(vitals: &Vitals, name: &str) -> Vec<(Vec<String>, f64)> {
        let families = vitals.families();
        let family = families.iter().find(|family| family.name == name).unwrap();
        family.samples.iter().map(|sample| (sample.labels.clone(), sample.value)).collect()
    }

    #[test]
    fn it_is_ready_once_it_joined_and_while_no_topic_is_at_fault() {
        let vitals = Vitals::default();
        assert!(vitals.ready().unwrap_err().starts_with("not joined yet"));
        vitals.awaits("group `g`");
        let why = "not joined yet: waiting for group `g`; 0 s so far";
        assert_eq!(vitals.ready(), Err(why.into()));
        assert!(vitals.rebalanced(Rebalance::Assigned).is_some());
        assert!(vitals.rebalanced(Rebalance::Lost).is_none());
        assert_eq!(vitals.ready(), Ok(()));
        // Who joins again is ready meanwhile, for a while.
        assert!(vitals.awaits("group `g`") && !vitals.awaits("group `g`"));
        assert_eq!(vitals.ready(), Ok(()));
        assert!(vitals.rebalanced(Rebalance::Assigned).is_some());
        assert!(vitals.paused("a", "no right") && !vitals.paused("a", "no right"));
        assert_eq!(vitals.ready(), Err("`a` is paused: no right".into()));
        assert!(vitals.resumed("a") && !vitals.resumed("a"));
        assert_eq!(vitals.ready(), Ok(()));
    }

    #[test]
    fn what_goes_has_no_labels_any_more() {
        let vitals = Vitals::default();
        vitals.assigned(7, Partition::new("t".into(), 3, Offset::Offset(10)));
        let text = r#"{"name":"","client_id":"","type":"consumer","ts":0,"time":0,"age":0,
            "replyq":0,"msg_cnt":0,"msg_size":0,"msg_max":0,"msg_size_max":0,"tx":0,"tx_bytes":0,
            "rx":0,"rx_bytes":0,"txmsgs":0,"txmsg_bytes":0,"rxmsgs":0,"rxmsg_bytes":0,
            "simple_cnt":0,"metadata_cache_cnt":0,"brokers":{},"topics":{}}"#;
        let mut told: Statistics = serde_json::from_str(text).unwrap();
        let mut topic = rdkafka::statistics::Topic::default();
        let partition = rdkafka::statistics::Partition {
            fetch_state: "active".into(),
            hi_offset: 30,
            ls_offset: 30,
            next_offset: 20,
            fetchq_cnt: 4,
            fetchq_size: 400,
            ..Default::default()
        };
        topic.partitions.insert(3, partition);
        told.topics.insert("t".into(), topic);
        vitals.told(Client::Source, &told);
        assert_eq!(values(&vitals, "tamis_kafka_lag_records"), []);
        vitals.told(Client::Source, &told);
        let at = vec!["t".to_owned(), "3".to_owned()];
        assert_eq!(values(&vitals, "tamis_kafka_lag_records"), [(at, 20.0)]);
        assert_eq!(values(&vitals, "tamis_kafka_assigned_partitions"), [(vec![], 1.0)]);
        let ahead = (vec!["ahead".to_owned()], 400.0);
        assert_eq!(values(&vitals, "tamis_kafka_queue_bytes")[0], ahead);
        vitals.revoked(7);
        assert_eq!(values(&vitals, "tamis_kafka_lag_records"), []);
        assert_eq!(values(&vitals, "tamis_kafka_assigned_partitions"), [(vec![], 0.0)]);
    }

    #[test]
    fn ages_and_commits_are_counted() {
        let vitals = Vitals::default();
        vitals.assigned(1, Partition::new("t".into(), 0, Offset::Beginning));
        vitals.handed(1, 10, Some(now() - 5_000));
        vitals.acknowledged(1, 10);
        vitals.acknowledged(2, 10);
        assert_eq!(vitals.age.count(), 1);
        assert!(vitals.age.sum() >= 5.0);
        vitals.committed(true);
        vitals.stored();
        vitals.committed(false);
        vitals.committed(true);
        assert_eq!(
            (vitals.commit.count(), values(&vitals, "tamis_kafka_commit_failures")[0].1),
            (1, 1.0)
        );
    }
}
