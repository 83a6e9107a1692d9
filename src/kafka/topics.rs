//! What a cluster holds, asked at the start.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    consumer::{BaseConsumer, Consumer as _},
    error::RDKafkaErrorCode,
};

use super::{Cluster, Fault, Voice, fault::about};

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

/// Asks for all topics, until there is an answer or `stopped` says that nobody wants one any more.
///
/// # Errors
/// The configuration is none of librdkafka's; it is no use to ask again; or nobody wants to know.
pub fn list(cluster: &Cluster, stopped: &dyn Fn() -> bool) -> io::Result<Topics> {
    let voice = &cluster.voice;
    let client: BaseConsumer<Voice> = cluster
        .client(&[])
        .create_with_context(voice.clone())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
    let mut patience = FIRST;
    while !stopped() {
        told(&client, voice)?;
        match client.fetch_metadata(None, patience) {
            Ok(metadata) => {
                let topics = metadata.topics().iter();
                let topics = topics.filter(|topic| topic.error().is_none());
                return Ok(topics
                    .map(|topic| (topic.name().to_owned(), topic.partitions().len()))
                    .collect());
            }
            Err(error) => match error.rdkafka_error_code().map(Fault::of) {
                Some(Fault::Lasting) => return Err(about("kafka", &error)),
                _ => told(&client, voice)?,
            },
        }
        if patience >= SAID {
            voice.say(
                "kafka: no answer from the brokers; tried again (kafka.brokers, kafka.tls and \
                 kafka.sasl say how they are reached)",
            );
        }
        patience = PATIENCE.min(patience * 2);
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
            Some(code) => voice.say(&format!("kafka: {code}; tried again")),
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

/// The longest record that a topic takes; `None` where that is not for everybody to know, or where
/// tokens are needed, which librdkafka's client for such questions does not ask for.
pub fn limit(cluster: &Cluster, topic: &str) -> Option<usize> {
    if cluster.voice.has_tokens() {
        return None;
    }
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
