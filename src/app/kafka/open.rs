//! Opens topics.

use std::io;

use anyhow::anyhow;

use super::{Topics, topics::Known};
use crate::{
    app::exit::Trouble,
    kafka::{self, Cluster},
    pipeline::Sizes,
    shutdown::{Phase, Shutdown},
    sinks::{KafkaSink, kafka as sink},
    sources::{KafkaSource, kafka as source},
};

/// Both ends, opened.
pub(super) struct Opened {
    pub(super) source: Box<KafkaSource>,
    pub(super) offsets: Box<source::KafkaOffsets>,
    pub(super) sink: Box<KafkaSink>,
}

/// Asks the cluster whether it has what is named, and opens it; `None`: somebody wants the end.
pub(super) fn open(
    topics: &Topics,
    cluster: &Cluster,
    sizes: Sizes,
    shutdown: &Shutdown,
) -> Result<Option<Opened>, Trouble> {
    let stopped = || shutdown.phase() != Phase::Running;
    let all = match kafka::list(cluster, &stopped) {
        Ok(all) => all,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
        Err(error) => return Err(trouble(error)),
    };
    let Known { partitions, written } = topics.check(&all).map_err(Trouble::Failed)?;
    let limits = kafka::limits(cluster, written.iter().map(String::as_str));
    let sink = KafkaSink::open(sink::Settings {
        cluster: cluster.clone(),
        routes: topics.routes.clone(),
        same_partition: topics.same_partition,
        limits,
        transactional_id: topics.transactional_id.clone(),
        shutdown: shutdown.clone(),
    });
    let max_event_bytes = sizes.max_event_bytes;
    // Before the group is joined: what an earlier process left open is taken back, so that what is
    // committed is known.
    let mut sink = match sink {
        Ok(sink) => Box::new(sink),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
        Err(error) => return Err(trouble(error)),
    };
    let joined = KafkaSource::open(source::Settings {
        cluster: cluster.clone(),
        topics: topics.source.topics.iter().map(|said| said.value.clone()).collect(),
        group: topics.source.group.value.clone(),
        partitions,
        block_bytes: sizes.chunk_bytes - max_event_bytes,
        max_event_bytes,
        in_transactions: topics.transactional_id.is_some(),
        framing: topics.framing,
        shutdown: shutdown.clone(),
    });
    let (source, offsets) = joined.map_err(trouble)?;
    sink.with_group(Box::new(offsets.group()));
    Ok(Some(Opened { source: Box::new(source), offsets: Box::new(offsets), sink }))
}

/// What librdkafka does not take is the configuration's fault.
fn trouble(error: io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::InvalidInput => Trouble::Usage(anyhow!("kafka: {error}")),
        _ => Trouble::Failed(anyhow!("{error}")),
    }
}
