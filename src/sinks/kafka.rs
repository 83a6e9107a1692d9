//! Topics as a sink: an idempotent producer, whose delivery reports say what is durable.
//!
//! | file | does |
//! | --- | --- |
//! | `anew` | another producer, where certificates or keys changed |
//! | `desk` | where delivery reports come in |
//! | `fenced` | tells why a producer was fenced |
//! | `heard` | a producer, and the thread that hears its reports |
//! | `isolate` | finds records for whose sake batches are refused |
//! | `transactions` | records, and how far the source is delivered, at once or not at all |
//! | `ways` | where a record goes, and whether its topic takes one as long |
//!
//! A record's own fault is reported as such, and a topic's; the cluster's faults are waited out, for as
//! long as it takes; all others end the run.

mod anew;
mod codes;
mod desk;
mod fenced;
mod heard;
mod isolate;
mod transactions;
mod ways;

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
        Cluster, Fault, Given, MadeWith, Routes, SOCKET_TIMEOUT, STATISTICS_EVERY, about, not_made,
        of_record, unless_said,
    },
    pipeline::records::{Outgoing, RecordSink, Refusal, Ticket, Told, Transactions},
    shutdown::{Phase, Shutdown},
};
use desk::{Desk, Ear, is_lasting, is_topics, packed, reason, same};
use heard::Heard;
use transactions::Transacting;
use ways::{Ways, limit};

/// What a record costs the producer beside its bytes, and what is known of it until its report came.
const RECORD_BYTES: usize = 512;

/// What the sink needs in memory whose producer holds records of `buffer` bytes: these, the batches that
/// are being made of them, and what is known of each.
pub fn sink_bytes(buffer: usize) -> u64 {
    (2 * buffer + most_records(buffer) * RECORD_BYTES) as u64
}

/// How many records the producer holds at most.
fn most_records(buffer: usize) -> usize {
    buffer / RECORD_BYTES
}

/// How long to wait for room.
const ROOM: Duration = Duration::from_millis(2);
/// How long a stopped run waits without any progress.
const PATIENCE: Duration = Duration::from_secs(2);
/// Where records go.
pub struct Settings {
    /// The cluster.
    pub cluster: Cluster,
    /// Which topics are written of what is read of one.
    pub routes: Routes,
    /// Each record goes to the partition of the number that it came from; otherwise its key decides,
    /// as it does with the Java client.
    pub same_partition: bool,
    /// The longest record that each of these topics takes, as far as that is known.
    pub limits: BTreeMap<String, usize>,
    /// The name of the producer's transactions, if what it sends holds from commit to commit. It is this
    /// process's alone, and the same after a restart.
    pub transactional_id: Option<String>,
    /// How many bytes of records the producer holds at most.
    pub buffer_bytes: usize,
    /// When to stop waiting.
    pub shutdown: Shutdown,
}

/// Topics.
pub struct KafkaSink {
    producer: Heard,
    desk: Arc<Desk>,
    ways: Ways,
    transacting: Option<Transacting>,
    given: Given,
    made_with: MadeWith,
    settings: Settings,
}

impl KafkaSink {
    /// Makes a producer, which connects when there is something to send; one of transactions at once.
    ///
    /// # Errors
    /// A property that librdkafka does not take; transactions that the cluster does not allow; or, of kind
    /// `Interrupted`, somebody wants the end.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let desk = Desk::new(settings.cluster.voice.clone(), settings.transactional_id.is_some());
        let ways = Ways::new(settings.routes.clone(), settings.limits.clone());
        let made_with = settings.cluster.tls.taken();
        let producer = producer(&settings, &desk)?;
        let stopped = || settings.shutdown.phase() != Phase::Running;
        let transactional = settings.transactional_id.as_ref();
        let transacting = transactional.map(|_| Transacting::start(&producer, &stopped));
        let transacting = transacting.transpose()?;
        let given = Given::default();
        Ok(Self { producer, desk, ways, transacting, given, made_with, settings })
    }

    /// Whoever waits does this again and again: the producer has the password of now, and this process is
    /// seen to be awake.
    fn attend(&self) {
        let Self { producer, transacting, given, settings, .. } = self;
        attend(producer, transacting.as_ref(), given, settings);
    }
}

fn attend(producer: &Heard, transacting: Option<&Transacting>, given: &Given, settings: &Settings) {
    given.renew(&settings.cluster.voice, producer.client());
    if let Some(transacting) = transacting {
        transacting.look();
    }
}

/// A producer whose reports come to this desk.
fn producer(settings: &Settings, desk: &Arc<Desk>) -> io::Result<Heard> {
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
            // A topic that is not there is known to be gone before what is for it is too old.
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
    let producer: BaseProducer<Ear> =
        config.create_with_context(Ear(desk.clone())).map_err(|error| not_made(&error))?;
    Heard::new(producer)
}

impl RecordSink for KafkaSink {
    fn send(&mut self, ticket: Ticket, record: &Outgoing<'_>) -> Result<(), Refusal> {
        // Nobody looks while nothing comes.
        self.take_certificates();
        let topic = self.ways.way(record)?;
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
                        self.desk.voice.vitals.erred(Fault::Record);
                        Refusal::Record(reason(long))
                    }
                    None if is_topics(&error) => Refusal::Topic(about(topic, &error)),
                    None if self.transacting.is_some() && !is_lasting(&error) => Refusal::Undone,
                    None => Refusal::Sink(about(topic, &error)),
                });
            }
            sent = back;
            attend(&self.producer, self.transacting.as_ref(), &self.given, &self.settings);
            let tray = self.desk.tray();
            if let Some(error) = &tray.failed {
                return Err(Refusal::Sink(same(error)));
            }
            if tray.broken && self.transacting.is_some() {
                // The abort that follows says why.
                return Err(Refusal::Undone);
            }
            let since = *waits.get_or_insert_with(Instant::now);
            if anew::is_hopeless(&self.made_with, since) {
                // What is given back is sent again, by another producer.
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
            self.desk.wait(tray, ROOM);
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
        let mut tray = self.desk.tray();
        reports.append(&mut tray.reports);
        tray.failed.as_ref().map_or(Ok(()), |error| Err(same(error)))
    }

    fn unsent(&mut self, unsent: &mut Vec<(Ticket, io::Error)>) {
        unsent.append(&mut self.desk.tray().unsent);
    }

    fn wait(&mut self, wait: Duration) {
        let tray = self.desk.tray();
        if tray.reports.is_empty() && !tray.is_rare() {
            self.desk.wait(tray, wait);
        }
    }

    fn transactions(&mut self) -> Option<&mut dyn Transactions> {
        self.transacting.is_some().then_some(self)
    }
}
