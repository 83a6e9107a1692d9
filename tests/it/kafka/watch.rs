//! Watches a process as its operator does, and says when what it shows is not what the broker knows.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use super::{broker::Broker, contract::PARTITIONS};
use crate::admin::{asked, measures};

/// So long a lag may be another than the broker's while the process says that it is ready.
const MOST: Duration = Duration::from_secs(30);
/// Measures are a little older than what the broker says; the lag of any moment within this will do.
const WINDOW: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(2);

/// What is looked at.
pub(super) struct Watched {
    pub(super) broker: Broker,
    pub(super) group: String,
    pub(super) topic: String,
    /// Where the process has its admin server.
    pub(super) port: u16,
}

/// Looks until it is over.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    looking: JoinHandle<Vec<String>>,
}

impl Watch {
    pub(super) fn start(watched: Watched) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let looking = thread::spawn(move || watched.look(&ends));
        Self { over, looking }
    }

    /// What was wrong, and for how long.
    pub(super) fn end(self) -> Vec<String> {
        self.over.store(true, Relaxed);
        self.looking.join().unwrap()
    }
}

impl Watched {
    fn look(&self, over: &AtomicBool) -> Vec<String> {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.broker.address)
            .set("group.id", &self.group)
            // What an open transaction hides is behind, too.
            .set("isolation.level", "read_uncommitted")
            .set("socket.timeout.ms", "3000")
            .set("reconnect.backoff.max.ms", "500")
            .create()
            .unwrap();
        let (mut known, mut wrong_since) = (VecDeque::new(), None::<Instant>);
        let mut complaints = Vec::new();
        while !over.load(Relaxed) {
            let now = Instant::now();
            if let Some(lag) = self.of_the_broker(&client) {
                known.push_back((now, lag));
            }
            known.retain(|(at, _)| now.duration_since(*at) < WINDOW + PATIENCE);
            let (ready, shown) = self.shown();
            let lags = known.iter().map(|(_, lag)| *lag);
            let (least, most) = (lags.clone().min(), lags.max());
            let fits = match (shown, least, most) {
                (Some(shown), Some(least), Some(most)) => (least..=most).contains(&shown),
                (None, Some(_), _) => false,
                // A broker that is away says nothing.
                _ => true,
            };
            if fits || !ready {
                wrong_since = None;
            } else if wrong_since.get_or_insert(now).elapsed() > MOST {
                let what = format!("ready, with a lag of {shown:?}: the broker's is {most:?}");
                complaints.push(what);
                wrong_since = None;
            }
            sleep(EVERY);
        }
        complaints
    }

    /// How much of the topic the group has not committed.
    fn of_the_broker(&self, client: &BaseConsumer) -> Option<i64> {
        let mut all = TopicPartitionList::new();
        all.add_partition_range(&self.topic, 0, PARTITIONS - 1);
        let committed = client.committed_offsets(all, PATIENCE).ok()?;
        let mut lag = 0;
        for element in committed.elements() {
            let ends = client.fetch_watermarks(&self.topic, element.partition(), PATIENCE);
            let (low, high) = ends.ok()?;
            lag += high - element.offset().to_raw().filter(|offset| *offset >= 0).unwrap_or(low);
        }
        Some(lag)
    }

    /// Whether the process says that it is ready, and its lag, if it shows that of every partition.
    fn shown(&self) -> (bool, Option<i64>) {
        let ready = asked(self.port, "/ready").is_some_and(|(status, _)| status == 200);
        let lags = asked(self.port, "/metrics").map(|(_, text)| {
            let all = measures(&text);
            let lags = all.iter().filter(|(name, _)| name.starts_with("tamis_kafka_lag_records"));
            lags.map(|(_, lag)| *lag as i64).collect::<Vec<_>>()
        });
        let all = lags.filter(|lags| lags.len() == PARTITIONS as usize);
        (ready, all.map(|lags| lags.iter().sum()))
    }
}
