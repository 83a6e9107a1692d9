//! What a cluster holds, asked at the start.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    thread::sleep,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, ConfigResource, OwnedResourceSpecifier, ResourceSpecifier},
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    Backoff, Cluster, Fault, Voice,
    fault::{about, not_made},
    native::{TopicIds, give_token, topic_ids},
};

/// Topics, and how many partitions each has.
pub type Topics = BTreeMap<String, usize>;

/// How long a cluster has for an answer at most, before it is asked again,
const PATIENCE: Duration = Duration::from_secs(5);
/// and for the first: what is wrong with the configuration shows at once.
const FIRST: Duration = Duration::from_millis(500);
/// From such a wait on, it is said.
const SAID: Duration = Duration::from_secs(2);
/// How long to listen for events before each.
const SERVED: Duration = Duration::from_millis(20);
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

/// Asks for ends of partitions, and for ids of topics.
pub struct Prober(BaseConsumer<Voice>);

impl Prober {
    /// A client of its own, so that nobody waits for what it asks.
    ///
    /// # Errors
    /// The configuration is none of librdkafka's.
    pub fn open(cluster: &Cluster) -> io::Result<Self> {
        client(cluster).map(Self)
    }

    /// One for which a partition ends where its log does, whatever transactions are open.
    ///
    /// # Errors
    /// The configuration is none of librdkafka's.
    pub fn of_logs(cluster: &Cluster) -> io::Result<Self> {
        client_with(cluster, &[("isolation.level", "read_uncommitted")]).map(Self)
    }

    /// The offset after a partition's last record, if there is an answer within `patience`.
    pub fn end(&self, topic: &str, partition: i32, patience: Duration) -> Option<i64> {
        self.ends(topic, partition, patience).map(|(_, end)| end)
    }

    /// The ids of topics, if there is an answer within `patience`.
    pub fn ids(&self, topics: &[&str], patience: Duration) -> Option<TopicIds> {
        topic_ids(self.0.client(), topics, patience).ok()
    }

    /// The first offset of a partition, and the one after its last record, likewise.
    pub fn ends(&self, topic: &str, partition: i32, patience: Duration) -> Option<(i64, i64)> {
        self.0.fetch_watermarks(topic, partition, patience).ok()
    }
}

fn client(cluster: &Cluster) -> io::Result<BaseConsumer<Voice>> {
    client_with(cluster, &[])
}

fn client_with(cluster: &Cluster, properties: &[(&str, &str)]) -> io::Result<BaseConsumer<Voice>> {
    cluster
        .client(properties)
        .create_with_context(cluster.voice.clone())
        .map_err(|error| not_made(&error))
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
    let voice = &cluster.voice;
    let client = client(cluster)?;
    let mut backoff = Backoff::new(FIRST_WAIT, MOST_WAIT);
    let mut patience = FIRST;
    while !stopped() {
        told(&client, voice)?;
        match fetch(&client, patience) {
            Ok(topics) => return Ok(topics),
            Err(error) => match error.rdkafka_error_code().map(Fault::of) {
                Some(Fault::Lasting | Fault::Topic) => return Err(about("kafka", &error)),
                _ => told(&client, voice)?,
            },
        }
        if patience >= SAID {
            voice.say(
                "kafka: no answer from the brokers; retrying (check kafka.brokers, kafka.tls and \
                 kafka.sasl)",
            );
        }
        patience = PATIENCE.min(patience * 2);
        let until = Instant::now() + backoff.next_wait();
        while Instant::now() < until && !stopped() {
            sleep(LOOK_EVERY);
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// Takes what there is to tell of the connection, which is told here alone.
///
/// # Errors
/// It is no use to try again.
fn told(client: &BaseConsumer<Voice>, voice: &Voice) -> io::Result<()> {
    let (until, mut refused) = (Instant::now() + SERVED, None);
    while Instant::now() < until {
        let event = client.poll(SERVED / 4);
        match event.as_ref().and_then(|event| event.as_ref().err()?.rdkafka_error_code()) {
            // Where there is no token, librdkafka says the same.
            Some(RDKafkaErrorCode::Authentication) if voice.has_tokens() => {}
            Some(code @ (RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)) => {
                refused = Some(code);
            }
            Some(code) => voice.say(&format!("kafka: {code}; retrying")),
            None => {}
        }
    }
    let mend = "see kafka.tls and kafka.sasl";
    match (voice.lasting(), refused) {
        (Some(cause), _) => Err(io::Error::other(format!("kafka: {cause}"))),
        (None, Some(code)) => Err(io::Error::other(format!("kafka: {code}: {mend}"))),
        (None, None) => Ok(()),
    }
}

/// A client for questions of administration.
///
/// # Errors
/// The configuration is none of librdkafka's, or there is no token.
pub(super) fn admin(cluster: &Cluster) -> io::Result<AdminClient<Voice>> {
    let voice = &cluster.voice;
    let admin: AdminClient<Voice> =
        cluster.client(&[]).create_with_context(voice.clone()).map_err(|error| not_made(&error))?;
    // It does not ask for one.
    if voice.has_tokens() {
        let token = voice.token().map_err(|error| io::Error::other(error.to_string()))?;
        if !give_token(admin.inner(), &token) {
            return Err(io::Error::other("kafka: librdkafka did not accept the token"));
        }
    }
    Ok(admin)
}

/// The longest record that each of these topics takes, where that is for this user to know.
pub fn limits<'a>(
    cluster: &Cluster,
    topics: impl Iterator<Item = &'a str>,
) -> BTreeMap<String, usize> {
    described(cluster, topics).unwrap_or_default()
}

fn described<'a>(
    cluster: &Cluster,
    topics: impl Iterator<Item = &'a str>,
) -> Option<BTreeMap<String, usize>> {
    let admin = admin(cluster).ok()?;
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let about: Vec<_> = topics.map(ResourceSpecifier::Topic).collect();
    let described = wait_for(admin.describe_configs(&about, &options))?.ok()?;
    let limit = |resource: ConfigResource| {
        let OwnedResourceSpecifier::Topic(topic) = &resource.specifier else { return None };
        let limit = resource.get("max.message.bytes")?.value.as_ref()?.parse().ok()?;
        Some((topic.clone(), limit))
    };
    Some(described.into_iter().flatten().filter_map(limit).collect())
}

fn wait_for<T>(future: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    Some(runtime.block_on(future))
}
