//! A real broker, started once for all tests of a run, and what a test asks of it.
//!
//! Where it cannot run, the tests that need it say so on standard error and pass; with
//! `TAMIS_KAFKA=required` they fail.

use std::{
    env,
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{
        AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
        TopicReplication,
    },
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult},
    message::{Header, Headers as _, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka");
const PATIENCE: Duration = Duration::from_secs(60);
/// `scripts/kafka` says so where something is missing.
const MISSING: i32 = 4;

/// A broker's address.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) address: String,
}

/// A record, as it is written and read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Written {
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Written {
    pub(crate) fn value(text: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(text.into()), ..Self::default() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(String::from_utf8_lossy(found.1.as_deref().unwrap_or_default()).into_owned())
    }

    /// Everything of it that somebody could read.
    pub(crate) fn everything(&self) -> String {
        let headers =
            self.headers.iter().flat_map(|(name, value)| [Some(name.as_bytes()), value.as_deref()]);
        let parts = [self.key.as_deref(), self.value.as_deref()].into_iter().chain(headers);
        let parts: Vec<_> = parts.flatten().map(String::from_utf8_lossy).collect();
        parts.join("\n")
    }
}

/// The broker of all tests; `None`: it cannot run here, and that was said.
pub(crate) fn broker() -> Option<Broker> {
    static BROKER: OnceLock<Option<Broker>> = OnceLock::new();
    BROKER.get_or_init(|| Some(of_the_run("")?.broker)).clone()
}

/// The broker of all tests of secured connections: see `scripts/kafka`.
pub(crate) fn secured() -> Option<Cluster> {
    static SECURED: OnceLock<Option<Cluster>> = OnceLock::new();
    SECURED.get_or_init(|| of_the_run("secured")).clone()
}

/// Three brokers, for all tests whose brokers come and go: each takes turns, by holding the guard, and
/// leaves them as it found them.
pub(crate) fn three() -> Option<(Cluster, MutexGuard<'static, ()>)> {
    static THREE: OnceLock<Option<Cluster>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    Some((THREE.get_or_init(|| of_the_run("three")).clone()?, turn))
}

/// Brokers that are the run's: the script removes them when this process ends.
fn of_the_run(kind: &str) -> Option<Cluster> {
    let (folder, port) = (tempfile::tempdir().unwrap().keep(), free_ports());
    let me = process::id().to_string();
    if !runs(&["with", &me, folder.to_str().unwrap(), &port.to_string(), kind]) {
        return None;
    }
    let ports = (0..if kind == "three" { 3 } else { 1 }).map(|number| port + 2 * number);
    let addresses: Vec<_> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
    Some(Cluster { broker: Broker { address: addresses.join(",") }, folder, port })
}

/// A broker of a test's own, to be killed.
pub(crate) fn own_broker(folder: &Path) -> Option<(Broker, u16)> {
    let port = free_ports();
    let broker = Broker { address: format!("127.0.0.1:{port}") };
    let me = process::id().to_string();
    let dir = folder.join("broker");
    runs(&["with", &me, dir.to_str().unwrap(), &port.to_string()]).then_some((broker, port))
}

/// One that is reached through a proxy, too: see `proxy.rs`.
pub(crate) fn own_proxied(folder: &Path) -> Option<(Broker, u16)> {
    let (folder, port) = (folder.join("broker"), free_ports());
    let me = process::id().to_string();
    let broker = Broker { address: format!("127.0.0.1:{port}") };
    let args = ["with", &me, folder.to_str().unwrap(), &port.to_string(), "proxied"];
    runs(&args).then_some((broker, port))
}

/// A secured broker of a test's own.
pub(crate) fn own_secured(folder: &Path) -> Option<Cluster> {
    let (folder, port) = (folder.join("broker"), free_ports());
    let me = process::id().to_string();
    let args = ["with", &me, folder.to_str().unwrap(), &port.to_string(), "secured"];
    let broker = Broker { address: format!("127.0.0.1:{port}") };
    runs(&args).then_some(Cluster { broker, folder, port })
}

/// One broker or three, and where their files are.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) broker: Broker,
    folder: PathBuf,
    port: u16,
}

/// What befalls one of three brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kill,
    Stop,
    Cont,
    /// It starts again, with its data.
    Up,
}

impl Cluster {
    /// A file of a secured broker's.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// An address of a secured broker's: with TLS (2), with certificates on both sides (3), with TLS
    /// and a login (4).
    pub(crate) fn listener(&self, number: u16) -> String {
        format!("127.0.0.1:{}", self.port + number)
    }

    /// A secured broker that is killed, and comes again with other properties.
    pub(crate) fn again(&self, change: impl Fn(String) -> String) {
        let (folder, properties) = (self.file(""), self.file("server.properties"));
        assert!(runs(&["kill", &folder]));
        let text = std::fs::read_to_string(&properties).unwrap();
        std::fs::write(&properties, change(text)).unwrap();
        assert!(runs(&["up", &folder, &self.port.to_string(), "secured"]));
    }

    /// Takes the right to write a topic from the guest of a secured broker, or gives it back.
    pub(crate) fn may_write(&self, topic: &str, may: bool) {
        let (folder, port) = (self.file(""), self.port.to_string());
        assert!(runs(&[if may { "allow" } else { "deny" }, &folder, &port, topic]));
    }

    /// Deals with one of three: 1, 2 or 3.
    pub(crate) fn befalls(&self, number: u16, fate: Fate) {
        let folder = self.file(&number.to_string());
        let port = (self.port + 2 * number - 2).to_string();
        assert!(match fate {
            Fate::Kill => runs(&["kill", &folder]),
            Fate::Stop => runs(&["stop", &folder]),
            Fate::Cont => runs(&["cont", &folder]),
            Fate::Up => runs(&["up", &folder, &port]),
        });
    }
}

/// Runs the script; `false`: something is missing, and that was said.
pub(crate) fn runs(args: &[&str]) -> bool {
    let output = Command::new(SCRIPT).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => true,
        Some(MISSING) if env::var("TAMIS_KAFKA").as_deref() != Ok("required") => {
            let line = format!("\nSKIPPED: a test that needs a Kafka broker: {said}");
            // Past the test harness, which would keep it to itself.
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            false
        }
        code => panic!("scripts/kafka {args:?}: {code:?}: {said}"),
    }
}

/// A port that is free, as are those behind that brokers need; below those that a system gives to
/// connections, which might have it back before a broker listens.
fn free_ports() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let tried = process::id().wrapping_mul(7) + NEXT.fetch_add(1, Relaxed);
        let port = 10_000 + (tried % 2_000 * 10) as u16;
        if (0..6).all(|more| TcpListener::bind(("127.0.0.1", port + more)).is_ok()) {
            return port;
        }
    }
}

/// A name that no other test of this run has.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Relaxed))
}

impl Broker {
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("socket.timeout.ms", "3000");
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    /// A topic of a unique name.
    pub(crate) fn topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> String {
        let name = unique(name);
        self.make(&name, partitions, config);
        name
    }

    /// A topic of this name.
    pub(crate) fn make(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        self.make_so(name, partitions, TopicReplication::Fixed(-1), config);
    }

    /// A topic of a unique name with one partition, which the first of these brokers leads.
    pub(crate) fn led_by(&self, name: &str, brokers: &[i32]) -> String {
        let name = unique(name);
        self.make_so(&name, 1, TopicReplication::Variable(&[brokers]), &[]);
        name
    }

    fn make_so(
        &self,
        name: &str,
        partitions: i32,
        replication: TopicReplication<'_>,
        config: &[(&str, &str)],
    ) {
        let mut topic = NewTopic::new(name, partitions, replication);
        topic.config = config.to_vec();
        let options = patient();
        let made = wait_for(self.admin().create_topics([&topic], &options)).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        // It is made, and may not be shown yet.
        let begun = Instant::now();
        while self.leaders(name).len() != partitions as usize {
            assert!(begun.elapsed() < PATIENCE, "{name} is not shown");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Gives a topic more partitions.
    pub(crate) fn grow(&self, name: &str, partitions: usize) {
        let options = patient();
        let more = NewPartitions::new(name, partitions);
        let made = wait_for(self.admin().create_partitions([&more], &options)).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// Deletes a topic.
    pub(crate) fn delete(&self, name: &str) {
        let options = patient();
        let gone = wait_for(self.admin().delete_topics(&[name], &options)).unwrap();
        assert!(gone.iter().all(Result::is_ok), "{gone:?}");
    }

    /// Writes records, each to its partition, or, where that is negative, by its key.
    pub(crate) fn write(&self, topic: &str, records: &[Written]) {
        let producer: ThreadedProducer<DefaultProducerContext> = self
            .client()
            .set("partitioner", "murmur2_random")
            .set("enable.idempotence", "true")
            .set("queue.buffering.max.messages", "1000000")
            .set("message.max.bytes", "2000000")
            .create()
            .unwrap();
        for record in records {
            let mut sent = BaseRecord::<[u8], [u8]>::to(topic);
            if record.partition >= 0 {
                sent = sent.partition(record.partition);
            }
            sent.key = record.key.as_deref();
            sent.payload = record.value.as_deref();
            sent.timestamp = record.timestamp;
            if !record.headers.is_empty() {
                let headers = OwnedHeaders::new();
                sent.headers =
                    Some(record.headers.iter().fold(headers, |headers, (key, value)| {
                        headers.insert(Header { key, value: value.as_deref() })
                    }));
            }
            producer.send(sent).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// Everything that a topic holds now and that is committed, partition by partition.
    pub(crate) fn read(&self, topic: &str) -> Vec<Written> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", unique("reader"))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let metadata = patiently(|| consumer.fetch_metadata(Some(topic), PATIENCE));
        let partitions = metadata.topics()[0].partitions().len() as i32;
        let (mut all, mut list, mut left) = (Vec::new(), TopicPartitionList::new(), partitions);
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let begun = Instant::now();
        while left > 0 {
            assert!(begun.elapsed() < PATIENCE, "{topic} could not be read");
            let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
            let message = match message {
                // Behind the last record there may be marks of transactions.
                Err(KafkaError::PartitionEOF(_)) => {
                    left -= 1;
                    continue;
                }
                message => message.unwrap(),
            };
            let headers = message.headers().map(|all| {
                let owned = |h: Header<'_, &[u8]>| (h.key.to_owned(), h.value.map(<[u8]>::to_vec));
                all.iter().map(owned).collect()
            });
            all.push(Written {
                partition: message.partition(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                timestamp: message.timestamp().to_millis(),
                headers: headers.unwrap_or_default(),
            });
        }
        // In each partition the order is the broker's.
        all.sort_by_key(|record| record.partition);
        all
    }

    /// How many records a topic holds.
    pub(crate) fn count(&self, topic: &str) -> i64 {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = patiently(|| consumer.fetch_metadata(Some(topic), PATIENCE));
        let partitions = metadata.topics()[0].partitions().len() as i32;
        let ends = (0..partitions).map(|partition| {
            let (low, high) = patiently(|| consumer.fetch_watermarks(topic, partition, PATIENCE));
            high - low
        });
        ends.sum()
    }

    /// Which brokers lead a topic's partitions.
    pub(crate) fn leaders(&self, topic: &str) -> Vec<i32> {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = patiently(|| consumer.fetch_metadata(Some(topic), PATIENCE));
        let all = metadata.topics().iter().flat_map(|topic| topic.partitions());
        all.map(|partition| partition.leader()).collect()
    }

    /// What a group has committed, of all partitions.
    pub(crate) fn committed(&self, group: &str, topic: &str, partitions: i32) -> i64 {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let committed = patiently(|| consumer.committed_offsets(list.clone(), PATIENCE));
        let offsets = committed.elements().into_iter().map(|element| match element.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        });
        offsets.sum()
    }

    /// Sets a property of a topic; all others are those of the broker again.
    pub(crate) fn alter(&self, topic: &str, name: &str, value: &str) {
        let options = patient();
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let done = wait_for(self.admin().alter_configs([&change], &options)).unwrap();
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }

    /// Deletes what stands before an offset.
    pub(crate) fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        let options = patient();
        wait_for(self.admin().delete_records(&list, &options)).unwrap();
    }
}

/// An answer, of whoever leads or coordinates by then.
fn patiently<T>(ask: impl Fn() -> KafkaResult<T>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            // A coordinator that is moving, or that loads what it must know, says so at once.
            Err(_) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(100)),
            Err(error) => panic!("no answer: {error}"),
        }
    }
}

/// A broker on a busy machine may take longer than a client waits for a request by itself.
fn patient() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
