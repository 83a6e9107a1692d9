//! The topics of a cluster.

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
    Backoff, Cluster, Fault, Reporter,
    fault::{about, not_made},
    native::{TopicIds, give_token, topic_ids},
};

/// Topic names and partition counts.
pub type Topics = BTreeMap<String, usize>;

/// The maximum time for a response, before the request is repeated.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time for the first response, which is short so that configuration errors are reported
/// quickly.
const FIRST: Duration = Duration::from_millis(500);
/// The request timeout from which on a missing response is reported.
const SAID: Duration = Duration::from_secs(2);
/// How long to process events before each request.
const SERVED: Duration = Duration::from_millis(20);
/// The delay before a retry after an immediate error: the first and the maximum.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const MOST_WAIT: Duration = Duration::from_secs(5);
/// How often to check for a shutdown request while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Asks for all topics once.
///
/// # Errors
/// librdkafka rejects the configuration, or there is no answer within `patience`, or an error.
pub fn ask(cluster: &Cluster, patience: Duration) -> io::Result<Topics> {
    fetch(&client(cluster)?, patience).map_err(|error| about("kafka", &error))
}

/// Asks for the offsets of partitions, and for the ids of topics.
pub struct Prober(BaseConsumer<Reporter>);

impl Prober {
    /// Creates a client of its own, so that its requests do not delay others.
    ///
    /// # Errors
    /// librdkafka rejects the configuration.
    pub fn open(cluster: &Cluster) -> io::Result<Self> {
        client(cluster).map(Self)
    }

    /// Creates a client for which a partition ends where its log ends, regardless of open
    /// transactions.
    ///
    /// # Errors
    /// librdkafka rejects the configuration.
    pub fn of_logs(cluster: &Cluster) -> io::Result<Self> {
        client_with(cluster, &[("isolation.level", "read_uncommitted")]).map(Self)
    }

    /// Returns the offset after a partition's last record, if there is an answer within `patience`.
    pub fn end(&self, topic: &str, partition: i32, patience: Duration) -> Option<i64> {
        self.ends(topic, partition, patience).map(|(_, end)| end)
    }

    /// Returns the ids of topics, if there is an answer within `patience`.
    pub fn ids(&self, topics: &[&str], patience: Duration) -> Option<TopicIds> {
        topic_ids(self.0.client(), topics, patience).ok()
    }

    /// Returns the first offset of a partition and the one after its last record, if there is an
    /// answer within `patience`.
    pub fn ends(&self, topic: &str, partition: i32, patience: Duration) -> Option<(i64, i64)> {
        self.0.fetch_watermarks(topic, partition, patience).ok()
    }
}

fn client(cluster: &Cluster) -> io::Result<BaseConsumer<Reporter>> {
    client_with(cluster, &[])
}

fn client_with(
    cluster: &Cluster,
    properties: &[(&str, &str)],
) -> io::Result<BaseConsumer<Reporter>> {
    cluster
        .client(properties)
        .create_with_context(cluster.reporter.clone())
        .map_err(|error| not_made(&error))
}

fn fetch(client: &BaseConsumer<Reporter>, patience: Duration) -> Result<Topics, KafkaError> {
    let metadata = client.fetch_metadata(None, patience)?;
    let topics = metadata.topics().iter().filter(|topic| topic.error().is_none());
    Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
}

/// Asks for all topics, until there is an answer or `stopped` returns true.
///
/// # Errors
/// librdkafka rejects the configuration, retrying is useless, or `stopped` returned true.
pub fn list(cluster: &Cluster, stopped: &dyn Fn() -> bool) -> io::Result<Topics> {
    let reporter = &cluster.reporter;
    let client = client(cluster)?;
    let mut backoff = Backoff::new(FIRST_WAIT, MOST_WAIT);
    let mut patience = FIRST;
    while !stopped() {
        poll_events(&client, reporter)?;
        match fetch(&client, patience) {
            Ok(topics) => return Ok(topics),
            Err(error) => match error.rdkafka_error_code().map(Fault::of) {
                Some(Fault::Lasting | Fault::Topic) => return Err(about("kafka", &error)),
                _ => poll_events(&client, reporter)?,
            },
        }
        if patience >= SAID {
            reporter.say(
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

/// Processes the connection events, which are only delivered here.
///
/// # Errors
/// Retrying is useless.
fn poll_events(client: &BaseConsumer<Reporter>, reporter: &Reporter) -> io::Result<()> {
    let (until, mut refused) = (Instant::now() + SERVED, None);
    while Instant::now() < until {
        let event = client.poll(SERVED / 4);
        match event.as_ref().and_then(|event| event.as_ref().err()?.rdkafka_error_code()) {
            // librdkafka reports a missing token in the same way.
            Some(RDKafkaErrorCode::Authentication) if reporter.has_tokens() => {}
            Some(code @ (RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)) => {
                refused = Some(code);
            }
            Some(code) => reporter.say(&format!("kafka: {code}; retrying")),
            None => {}
        }
    }
    let fix = "see kafka.tls and kafka.sasl";
    match (reporter.lasting(), refused) {
        (Some(cause), _) => Err(io::Error::other(format!("kafka: {cause}"))),
        (None, Some(code)) => Err(io::Error::other(format!("kafka: {code}: {fix}"))),
        (None, None) => Ok(()),
    }
}

/// Creates a client for admin requests.
///
/// # Errors
/// librdkafka rejects the configuration, or there is no token.
pub(super) fn admin(cluster: &Cluster) -> io::Result<AdminClient<Reporter>> {
    let reporter = &cluster.reporter;
    let admin: AdminClient<Reporter> = cluster
        .client(&[])
        .create_with_context(reporter.clone())
        .map_err(|error| not_made(&error))?;
    // An admin client does not request a token itself.
    if reporter.has_tokens() {
        let token = reporter.token().map_err(|error| io::Error::other(error.to_string()))?;
        if !give_token(admin.inner(), &token) {
            return Err(io::Error::other("kafka: librdkafka did not accept the token"));
        }
    }
    Ok(admin)
}

/// Returns the maximum record size of each topic, if this user may read it.
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
