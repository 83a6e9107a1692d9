//! Where delivery reports come in.

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
    kafka::{Client, Fault, Voice, about, of_record},
    pipeline::{
        Reason,
        records::{Back, Ticket, Told},
    },
};

/// A record's place in its batch has so many bits of a ticket.
const RECORD_BITS: u32 = 20;

/// Where delivery reports come in.
pub(super) struct Desk {
    tray: Mutex<Tray>,
    more: Condvar,
    pub(super) voice: Voice,
    /// A transaction is taken back, for whatever reason; otherwise what fails is sent again.
    takes_back: bool,
}

#[derive(Default)]
pub(super) struct Tray {
    pub(super) reports: Vec<(Ticket, Told)>,
    /// Refused with their batches: for their own fault, or another's.
    pub(super) again: Vec<(usize, OwnedMessage)>,
    /// What is on its way is alone in its batch.
    pub(super) alone: bool,
    /// Those that a fault of their topic kept from it.
    pub(super) unsent: Vec<(Ticket, io::Error)>,
    /// The producer itself says that it can go no further.
    pub(super) broken: bool,
    /// Topics that this program may not write, as was found since the transaction began.
    pub(super) denied: BTreeSet<String>,
    pub(super) failed: Option<io::Error>,
}

impl Desk {
    pub(super) fn new(voice: Voice, takes_back: bool) -> Arc<Self> {
        Arc::new(Self { tray: Mutex::default(), more: Condvar::new(), voice, takes_back })
    }

    pub(super) fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something comes in.
    pub(super) fn wait(&self, tray: MutexGuard<'_, Tray>, wait: Duration) {
        drop(self.more.wait_timeout(tray, wait));
    }
}

impl Tray {
    /// Whether there is more in it than reports.
    pub(super) fn is_rare(&self) -> bool {
        self.failed.is_some() || !self.again.is_empty() || !self.unsent.is_empty()
    }
}

/// What librdkafka tells of.
pub(super) struct Ear(pub(super) Arc<Desk>);

impl ClientContext for Ear {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, about: &str, line: &str) {
        self.0.voice.heard(about, line);
        if let Some(topic) = denied(about, line) {
            self.0.tray().denied.insert(topic.to_owned());
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.0.voice.vitals.told(Client::Sink, &statistics);
    }

    fn error(&self, error: KafkaError, _: &str) {
        if is_broken(&error) {
            let mut tray = self.0.tray();
            tray.broken = true;
            if !self.0.takes_back {
                tray.failed.get_or_insert_with(|| about("the producer", &error));
            }
            drop(tray);
            self.0.more.notify_all();
        } else {
            self.0.voice.fault(&error);
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.0.voice.token()
    }
}

impl ProducerContext for Ear {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let mut tray = self.0.tray();
        match result {
            Ok(_) => tray.reports.push((unpacked(opaque), Told::Durable)),
            Err((error, message)) => match refusal(error) {
                Some(reason) if tray.alone || self.0.takes_back => {
                    self.0.voice.vitals.erred(Fault::Record);
                    let back = (!self.0.takes_back).then(|| back(message));
                    tray.reports.push((unpacked(opaque), Told::Refused(reason, back)));
                }
                Some(_) => tray.again.push((opaque, message.detach())),
                // What librdkafka gives up that is the cluster's fault is read, and sent, again.
                None if is_topics(error) || !self.0.takes_back && is_clusters(error) => {
                    tray.unsent.push((unpacked(opaque), about(message.topic(), error)));
                }
                None if is_purged(error) && tray.denied.contains(message.topic()) => {
                    let error = KafkaError::MessageProduction(Denied);
                    tray.unsent.push((unpacked(opaque), about(message.topic(), &error)));
                }
                None if self.0.takes_back && !is_lasting(error) => {
                    tray.reports.push((unpacked(opaque), Told::Undone));
                }
                None => {
                    tray.failed.get_or_insert_with(|| about(message.topic(), error));
                }
            },
        }
        // Who waits for room or for reports looks again soon enough; each wake-up costs.
        let first = tray.reports.len() == 1 || tray.is_rare();
        drop(tray);
        if first {
            self.0.more.notify_all();
        }
    }
}

/// What was sent.
fn back(message: &BorrowedMessage<'_>) -> Back {
    let part = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let headers = headers.map(|header| (header.key.to_owned(), part(header.value))).collect();
    Back { key: part(message.key()), value: part(message.payload()), headers }
}

/// What is said against a record that was refused for its own fault, or with its batch for another's.
fn refusal(error: &KafkaError) -> Option<Reason> {
    let anothers = error.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidDifferentRecord);
    if anothers { Some(Reason::Refused) } else { of_record(error).map(reason) }
}

/// Whether something was not sent, since its transaction came to an end before.
fn is_purged(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{PurgeInflight, PurgeQueue};
    matches!(error.rdkafka_error_code(), Some(PurgeQueue | PurgeInflight))
}

/// The topic that a line of librdkafka's log says may not be written. No error names it: a transaction that a
/// topic may not be in fails as a whole.
fn denied<'a>(about: &str, line: &'a str) -> Option<&'a str> {
    let told = about == "ADDPARTS" && line.ends_with("Topic authorization failed");
    line.split('"').nth(1).filter(|_| told)
}

fn is_clusters(error: &KafkaError) -> bool {
    error.rdkafka_error_code().map(Fault::of) == Some(Fault::Cluster)
}

/// Whether a topic has a fault of its own.
pub(super) fn is_topics(error: &KafkaError) -> bool {
    error.rdkafka_error_code().map(Fault::of) == Some(Fault::Topic)
}

/// Whether a transaction that begins anew would fail again. That the producer is broken is told
/// elsewhere.
pub(super) fn is_lasting(error: &KafkaError) -> bool {
    !is_broken(error) && error.rdkafka_error_code().map(Fault::of) == Some(Fault::Lasting)
}

/// Whether the producer is of no use any more.
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
