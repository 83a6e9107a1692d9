//! What a cluster holds, asked at the start.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    thread::sleep,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{Backoff, Cluster, Fault, Voice, fault::about};

/// Topics, and how many partitions each has.
pub type Topics = BTreeMap<String, usize>;

/// How long a cluster has for an answer, before it is asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where it says no at once, how long to wait before that, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const MOST_WAIT: Duration = Duration::from_secs(5);
/// How often to look meanwhile whether somebody wants the end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Asks for all topics, once.
///
/// # Errors
/// The configuration is none of librdkafka's; no answer within `patience`, or another one.
pub fn ask(cluster: &Cluster, patience: Duration) -> io::Result<Topics> {
    fetch(&client(cluster)?, patience).map_err(|error| about("kafka", &error))
}

/// Asks for ends of partitions.
pub struct Prober(BaseConsumer<Voice>);

impl Prober {
    /// A client of its own, so that nobody waits for what it asks.
    ///
    /// # Errors
    /// The configuration is none of librdkafka's.
    pub fn open(cluster: &Cluster) -> io::Result<Self> {
        client(cluster).map(Self)
    }

    /// The offset behind a partition's last record, if there is an answer within `patience`.
    pub fn end(&self, topic: &str, partition: i32, patience: Duration) -> Option<i64> {
        self.0.fetch_watermarks(topic, partition, patience).ok().map(|(_, end)| end)
    }
}

fn client(cluster: &Cluster) -> io::Result<BaseConsumer<Voice>> {
    cluster
        .client(&[])
        .create_with_context(cluster.voice.clone())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
}

fn fetch(client: &BaseConsumer<Voice>, patience: Duration) -> Result<Topics, KafkaError> {
    let metadata = client.fetch_metadata(None, patience)?;
    let topics = metadata.topics().iter().filter(|topic| topic.error().is_none());
    Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
}

/// Asks for all topics, until there is an answer or `stopped` says that nobody wants one any more.
///
/// # Errors
/// The configuration is none of librdkafka's; it is no use to ask again; or nobody wants to know.
pub fn list(cluster: &Cluster, stopped: &dyn Fn() -> bool) -> io::Result<Topics> {
    let client = client(cluster)?;
    let mut backoff = Backoff::new(FIRST_WAIT, MOST_WAIT);
    while !stopped() {
        match fetch(&client, PATIENCE) {
            Ok(topics) => return Ok(topics),
            Err(error) => match error.rdkafka_error_code().map(Fault::of) {
                Some(Fault::Lasting | Fault::Topic) => return Err(about("kafka", &error)),
                _ => cluster.voice.say(
                    "kafka: no answer from the brokers; tried again (kafka.brokers, kafka.tls and \
                     kafka.sasl say how they are reached)",
                ),
            },
        }
        // What befalls the connection is told here alone.
        while let Some(event) = client.poll(Duration::ZERO) {
            match event.as_ref().err().and_then(KafkaError::rdkafka_error_code) {
                Some(code @ (RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)) => {
                    let mend = "see kafka.tls and kafka.sasl";
                    return Err(io::Error::other(format!("kafka: {code}: {mend}")));
                }
                Some(code) => cluster.voice.say(&format!("kafka: {code}; tried again")),
                None => {}
            }
        }
        let until = Instant::now() + backoff.next_wait();
        while Instant::now() < until && !stopped() {
            sleep(LOOK_EVERY);
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// The longest record that a topic takes; `None` where that is not for everybody to know.
pub fn limit(cluster: &Cluster, topic: &str) -> Option<usize> {
    let admin: AdminClient<Voice> =
        cluster.client(&[]).create_with_context(cluster.voice.clone()).ok()?;
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let about = [ResourceSpecifier::Topic(topic)];
    let described = admin.describe_configs(&about, &options);
    let described = wait_for(described)?.ok()?;
    let entry = described.into_iter().next()?.ok()?;
    entry.get("max.message.bytes")?.value.as_ref()?.parse().ok()
}

fn wait_for<T>(future: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    Some(runtime.block_on(future))
}
