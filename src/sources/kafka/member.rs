//! Being a member of the group: how it is joined, and that it is joined anew when there are more partitions
//! than its memory was shared out for.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use super::{
    AHEAD_BYTES, ANSWER_BYTES, LEAST_BYTES, Settings,
    reader::{REST, Reader},
    rebalance::Ear,
    shared::Shared,
};
use crate::{
    journal::Event,
    kafka::{STATISTICS_EVERY, unless_said},
    shutdown::Phase,
};

/// How long to wait until partitions are given up, before the group is joined anew all the same. What was
/// read of them has ten seconds to be delivered.
const LEFT_WITHIN: Duration = Duration::from_secs(15);

/// The member that commits; another one, once the group was joined anew.
#[derive(Clone)]
pub(super) struct Member(Arc<Mutex<Weak<BaseConsumer<Ear>>>>);

impl Member {
    /// Who commits must not keep it in its group.
    pub(super) fn of(consumer: &Arc<BaseConsumer<Ear>>) -> Self {
        Self(Arc::new(Mutex::new(Arc::downgrade(consumer))))
    }

    /// It, while it is there.
    pub(super) fn get(&self) -> Option<Arc<BaseConsumer<Ear>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn is(&self, consumer: &Arc<BaseConsumer<Ear>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(consumer);
    }
}

/// A member that has subscribed.
pub(super) fn member(
    settings: &Settings,
    shared: &Arc<Shared>,
) -> io::Result<Arc<BaseConsumer<Ear>>> {
    let invalid =
        |error: KafkaError| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
    let (ahead, answer) = settings.shares();
    let mut config = settings.cluster.client(&[
        ("group.id", &settings.group),
        ("group.protocol", "classic"),
        ("isolation.level", "read_committed"),
        ("enable.auto.commit", if settings.in_transactions { "false" } else { "true" }),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
        ("enable.partition.eof", if settings.letters.is_some() { "true" } else { "false" }),
        ("queued.max.messages.kbytes", &(ahead >> 10).to_string()),
        ("fetch.message.max.bytes", &answer.to_string()),
        ("fetch.max.bytes", &ANSWER_BYTES.to_string()),
    ]);
    let usual = [
        ("auto.commit.interval.ms", "1000"),
        ("fetch.queue.backoff.ms", "20"),
        ("heartbeat.interval.ms", "500"),
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("statistics.interval.ms", STATISTICS_EVERY),
    ];
    unless_said(&mut config, &usual);
    let ear = Ear {
        shared: shared.clone(),
        voice: settings.cluster.voice.clone(),
        shutdown: settings.shutdown.clone(),
        in_transactions: settings.in_transactions,
        starts: settings.starts,
    };
    let mut consumer: BaseConsumer<Ear> = config.create_with_context(ear).map_err(invalid)?;
    let poked = shared.clone();
    consumer.set_nonempty_callback(move || poked.poke());
    let topics: Vec<_> = settings.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(invalid)?;
    Ok(Arc::new(consumer))
}

impl Reader {
    /// Whether more is read ahead of the partitions of now, all together, than has room.
    pub(super) fn is_outgrown(&self) -> bool {
        let (ahead, answer) = self.settings.shares();
        let all = self.shared.places().len().saturating_mul(ahead + answer);
        all > AHEAD_BYTES && ahead > LEAST_BYTES
    }

    /// Leaves the group, so that what was read is delivered and kept, and joins it with smaller shares:
    /// librdkafka does not change them.
    pub(super) fn join_anew(&mut self) {
        let partitions = self.shared.places().len();
        let what = format!(
            "{partitions} partitions are read, more than there were at the start: the group is joined \
             anew, so that what is read ahead of each is less"
        );
        self.settings.cluster.voice.tell(Event::GroupJoinedAnew, &what);
        // More may come.
        self.settings.partitions = partitions.saturating_mul(2);
        self.lanes.clear();
        self.consumer.unsubscribe();
        let until = Instant::now() + LEFT_WITHIN;
        while !self.shared.places().is_empty() && Instant::now() < until {
            self.hear();
            self.shared.rest(REST);
        }
        if self.ended || self.settings.shutdown.phase() != Phase::Running {
            return;
        }
        match member(&self.settings, &self.shared) {
            Ok(consumer) => {
                self.member.is(&consumer);
                self.consumer = consumer;
            }
            Err(error) => self.end(Some(error)),
        }
    }
}
