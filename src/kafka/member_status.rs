//! The status of a member of a group, for probes and metrics.
//!
//! | file | does |
//! | --- | --- |
//! | `awaited` | what the member waits for before it has partitions |
//! | `clients` | statistics of librdkafka's clients |
//! | `partition` | the progress and the lag of a partition |
//! | `orders` | commands of an operator |
//! | `stall` | partitions that do not advance although there is more to read |
//! | `families` | the metrics by name |

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
pub use orders::OrderError;
use orders::Orders;
pub use partition::Partition;
pub use stall::Change;

/// An event in a rebalance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    /// Partitions were assigned.
    Assigned,
    /// Partitions were revoked, after a last commit.
    Revoked,
    /// Partitions were lost: they are already assigned to another member.
    Lost,
}

/// Why records were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The committed offset no longer exists.
    OutOfRange,
    /// There was no committed offset, and the configuration says `latest`.
    Latest,
    /// An operator skipped them.
    ByHand,
    /// The process crashed repeatedly on them.
    Poison,
}

/// How long a member may take to rejoin before it counts as not ready.
const REJOINED_WITHIN: Duration = Duration::from_secs(2);

/// The status of a member.
pub struct MemberStatus {
    joined: AtomicBool,
    /// Another process has this member's name in its group.
    replaced: AtomicBool,
    rebalances: [AtomicU64; 3],
    errors: [AtomicU64; 4],
    skipped: [AtomicU64; 4],
    commit_failures: AtomicU64,
    /// Time from an acknowledgement to the response to its commit.
    commit: Histogram,
    /// Age of a record when it was acknowledged.
    age: Histogram,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the member waits for before it has partitions.
    awaited: Option<Awaited>,
    /// When the oldest uncommitted offset was stored.
    stored: Option<Instant>,
    partitions: BTreeMap<u64, Partition>,
    /// Records queued in librdkafka: fetched ahead, and to be sent.
    waiting: [Waiting; 2],
    retries: [Retries; 2],
    /// Topics that are paused because of an error of their own, and the error.
    faults: BTreeMap<String, String>,
    /// Partitions that do not advance although there is more to read, and why.
    stalled: BTreeMap<(String, i32), String>,
    /// A stalled partition whose committed offset the group does not return.
    without_offset: Option<(String, i32)>,
    /// When something was last acknowledged.
    moved: Option<Instant>,
    orders: Orders,
}

impl Default for MemberStatus {
    fn default() -> Self {
        Self {
            joined: AtomicBool::new(false),
            replaced: AtomicBool::new(false),
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

impl MemberStatus {
    /// Returns whether the member is ready, or why not.
    ///
    /// # Errors
    /// The member has not joined, or not rejoined, or a topic is paused because of an error of its
    /// own, or a partition is stalled.
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

    /// Counts a rebalance event. For an assignment, even an empty one, returns how long the member
    /// waited.
    pub fn rebalanced(&self, what: Rebalance) -> Option<Duration> {
        self.rebalances[what as usize].fetch_add(1, Relaxed);
        if what != Rebalance::Assigned {
            return None;
        }
        self.joined.store(true, Relaxed);
        self.state().awaited.take().map(|awaited| awaited.took())
    }

    /// Returns how often partitions were assigned.
    pub fn assignments(&self) -> u64 {
        self.rebalances[Rebalance::Assigned as usize].load(Relaxed)
    }

    /// Records that another process has this member's name.
    pub fn mark_replaced(&self) {
        self.replaced.store(true, Relaxed);
    }

    /// Returns whether another process has this member's name.
    pub fn is_replaced(&self) -> bool {
        self.replaced.load(Relaxed)
    }

    /// Counts an error.
    pub fn count_error(&self, fault: Fault) {
        self.errors[fault as usize].fetch_add(1, Relaxed);
    }

    /// Counts skipped offsets.
    pub fn skipped(&self, why: Skip, offsets: u64) {
        self.skipped[why as usize].fetch_add(offsets, Relaxed);
    }

    /// Adds a partition that was assigned to this member, under this number.
    pub fn assigned(&self, id: u64, partition: Partition) {
        self.state().partitions.insert(id, partition);
    }

    /// Removes a partition that was revoked.
    pub fn revoked(&self, id: u64) {
        self.state().partitions.remove(&id);
    }

    /// Records that the records before `end` were handed to the pipeline; `oldest` is the oldest
    /// timestamp of the batch.
    pub fn handed(&self, id: u64, end: i64, oldest: Option<i64>) {
        if let Some(partition) = self.state().partitions.get_mut(&id) {
            partition.handed(end, oldest);
        }
    }

    /// Records that the records before `end` are durable in the sink.
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

    /// Records that there are offsets to commit.
    pub fn stored(&self) {
        self.state().stored.get_or_insert_with(Instant::now);
    }

    /// Records the result of a commit.
    pub fn committed(&self, kept: bool) {
        if !kept {
            self.commit_failures.fetch_add(1, Relaxed);
        } else if let Some(since) = self.state().stored.take() {
            self.commit.observe(since.elapsed());
        }
    }

    /// Stores statistics of librdkafka.
    pub fn update(&self, client: Client, statistics: &Statistics) {
        let mut state = self.state();
        state.retries[client as usize].update(statistics);
        state.waiting[client as usize] = Waiting::of(client, statistics);
        if client == Client::Source {
            for partition in state.partitions.values_mut() {
                let topic = statistics.topics.get(&*partition.topic);
                if let Some(statistics) = topic.and_then(|t| t.partitions.get(&partition.partition))
                {
                    partition.update(statistics);
                }
            }
        }
    }

    /// Returns the partitions whose end librdkafka does not know, because they are not being read.
    pub fn partitions_without_end(&self) -> Vec<(String, i32)> {
        let state = self.state();
        let lacks_statistics = |partition: &&Partition| {
            partition.lacks_statistics()
                || state.faults.contains_key(&*partition.topic)
                || state.orders.holds(&partition.topic, partition.partition)
        };
        let without_offset = state.partitions.values().filter(lacks_statistics);
        without_offset.map(|partition| (partition.topic.to_string(), partition.partition)).collect()
    }

    /// Stores the first and the end offset of a partition, as its leader returned them.
    pub fn ends(&self, topic: &str, partition: i32, (low, end): (i64, i64)) {
        self.of(topic, partition, |found| found.ends(low, end));
    }

    /// Records that a partition is now read from its new position.
    pub fn seek_done(&self, topic: &str, partition: i32) {
        self.of(topic, partition, Partition::seek_done);
    }

    fn of(&self, topic: &str, partition: i32, with: impl FnOnce(&mut Partition)) {
        let mut state = self.state();
        let mut all = state.partitions.values_mut();
        if let Some(found) = all.find(|p| *p.topic == *topic && p.partition == partition) {
            with(found);
        }
    }

    /// Records that a topic is paused because of an error of its own. Returns whether that is new.
    pub fn paused(&self, topic: &str, why: &str) -> bool {
        self.state().faults.insert(topic.to_owned(), why.to_owned()).is_none()
    }

    /// Records that a topic is read again. Returns whether it was paused.
    pub fn resumed(&self, topic: &str) -> bool {
        self.state().faults.remove(topic).is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time in milliseconds since the Unix epoch.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rdkafka::Offset;

    use super::*;

    fn values(member_status: &MemberStatus, name: &str) -> Vec<(Vec<String>, f64)> {
        let families = member_status.families();
        let family = families.iter().find(|family| family.name == name).unwrap();
        family.samples.iter().map(|sample| (sample.labels.clone(), sample.value)).collect()
    }

    #[test]
    fn it_is_ready_once_it_joined_and_while_no_topic_is_at_fault() {
        let member_status = MemberStatus::default();
        assert!(member_status.ready().unwrap_err().starts_with("not joined yet"));
        member_status.awaits("group `g`");
        let why = "not joined yet: waiting for group `g`; 0 s so far";
        assert_eq!(member_status.ready(), Err(why.into()));
        assert!(member_status.rebalanced(Rebalance::Assigned).is_some());
        assert!(member_status.rebalanced(Rebalance::Lost).is_none());
        assert_eq!(member_status.ready(), Ok(()));
        // A member that rejoins stays ready for a while.
        assert!(member_status.awaits("group `g`") && !member_status.awaits("group `g`"));
        assert_eq!(member_status.ready(), Ok(()));
        assert!(member_status.rebalanced(Rebalance::Assigned).is_some());
        assert!(member_status.paused("a", "no right") && !member_status.paused("a", "no right"));
        assert_eq!(member_status.ready(), Err("`a` is paused: no right".into()));
        assert!(member_status.resumed("a") && !member_status.resumed("a"));
        assert_eq!(member_status.ready(), Ok(()));
    }

    #[test]
    fn what_goes_has_no_labels_any_more() {
        let member_status = MemberStatus::default();
        member_status.assigned(7, Partition::new("t".into(), 3, Offset::Offset(10)));
        let text = r#"{"name":"","client_id":"","type":"consumer","ts":0,"time":0,"age":0,
            "replyq":0,"msg_cnt":0,"msg_size":0,"msg_max":0,"msg_size_max":0,"tx":0,"tx_bytes":0,
            "rx":0,"rx_bytes":0,"txmsgs":0,"txmsg_bytes":0,"rxmsgs":0,"rxmsg_bytes":0,
            "simple_cnt":0,"metadata_cache_cnt":0,"brokers":{},"topics":{}}"#;
        let mut statistics: Statistics = serde_json::from_str(text).unwrap();
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
        statistics.topics.insert("t".into(), topic);
        member_status.update(Client::Source, &statistics);
        assert_eq!(values(&member_status, "tamis_kafka_lag_records"), []);
        member_status.update(Client::Source, &statistics);
        let at = vec!["t".to_owned(), "3".to_owned()];
        assert_eq!(values(&member_status, "tamis_kafka_lag_records"), [(at, 20.0)]);
        assert_eq!(values(&member_status, "tamis_kafka_assigned_partitions"), [(vec![], 1.0)]);
        let ahead = (vec!["ahead".to_owned()], 400.0);
        assert_eq!(values(&member_status, "tamis_kafka_queue_bytes")[0], ahead);
        member_status.revoked(7);
        assert_eq!(values(&member_status, "tamis_kafka_lag_records"), []);
        assert_eq!(values(&member_status, "tamis_kafka_assigned_partitions"), [(vec![], 0.0)]);
    }

    #[test]
    fn ages_and_commits_are_counted() {
        let member_status = MemberStatus::default();
        member_status.assigned(1, Partition::new("t".into(), 0, Offset::Beginning));
        member_status.handed(1, 10, Some(now() - 5_000));
        member_status.acknowledged(1, 10);
        member_status.acknowledged(2, 10);
        assert_eq!(member_status.age.count(), 1);
        assert!(member_status.age.sum() >= 5.0);
        member_status.committed(true);
        member_status.stored();
        member_status.committed(false);
        member_status.committed(true);
        assert_eq!(
            (
                member_status.commit.count(),
                values(&member_status, "tamis_kafka_commit_failures")[0].1
            ),
            (1, 1.0)
        );
    }
}
