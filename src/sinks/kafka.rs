//! Topics as a sink: an idempotent producer, whose delivery reports say what is durable.
//!
//! | file | does |
//! | --- | --- |
//! | `recreate` | replaces the producer when certificates or keys changed |
//! | `codes` | sorts the error codes of transactions |
//! | `delivery_reports` | receives delivery reports |
//! | `fenced` | finds out why a producer was fenced |
//! | `polled_producer` | a producer, and the thread that polls it |
//! | `isolate` | finds the records because of which batches are rejected |
//! | `transactions` | sends records and commits offsets atomically |
//! | `destinations` | the topic of a record, and its maximum record size |
//!
//! Errors of a record or a topic are reported as such. Errors of the cluster are retried without
//! limit. All others end the run.

mod codes;
mod delivery_reports;
mod destinations;
mod fenced;
mod isolate;
mod polled_producer;
mod recreate;
mod transactions;

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    error::RDKafkaErrorCode,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::{
    kafka::{
        AppliedPassword, Cluster, Fault, MadeWith, Routes, SOCKET_TIMEOUT, STATISTICS_EVERY, about,
        not_made, of_record, unless_said,
    },
    pipeline::records::{Outgoing, RecordSink, Refusal, Ticket, Told, Transactions},
    shutdown::{Phase, Shutdown},
};
use delivery_reports::{
    ClientCallbacks, DeliveryReports, is_lasting, is_topics, packed, reason, same,
};
use destinations::{Destinations, limit};
use polled_producer::PolledProducer;
use transactions::Transacting;

/// The overhead of a record in the producer, and in this sink until its delivery report arrives.
const RECORD_BYTES: usize = 512;

/// The memory of the batches that the producer builds, and of those that it is sending.
const BATCHES_BYTES: usize = 4 << 20;

/// Returns the memory of the sink if its producer buffers `buffer` bytes of records: the buffer, the
/// overhead of each record, and batches.
pub fn sink_bytes(buffer: usize) -> u64 {
    (buffer + most_records(buffer) * RECORD_BYTES + BATCHES_BYTES) as u64
}

/// Returns the maximum number of records in the producer's buffer.
fn most_records(buffer: usize) -> usize {
    buffer / RECORD_BYTES
}

/// How long to wait for space in the buffer before checking for errors.
const ROOM: Duration = Duration::from_millis(2);
/// How long a stopped run waits without progress.
const PATIENCE: Duration = Duration::from_secs(2);
/// The settings of the sink.
pub struct Settings {
    /// The cluster.
    pub cluster: Cluster,
    /// The topics that are written for each topic that is read.
    pub routes: Routes,
    /// Whether each record goes to the partition with the number of its source partition. Otherwise
    /// its key decides, as in the Java client.
    pub same_partition: bool,
    /// The maximum record size of each topic, if it is known.
    pub limits: BTreeMap<String, usize>,
    /// The transactional id, if transactions are used. It is unique to this process, and the same
    /// after a restart.
    pub transactional_id: Option<String>,
    /// The size of the producer's buffer, in bytes.
    pub buffer_bytes: usize,
    /// The shutdown state, which ends waits.
    pub shutdown: Shutdown,
}

/// A sink that writes to topics.
pub struct KafkaSink {
    producer: PolledProducer,
    delivery_reports: Arc<DeliveryReports>,
    destinations: Destinations,
    transacting: Option<Transacting>,
    applied_password: AppliedPassword,
    made_with: MadeWith,
    settings: Settings,
}

impl KafkaSink {
    /// Creates a producer, which connects when there is something to send, or immediately if it
    /// uses transactions.
    ///
    /// # Errors
    /// librdkafka rejects a property, or the cluster does not allow transactions; or, with the kind
    /// `Interrupted`, a shutdown was requested.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let delivery_reports = DeliveryReports::new(
            settings.cluster.reporter.clone(),
            settings.transactional_id.is_some(),
        );
        let destinations = Destinations::new(settings.routes.clone(), settings.limits.clone());
        let made_with = settings.cluster.tls.taken();
        let producer = producer(&settings, &delivery_reports)?;
        let stopped = || settings.shutdown.phase() != Phase::Running;
        let transactional = settings.transactional_id.as_ref();
        let transacting = transactional.map(|_| Transacting::start(&producer, &stopped));
        let transacting = transacting.transpose()?;
        let applied_password = AppliedPassword::default();
        Ok(Self {
            producer,
            delivery_reports,
            destinations,
            transacting,
            applied_password,
            made_with,
            settings,
        })
    }

    /// Must be called repeatedly while waiting: gives the producer the current password, and shows
    /// that this process is not suspended.
    fn attend(&self) {
        let Self { producer, transacting, applied_password, settings, .. } = self;
        attend(producer, transacting.as_ref(), applied_password, settings);
    }
}

fn attend(
    producer: &PolledProducer,
    transacting: Option<&Transacting>,
    applied_password: &AppliedPassword,
    settings: &Settings,
) {
    applied_password.renew(&settings.cluster.reporter, producer.client());
    if let Some(transacting) = transacting {
        transacting.look();
    }
}

/// Creates a producer with these delivery reports.
fn producer(
    settings: &Settings,
    delivery_reports: &Arc<DeliveryReports>,
) -> io::Result<PolledProducer> {
    let mut config = settings.cluster.client(&[
        ("enable.idempotence", "true"),
        ("allow.auto.create.topics", "false"),
        ("partitioner", "murmur2_random"),
        ("queue.buffering.max.messages", &most_records(settings.buffer_bytes).to_string()),
        ("queue.buffering.max.kbytes", &(settings.buffer_bytes >> 10).to_string()),
    ]);
    match &settings.transactional_id {
        Some(id) => {
            for (name, value) in transactions::properties(id) {
                config.set(name, value);
            }
            // Unknown topics are detected before the records for them expire.
            unless_said(&mut config, &[("topic.metadata.propagation.max.ms", "5000")]);
        }
        None => {
            config.set("message.timeout.ms", "0");
            unless_said(&mut config, &[("socket.timeout.ms", SOCKET_TIMEOUT)]);
        }
    }
    let usual = [
        ("compression.codec", "lz4"),
        ("linger.ms", "5"),
        ("statistics.interval.ms", STATISTICS_EVERY),
    ];
    unless_said(&mut config, &usual);
    limit(&settings.limits, settings.buffer_bytes, &mut config);
    let producer: BaseProducer<ClientCallbacks> = config
        .create_with_context(ClientCallbacks(delivery_reports.clone()))
        .map_err(|error| not_made(&error))?;
    PolledProducer::new(producer)
}

impl RecordSink for KafkaSink {
    fn send(&mut self, ticket: Ticket, record: &Outgoing<'_>) -> Result<(), Refusal> {
        // While no records come, nothing else checks for new certificates.
        self.take_certificates();
        let topic = self.destinations.destination(record)?;
        let mut sent = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, packed(ticket));
        sent.key = record.key;
        sent.payload = record.value;
        sent.timestamp = record.timestamp;
        if self.settings.same_partition && !record.dead {
            sent = sent.partition(record.partition);
        }
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            sent = sent.headers(record.headers.iter().fold(headers, |headers, (key, value)| {
                headers.insert(Header { key, value: *value })
            }));
        }
        let mut waits: Option<Instant> = None;
        loop {
            let (error, back) = match self.producer.send(sent) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(match of_record(&error) {
                    Some(long) => {
                        self.delivery_reports.reporter.member_status.count_error(Fault::Record);
                        Refusal::Record(reason(long))
                    }
                    None if is_topics(&error) => Refusal::Topic(about(topic, &error)),
                    None if self.transacting.is_some() && !is_lasting(&error) => Refusal::Undone,
                    None => Refusal::Sink(about(topic, &error)),
                });
            }
            sent = back;
            attend(
                &self.producer,
                self.transacting.as_ref(),
                &self.applied_password,
                &self.settings,
            );
            let pending = self.delivery_reports.pending();
            if let Some(error) = &pending.failed {
                return Err(Refusal::Sink(same(error)));
            }
            if pending.broken && self.transacting.is_some() {
                // The abort that follows reports the reason.
                return Err(Refusal::Undone);
            }
            let since = *waits.get_or_insert_with(Instant::now);
            if recreate::is_hopeless(&self.made_with, since) {
                // The record is sent again by a new producer.
                let why =
                    "the producer's queue is full, and TLS certificates or keys changed meanwhile";
                return Err(match self.transacting {
                    Some(_) => Refusal::Undone,
                    None => Refusal::Topic(io::Error::other(why)),
                });
            }
            if self.settings.shutdown.phase() == Phase::GivenUp {
                return Err(Refusal::Sink(io::ErrorKind::TimedOut.into()));
            }
            self.delivery_reports.wait(pending, ROOM);
        }
    }

    fn reports(
        &mut self,
        reports: &mut Vec<(Ticket, Told)>,
        timestamps: &dyn Fn(Ticket) -> Option<i64>,
    ) -> io::Result<()> {
        self.attend();
        self.take_certificates();
        self.isolate(timestamps);
        let mut pending = self.delivery_reports.pending();
        reports.append(&mut pending.reports);
        pending.failed.as_ref().map_or(Ok(()), |error| Err(same(error)))
    }

    fn unsent(&mut self, unsent: &mut Vec<(Ticket, io::Error)>) {
        unsent.append(&mut self.delivery_reports.pending().unsent);
    }

    fn wait(&mut self, wait: Duration) {
        let pending = self.delivery_reports.pending();
        if pending.reports.is_empty() && !pending.has_failures() {
            self.delivery_reports.wait(pending, wait);
        }
    }

    fn transactions(&mut self) -> Option<&mut dyn Transactions> {
        self.transacting.is_some().then_some(self)
    }
}
