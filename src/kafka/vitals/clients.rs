//! What librdkafka's clients count of themselves.

use rdkafka::statistics::Statistics;

/// Which of librdkafka's clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// The consumer.
    Source,
    /// The producer.
    Sink,
}

/// Requests that a client sent again: its own count, and that of the clients before it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retries {
    before: u64,
    now: u64,
}

impl Retries {
    pub(super) fn told(&mut self, statistics: &Statistics) {
        let count = statistics.brokers.values().map(|broker| broker.txretries).sum::<u64>();
        // Another client counts from nothing.
        if count < self.now {
            self.before += self.now;
        }
        self.now = count;
    }

    pub(super) fn all(self) -> u64 {
        self.before + self.now
    }
}

/// What waits inside a client: read ahead, or to be sent.
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
