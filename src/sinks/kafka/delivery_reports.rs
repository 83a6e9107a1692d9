//! Receives delivery reports.

use std::{
    collections::BTreeSet,
    error::Error,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientContext, Message as _,
    client::OAuthToken,
    error::{
        KafkaError,
        RDKafkaErrorCode::{self, TopicAuthorizationFailed as Denied},
    },
    message::{BorrowedMessage, Headers as _, OwnedMessage},
    producer::{DeliveryResult, ProducerContext},
    statistics::Statistics,
};

use crate::{
    kafka::{Client, Fault, Reporter, about, of_record},
    pipeline::{
        Reason,
        records::{Back, Ticket, Told},
    },
};

/// The number of bits of a ticket for a record's index in its batch.
const RECORD_BITS: u32 = 20;

/// Receives the delivery reports of a producer.
pub(super) struct DeliveryReports {
    pending: Mutex<PendingReports>,
    more: Condvar,
    pub(super) reporter: Reporter,
    /// Whether failed records are handled by aborting the transaction. Otherwise they are sent
    /// again.
    takes_back: bool,
}

#[derive(Default)]
pub(super) struct PendingReports {
    pub(super) reports: Vec<(Ticket, Told)>,
    /// Records that were rejected with their batches, because of themselves or of another record.
    pub(super) again: Vec<(usize, OwnedMessage)>,
    /// Whether the record in flight is alone in its batch.
    pub(super) alone: bool,
    /// Records that could not be sent because of an error of their topic.
    pub(super) unsent: Vec<(Ticket, io::Error)>,
    /// Whether the producer reported a fatal error.
    pub(super) broken: bool,
    /// Topics that were found to be unauthorized since the transaction began.
    pub(super) denied: BTreeSet<String>,
    pub(super) failed: Option<io::Error>,
}

impl DeliveryReports {
    pub(super) fn new(reporter: Reporter, takes_back: bool) -> Arc<Self> {
        Arc::new(Self { pending: Mutex::default(), more: Condvar::new(), reporter, takes_back })
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, PendingReports> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is received.
    pub(super) fn wait(&self, pending: MutexGuard<'_, PendingReports>, wait: Duration) {
        drop(self.more.wait_timeout(pending, wait));
    }
}

impl PendingReports {
    /// Returns whether there is more than reports.
    pub(super) fn has_failures(&self) -> bool {
        self.failed.is_some() || !self.again.is_empty() || !self.unsent.is_empty()
    }
}

/// The callbacks of the producer.
pub(super) struct ClientCallbacks(pub(super) Arc<DeliveryReports>);

impl ClientContext for ClientCallbacks {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, about: &str, line: &str) {
        self.0.reporter.log_line(about, line);
        if let Some(topic) = denied(about, line) {
            self.0.pending().denied.insert(topic.to_owned());
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.0.reporter.member_status.update(Client::Sink, &statistics);
    }

    fn error(&self, error: KafkaError, _: &str) {
        if is_broken(&error) {
            let mut pending = self.0.pending();
            pending.broken = true;
            if !self.0.takes_back {
                pending.failed.get_or_insert_with(|| about("the producer", &error));
            }
            drop(pending);
            self.0.more.notify_all();
        } else {
            self.0.reporter.fault(&error);
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.0.reporter.token()
    }
}

impl ProducerContext for ClientCallbacks {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let mut pending = self.0.pending();
        match result {
            Ok(_) => pending.reports.push((unpacked(opaque), Told::Durable)),
            Err((error, message)) => match refusal(error) {
                Some(reason) if pending.alone || self.0.takes_back => {
                    self.0.reporter.member_status.count_error(Fault::Record);
                    let back = (!self.0.takes_back).then(|| back(message));
                    pending.reports.push((unpacked(opaque), Told::Refused(reason, back)));
                }
                Some(_) => pending.again.push((opaque, message.detach())),
                // If librdkafka gives a record up because of the cluster, it is read and sent
                // again.
                None if is_topics(error) || !self.0.takes_back && is_clusters(error) => {
                    pending.unsent.push((unpacked(opaque), about(message.topic(), error)));
                }
                None if is_purged(error) && pending.denied.contains(message.topic()) => {
                    let error = KafkaError::MessageProduction(Denied);
                    pending.unsent.push((unpacked(opaque), about(message.topic(), &error)));
                }
                None if self.0.takes_back && !is_lasting(error) => {
                    pending.reports.push((unpacked(opaque), Told::Undone));
                }
                None => {
                    pending.failed.get_or_insert_with(|| about(message.topic(), error));
                }
            },
        }
        // Whoever waits for space or for reports checks again soon, and each wake-up has a cost.
        let first = pending.reports.len() == 1 || pending.has_failures();
        drop(pending);
        if first {
            self.0.more.notify_all();
        }
    }
}

/// Returns the record that was sent.
fn back(message: &BorrowedMessage<'_>) -> Back {
    let part = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let headers = headers.map(|header| (header.key.to_owned(), part(header.value))).collect();
    Back { key: part(message.key()), value: part(message.payload()), headers }
}

/// Returns the reason if a record was rejected because of itself, or together with its batch.
fn refusal(error: &KafkaError) -> Option<Reason> {
    let anothers = error.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidDifferentRecord);
    if anothers { Some(Reason::Refused) } else { of_record(error).map(reason) }
}

/// Returns whether a record was not sent because its transaction ended before.
fn is_purged(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{PurgeInflight, PurgeQueue};
    matches!(error.rdkafka_error_code(), Some(PurgeQueue | PurgeInflight))
}

/// Returns the topic that a line of librdkafka's log reports as unauthorized. No error names it,
/// because a transaction with such a topic fails as a whole.
fn denied<'a>(about: &str, line: &'a str) -> Option<&'a str> {
    let known = about == "ADDPARTS" && line.ends_with("Topic authorization failed");
    line.split('"').nth(1).filter(|_| known)
}

fn is_clusters(error: &KafkaError) -> bool {
    error.rdkafka_error_code().map(Fault::of) == Some(Fault::Cluster)
}

/// Returns whether an error is about one topic.
pub(super) fn is_topics(error: &KafkaError) -> bool {
    error.rdkafka_error_code().map(Fault::of) == Some(Fault::Topic)
}

/// Returns whether a new transaction would fail again. A fatal producer error is handled elsewhere.
pub(super) fn is_lasting(error: &KafkaError) -> bool {
    !is_broken(error) && error.rdkafka_error_code().map(Fault::of) == Some(Fault::Lasting)
}

/// Returns whether the producer is unusable.
fn is_broken(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced)
    )
}

pub(super) fn reason(long: bool) -> Reason {
    if long { Reason::TooLarge } else { Reason::Refused }
}

pub(super) fn same(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

pub(super) fn packed(ticket: Ticket) -> usize {
    (ticket.batch << RECORD_BITS) as usize | ticket.record as usize
}

pub(super) fn unpacked(opaque: usize) -> Ticket {
    let record = (opaque & ((1 << RECORD_BITS) - 1)) as u32;
    Ticket { batch: (opaque >> RECORD_BITS) as u64, record }
}

#[cfg(test)]
mod tests {
    use super::denied;

    #[test]
    fn the_topic_that_a_transaction_may_not_have_is_named_in_the_log_alone() {
        let line = |why: &str| {
            format!(
                "[thrd:main]: TxnCoordinator: Failed to add partition \"logs.clean\" [3] to transaction: {why}"
            )
        };
        let why = line("Broker: Topic authorization failed");
        assert_eq!(denied("ADDPARTS", &why), Some("logs.clean"));
        assert_eq!(denied("FAIL", &why), None);
        let other = line("Broker: Operation not attempted");
        assert_eq!(denied("ADDPARTS", &other), None);
    }
}
