//! A broker, what is written to it, and programs that go from topic to topic.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::RDKafkaErrorCode,
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

use crate::process::Outcome;

pub(crate) const PARTITIONS: i32 = 12;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka");
const TAMIS: &str = env!("CARGO_BIN_EXE_tamis");
const PATIENCE: Duration = Duration::from_secs(600);
const ANSWER: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
pub(crate) enum Delivery {
    AtLeastOnce,
    /// At least once, and nothing is added to a record.
    WithoutHops,
    ExactlyOnce,
}

/// A broker; it ends with this process.
pub(crate) struct Cluster {
    address: String,
    next: AtomicU32,
}

/// A program from topic to topic.
pub(crate) struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Client {
    /// Its user and system time so far, in seconds.
    pub(crate) fn cpu(&self) -> Outcome<f64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields = text.rsplit_once(") ").ok_or("no statistics")?.1;
        let ticks: Vec<f64> =
            fields.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() / rustix::param::clock_ticks_per_second() as f64)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Outcome<()> {
        Ok(kill(Pid::from_raw(self.0.id() as i32), signal)?)
    }

    /// Asks it to end, and waits until it did.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        self.signal(Signal::SIGTERM)?;
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a program failed: {status}").into()) }
    }

    pub(crate) fn check(&mut self) -> Outcome<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("a program ended early: {status}").into()),
        }
    }
}

impl Cluster {
    pub(crate) fn start() -> Outcome<Self> {
        let (port, folder) = (free_port()?, tempfile::tempdir()?.keep());
        let me = std::process::id().to_string();
        let out =
            Command::new(SCRIPT).args(["with", &me]).arg(&folder).arg(port.to_string()).output()?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned().into());
        }
        Ok(Self { address: format!("127.0.0.1:{port}"), next: AtomicU32::new(0) })
    }

    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    fn unique(&self, name: &str) -> String {
        format!("{name}-{}", self.next.fetch_add(1, Relaxed))
    }

    /// A new topic.
    pub(crate) fn topic(&self, partitions: i32) -> Outcome<String> {
        let name = self.unique("topic");
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(ANSWER));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        for made in runtime.block_on(admin.create_topics([&topic], &options))? {
            made.map_err(|(name, code)| format!("{name}: {code}"))?;
        }
        Ok(name)
    }

    /// Writes values, `rate` a second if that is said, and returns how many bytes they have.
    pub(crate) fn fill(
        &self,
        topic: &str,
        partitions: i32,
        values: impl Iterator<Item = Vec<u8>>,
        rate: Option<f64>,
    ) -> Outcome<u64> {
        let producer: ThreadedProducer<DefaultProducerContext> = self
            .client()
            .set("compression.codec", "lz4")
            .set("linger.ms", if rate.is_some() { "5" } else { "50" })
            .create()?;
        let (mut bytes, begun) = (0, Instant::now());
        for (at, value) in values.enumerate() {
            if let Some(rate) = rate
                && at % 64 == 0
            {
                let due = begun + Duration::from_secs_f64(at as f64 / rate);
                sleep(due.saturating_duration_since(Instant::now()));
            }
            bytes += value.len() as u64;
            let mut record =
                BaseRecord::<(), [u8]>::to(topic).partition(at as i32 % partitions).payload(&value);
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                record = back;
                sleep(Duration::from_millis(2));
            }
        }
        producer.flush(PATIENCE)?;
        Ok(bytes)
    }

    /// How many records a topic holds.
    fn count(&self, topic: &str, partitions: i32) -> Outcome<u64> {
        let consumer: BaseConsumer = self.client().create()?;
        let mut sum = 0;
        for partition in 0..partitions {
            let (low, high) = consumer.fetch_watermarks(topic, partition, ANSWER)?;
            sum += (high - low) as u64;
        }
        Ok(sum)
    }

    /// CPU seconds of a bare program of librdkafka's for `count` records, which it writes as they came, or
    /// with the header that says how often they were forwarded.
    pub(crate) fn copy(&self, source: &str, count: u64, hop: &str) -> Outcome<f64> {
        let sink = self.topic(PARTITIONS)?;
        let mut client = Client(
            Command::new(std::env::current_exe()?)
                .args([crate::BARE, &self.address, source, &sink, &self.unique("group"), hop])
                .stdin(Stdio::null())
                .spawn()?,
        );
        let begun = Instant::now();
        while self.count(&sink, PARTITIONS)? < count {
            client.check()?;
            if begun.elapsed() > PATIENCE {
                return Err("the bare program does not end".into());
            }
            sleep(Duration::from_millis(200));
        }
        client.cpu()
    }

    /// CPU seconds of tamis for `count` records.
    pub(crate) fn tamis(&self, source: &str, count: u64, delivery: Delivery) -> Outcome<f64> {
        let mut tamis = Tamis::start(self, (source, PARTITIONS), delivery, 1)?;
        tamis.until_committed(count, PARTITIONS)?;
        tamis.clients.iter().map(Client::cpu).sum()
    }
}

/// What instances of tamis are to do.
pub(crate) struct Task {
    pub(crate) source: String,
    pub(crate) sink: String,
    group: String,
    delivery: Delivery,
    folder: PathBuf,
}

impl Task {
    /// Each record goes to the partition of its number, as with the bare program.
    pub(crate) fn new(
        cluster: &Cluster,
        (source, partitions): (&str, i32),
        delivery: Delivery,
    ) -> Outcome<Self> {
        Ok(Self {
            source: source.into(),
            sink: cluster.topic(partitions)?,
            group: cluster.unique("group"),
            delivery,
            folder: tempfile::tempdir()?.keep(),
        })
    }

    /// Starts an instance, with an admin server at this port.
    pub(crate) fn start(&self, cluster: &Cluster, name: &str, admin: u16) -> Outcome<Client> {
        let Self { source, sink, group, .. } = self;
        let (exactly, hops) = match self.delivery {
            Delivery::AtLeastOnce => (String::new(), ""),
            Delivery::WithoutHops => (String::new(), "hops = 0\n"),
            Delivery::ExactlyOnce => {
                (format!("delivery = \"exactly_once\"\ninstance = \"{name}\"\n"), "")
            }
        };
        let text = format!(
            "version = 1\nthreads = 1\nadmin = {admin}\n{exactly}[kafka]\nbrokers = [\"{}\"]\n\
             [source]\ntopics = [\"{source}\"]\ngroup = \"{group}\"\n[sink]\ntopic = \"{sink}\"\n\
             partition = \"same\"\n{hops}",
            cluster.address
        );
        let config = self.folder.join(format!("{name}.toml"));
        fs::write(&config, text)?;
        let said = fs::File::options().create(true).append(true).open(self.said(name))?;
        let mut command = Command::new(TAMIS);
        command.arg("--config").arg(&config).stdin(Stdio::null()).stderr(said);
        Ok(Client(command.spawn()?))
    }

    fn said(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.err"))
    }
}

/// A port that is free.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// What an admin server answers, whole.
pub(crate) fn ask(admin: u16, path: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", admin))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Instances of tamis.
pub(crate) struct Tamis<'a> {
    cluster: &'a Cluster,
    task: Task,
    pub(crate) admins: Vec<u16>,
    pub(crate) clients: Vec<Client>,
}

impl<'a> Tamis<'a> {
    pub(crate) fn start(
        cluster: &'a Cluster,
        (source, partitions): (&str, i32),
        delivery: Delivery,
        instances: usize,
    ) -> Outcome<Self> {
        let task = Task::new(cluster, (source, partitions), delivery)?;
        let (mut admins, mut clients) = (Vec::new(), Vec::new());
        for number in 0..instances {
            let port = free_port()?;
            clients.push(task.start(cluster, &format!("i{number}"), port)?);
            admins.push(port);
        }
        Ok(Self { cluster, task, admins, clients })
    }

    pub(crate) fn until_committed(&mut self, count: u64, partitions: i32) -> Outcome<()> {
        let consumer: BaseConsumer =
            self.cluster.client().set("group.id", &self.task.group).create()?;
        let begun = Instant::now();
        loop {
            self.clients.iter_mut().try_for_each(Client::check)?;
            let mut list = TopicPartitionList::new();
            list.add_partition_range(&self.task.source, 0, partitions - 1);
            let committed = consumer.committed_offsets(list, ANSWER)?;
            let offset =
                |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element
                    .offset()
                {
                    Offset::Offset(offset) => offset as u64,
                    _ => 0,
                };
            if committed.elements().iter().map(offset).sum::<u64>() >= count {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err("tamis does not come to the end".into());
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// Most memory resident, in bytes.
    pub(crate) fn peak(&self) -> Outcome<u64> {
        let client = self.clients.first().ok_or("no instance")?;
        let text = fs::read_to_string(format!("/proc/{}/status", client.0.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: u64 = line.ok_or("no peak")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib << 10)
    }

    /// What the memory formula says, in bytes.
    pub(crate) fn ceiling(&mut self) -> Outcome<u64> {
        let client = self.clients.first_mut().ok_or("no instance")?;
        client.stop()?;
        let said = fs::read_to_string(self.task.said("i0"))?;
        let line = said.lines().rev().find(|line| line.contains("memory_ceiling_bytes"));
        let summary: serde_json::Value = serde_json::from_str(line.ok_or("no summary")?)?;
        Ok(summary["memory_ceiling_bytes"].as_u64().ok_or("no ceiling")?)
    }

    /// How many ages at acknowledgement there were, up to each bound in seconds.
    pub(crate) fn ages(&self) -> Outcome<Vec<(f64, f64)>> {
        let admin = self.admins.first().ok_or("no instance")?;
        let text = ask(*admin, "/metrics")?;
        let bucket = |line: &str| -> Option<(f64, f64)> {
            let rest = line.strip_prefix("tamis_kafka_event_age_seconds_bucket{le=\"")?;
            let (bound, count) = rest.split_once("\"} ")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.trim().parse().ok()?))
        };
        Ok(text.lines().filter_map(bucket).collect())
    }
}

/// The bound that so much of what came between two looks stays within.
pub(crate) fn within(before: &[(f64, f64)], after: &[(f64, f64)], part: f64) -> Outcome<f64> {
    let came = before.iter().zip(after).map(|((_, old), (bound, new))| (*bound, new - old));
    let came: Vec<_> = came.collect();
    let all = came.last().ok_or("no ages")?.1;
    let found = came.iter().find(|(_, count)| *count >= part * all);
    Ok(found.ok_or("no such age")?.0)
}
