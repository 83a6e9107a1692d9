//! Statistics of librdkafka's clients.

use rdkafka::statistics::Statistics;

/// A client of librdkafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// The consumer.
    Source,
    /// The producer.
    Sink,
}

/// Retried requests: the count of the current client, and the sum of the clients before it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retries {
    before: u64,
    now: u64,
}

impl Retries {
    pub(super) fn update(&mut self, statistics: &Statistics) {
        let count = statistics.brokers.values().map(|broker| broker.txretries).sum::<u64>();
        // A new client counts from zero.
        if count < self.now {
            self.before += self.now;
        }
        self.now = count;
    }

    pub(super) fn all(self) -> u64 {
        self.before + self.now
    }
}

/// Records queued in a client: fetched ahead, or to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waiting {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Waiting {
    pub(super) fn of(client: Client, statistics: &Statistics) -> Self {
        match client {
            Client::Sink => Self { messages: statistics.msg_cnt, bytes: statistics.msg_size },
            Client::Source => {
                let all = statistics.topics.values().flat_map(|topic| topic.partitions.values());
                all.fold(Self::default(), |sum, partition| Self {
                    messages: sum.messages + partition.fetchq_cnt.unsigned_abs(),
                    bytes: sum.bytes + partition.fetchq_size,
                })
            }
        }
    }
}
