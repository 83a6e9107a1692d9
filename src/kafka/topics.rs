//! What a cluster holds, asked at the start.

use std::{collections::BTreeMap, future::Future, io, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, ConfigResource, OwnedResourceSpecifier, ResourceSpecifier},
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{Cluster, Fault, Voice, fault::about};

/// Topics, and how many partitions each has.
pub type Topics = BTreeMap<String, usize>;

/// How long a cluster has for an answer, before it is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for all topics, until there is an answer or `stopped` says that nobody wants one any more.
///
/// # Errors
/// The configuration is none of librdkafka's; it is no use to ask again; or nobody wants to know.
pub fn list(cluster: &Cluster, stopped: &dyn Fn() -> bool) -> io::Result<Topics> {
    let client: BaseConsumer<Voice> = cluster
        .client(&[])
        .create_with_context(cluster.voice.clone())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
    while !stopped() {
        match client.fetch_metadata(None, PATIENCE) {
            Ok(metadata) => {
                let topics = metadata.topics().iter();
                let topics = topics.filter(|topic| topic.error().is_none());
                return Ok(topics
                    .map(|topic| (topic.name().to_owned(), topic.partitions().len()))
                    .collect());
            }
            Err(error) => match error.rdkafka_error_code().map(Fault::of) {
                Some(Fault::Lasting) => return Err(about("kafka", &error)),
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
    }
    Err(io::ErrorKind::Interrupted.into())
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
    let admin: AdminClient<Voice> =
        cluster.client(&[]).create_with_context(cluster.voice.clone()).ok()?;
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
