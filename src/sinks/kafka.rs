//! Topics as a sink: an idempotent producer, whose delivery reports say what is durable.
//!
//! A record's own fault is reported as such; the cluster's faults are waited out, for as long as it
//! takes; all others end the run.

use std::{
    error::Error,
    io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Message as _,
    client::OAuthToken,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders, OwnedMessage},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
    statistics::Statistics,
};

use crate::{
    kafka::{Cluster, Voice, about, of_record},
    pipeline::{
        Reason,
        records::{Outgoing, RecordSink, Refusal, Ticket},
    },
    shutdown::{Phase, Shutdown},
};

/// What the producer holds at most, in KiB.
const BUFFER_KIB: u64 = 32 << 10;
/// What the sink needs in memory: that, and the batches that are being made of it.
pub const KAFKA_SINK_BYTES: u64 = (2 * BUFFER_KIB) << 10;
/// How long to wait for room.
const ROOM: Duration = Duration::from_millis(2);
/// How long a stopped run waits without any progress.
const PATIENCE: Duration = Duration::from_secs(2);
/// A record's place in its batch has so many bits of a ticket.
const RECORD_BITS: u32 = 20;

/// Where records go.
pub struct Settings {
    /// The cluster.
    pub cluster: Cluster,
    /// The topic of what is forwarded.
    pub topic: String,
    /// The topic of dead letters.
    pub dead_letter: Option<String>,
    /// Each record goes to the partition of the number that it came from; otherwise its key decides,
    /// as it does with the Java client.
    pub same_partition: bool,
    /// The longest record that all these topics take.
    pub limit: Option<usize>,
    /// When to stop waiting.
    pub shutdown: Shutdown,
}

/// Topics.
pub struct KafkaSink {
    producer: ThreadedProducer<Ear>,
    desk: Arc<Desk>,
    settings: Settings,
}

/// Where delivery reports come in.
struct Desk {
    told: Mutex<Told>,
    more: Condvar,
    voice: Voice,
}

#[derive(Default)]
struct Told {
    reports: Vec<(Ticket, Option<Reason>)>,
    /// Refused with their batches: for their own fault, or another's.
    again: Vec<(usize, OwnedMessage)>,
    /// What is on its way is alone in its batch.
    alone: bool,
    failed: Option<io::Error>,
}

impl KafkaSink {
    /// Makes a producer, which connects when there is something to send.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let voice = settings.cluster.voice.clone();
        let desk = Arc::new(Desk { told: Mutex::default(), more: Condvar::new(), voice });
        let mut config = settings.cluster.client(&[
            ("enable.idempotence", "true"),
            ("message.timeout.ms", "0"),
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.messages", "100000"),
            ("queue.buffering.max.kbytes", &BUFFER_KIB.to_string()),
        ]);
        for (name, value) in [("compression.codec", "lz4"), ("linger.ms", "5")] {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        if let Some(limit) = settings.limit {
            // librdkafka knows no less than that, and what is longer than its buffer would wait for ever.
            let limit = limit.clamp(1000, (BUFFER_KIB << 10) as usize);
            config.set("message.max.bytes", limit.to_string());
        }
        let producer = config
            .create_with_context(Ear(desk.clone()))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        Ok(Self { producer, desk, settings })
    }

    /// Finds the records whose own fault it is that their batches were refused: what was refused is
    /// sent again by halves, each with nothing else on its way, and in the end alone.
    fn isolate(&mut self, timestamps: &dyn Fn(Ticket) -> Option<i64>) {
        if self.desk.told().again.is_empty() || !self.settled() {
            return;
        }
        let mut groups = vec![mem::take(&mut self.desk.told().again)];
        while let Some(group) = groups.pop() {
            let alone = group.len() == 1;
            self.desk.told().alone = alone;
            for (opaque, message) in &group {
                self.resend(*opaque, message, timestamps(unpacked(*opaque)));
            }
            let settled = self.settled();
            let mut told = self.desk.told();
            told.alone = false;
            if !settled {
                // They stay untold, and so what comes behind them is not acknowledged.
                return;
            }
            let mut refused = mem::take(&mut told.again);
            drop(told);
            if !refused.is_empty() {
                let second = refused.split_off(refused.len().div_ceil(2));
                groups.push(second);
                groups.push(refused);
            }
            groups.retain(|group| !group.is_empty());
        }
    }

    fn resend(&self, opaque: usize, message: &OwnedMessage, timestamp: Option<i64>) {
        let mut sent = BaseRecord::<[u8], [u8], usize>::with_opaque_to(message.topic(), opaque)
            .partition(message.partition());
        sent.key = message.key();
        sent.payload = message.payload();
        // librdkafka does not tell it of what failed.
        sent.timestamp = timestamp;
        sent.headers = message.headers().cloned();
        // There is room: nothing else is on its way, and all of them were in it before.
        if let Err((error, _)) = self.producer.send(sent) {
            let mut told = self.desk.told();
            told.failed.get_or_insert_with(|| about(message.topic(), &error));
        }
    }

    /// Waits until nothing is on its way; `false`: the sink failed, or nobody waits any more.
    fn settled(&self) -> bool {
        let mut moved = (self.producer.in_flight_count(), Instant::now());
        loop {
            let left = self.producer.in_flight_count();
            if left != moved.0 {
                moved = (left, Instant::now());
            }
            let stuck = match self.settings.shutdown.phase() {
                Phase::GivenUp => true,
                Phase::Stopped { since } => moved.1.max(since).elapsed() >= PATIENCE,
                Phase::Running | Phase::Draining { .. } => false,
            };
            let told = self.desk.told();
            if told.failed.is_some() || stuck {
                return false;
            }
            if left == 0 {
                return true;
            }
            drop(self.desk.more.wait_timeout(told, ROOM));
        }
    }

    fn topic(&self, dead: bool) -> &str {
        match &self.settings.dead_letter {
            Some(topic) if dead => topic,
            _ => &self.settings.topic,
        }
    }
}

impl RecordSink for KafkaSink {
    fn send(&mut self, ticket: Ticket, record: &Outgoing<'_>) -> Result<(), Refusal> {
        let topic = self.topic(record.dead);
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
        loop {
            let (error, back) = match self.producer.send(sent) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(match of_record(&error) {
                    Some(long) => Refusal::Record(reason(long)),
                    None => Refusal::Sink(about(self.topic(record.dead), &error)),
                });
            }
            sent = back;
            let told = self.desk.told();
            if let Some(error) = &told.failed {
                return Err(Refusal::Sink(same(error)));
            }
            if self.settings.shutdown.phase() == Phase::GivenUp {
                return Err(Refusal::Sink(io::ErrorKind::TimedOut.into()));
            }
            drop(self.desk.more.wait_timeout(told, ROOM));
        }
    }

    fn reports(
        &mut self,
        reports: &mut Vec<(Ticket, Option<Reason>)>,
        timestamps: &dyn Fn(Ticket) -> Option<i64>,
    ) -> io::Result<()> {
        self.isolate(timestamps);
        let mut told = self.desk.told();
        reports.append(&mut told.reports);
        told.failed.as_ref().map_or(Ok(()), |error| Err(same(error)))
    }

    fn wait(&mut self, wait: Duration) {
        let told = self.desk.told();
        if told.reports.is_empty() && told.again.is_empty() && told.failed.is_none() {
            drop(self.desk.more.wait_timeout(told, wait));
        }
    }
}

impl Desk {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What librdkafka tells of.
struct Ear(Arc<Desk>);

impl ClientContext for Ear {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, about: &str, line: &str) {
        self.0.voice.heard(about, line);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, _: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.0.told().failed.get_or_insert_with(|| about("the producer", &error));
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
        let mut told = self.0.told();
        match result {
            Ok(_) => told.reports.push((unpacked(opaque), None)),
            Err((error, message)) => match of_record(error) {
                Some(long) if told.alone => {
                    told.reports.push((unpacked(opaque), Some(reason(long))));
                }
                Some(_) => told.again.push((opaque, message.detach())),
                None if is_anothers(error) => told.again.push((opaque, message.detach())),
                None => {
                    told.failed.get_or_insert_with(|| about(message.topic(), error));
                }
            },
        }
        // Who waits for room or for reports looks again soon enough; each wake-up costs.
        let first = told.reports.len() == 1 || told.failed.is_some() || !told.again.is_empty();
        drop(told);
        if first {
            self.0.more.notify_all();
        }
    }
}

/// A broker refuses a whole batch for one record in it.
fn is_anothers(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidDifferentRecord)
}

fn reason(long: bool) -> Reason {
    if long { Reason::TooLarge } else { Reason::Refused }
}

fn same(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

fn packed(ticket: Ticket) -> usize {
    (ticket.batch << RECORD_BITS) as usize | ticket.record as usize
}

fn unpacked(opaque: usize) -> Ticket {
    let record = (opaque & ((1 << RECORD_BITS) - 1)) as u32;
    Ticket { batch: (opaque >> RECORD_BITS) as u64, record }
}
