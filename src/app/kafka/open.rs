//! Opens the source and the sink of a job that processes topics.

use std::{
    io,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};

use super::{Room, dead_letters};
use crate::{
    app::{
        exit::Trouble,
        topics::{Known, Missing, Topics},
    },
    config::{Said, kafka::StartChoice},
    journal::Event,
    kafka::{self, Cluster},
    shutdown::{Phase, Shutdown},
    sinks::{KafkaSink, kafka as sink},
    sources::{KafkaSource, kafka as source},
};

/// How long a named topic may take to appear.
const MADE_WITHIN: Duration = Duration::from_secs(10);
/// How often to look for it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The opened source and sink.
pub(super) struct Opened {
    pub(super) source: Box<KafkaSource>,
    pub(super) offsets: Box<source::KafkaOffsets>,
    pub(super) sink: Box<KafkaSink>,
    pub(super) notes: Option<Arc<source::Notes>>,
}

/// Waits until the cluster has the named topics, and opens them. Returns `None` if a shutdown was
/// requested.
pub(super) fn open(
    topics: &Topics,
    cluster: &Cluster,
    room: &Room,
    shutdown: &Shutdown,
) -> Result<Option<Opened>, Trouble> {
    let stopped = || shutdown.phase() != Phase::Running;
    let Some(There { all, read, known }) = there(topics, cluster, &stopped)? else {
        return Ok(None);
    };
    let Known { partitions, written } = known;
    let limits = kafka::limits(cluster, written.iter().map(String::as_str));
    if let Some(id) = topics.transactional_id() {
        let what = "which also aborts what an earlier process left open";
        cluster
            .reporter
            .member_status
            .awaits(format!("the transaction coordinator of `{id}`, {what}"));
    }
    let sink = KafkaSink::open(sink::Settings {
        cluster: cluster.clone(),
        routes: topics.routes.clone(),
        same_partition: topics.same_partition,
        limits,
        transactional_id: topics.transactional_id(),
        buffer_bytes: room.queues.sent,
        shutdown: shutdown.clone(),
    });
    let notes = notes(topics)?;
    let sizes = room.budget.sizes;
    // The sink is opened before the source joins the group: it aborts the transactions that an
    // earlier process left open, so that the committed offsets are final.
    let mut sink = match sink {
        Ok(sink) => Box::new(sink),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
        Err(error) => return Err(trouble(error)),
    };
    let letters = match &topics.replays {
        None => None,
        // Transactions that a producer left open are aborted by now, so they do not hide the end of
        // a partition.
        Some(terms) => match dead_letters::ends(cluster, &all, &read, &stopped).map_err(trouble)? {
            Some(ends) => Some(topics.replayed(terms, ends)),
            None => return Ok(None),
        },
    };
    let joined = KafkaSource::open(source::Settings {
        cluster: cluster.clone(),
        topics: read,
        group: topics.source.group.value.clone(),
        instance: topics.instance().map(str::to_owned),
        leaves: topics.leaves(),
        partitions,
        ahead_bytes: room.queues.ahead,
        block_bytes: sizes.chunk_bytes,
        max_event_bytes: sizes.max_event_bytes,
        in_transactions: topics.transactional_id().is_some(),
        framing: topics.framing,
        window: room.window.clone(),
        starts: starts(topics),
        letters,
        notes: notes.clone(),
        judge: judge(topics),
        reads: Some({
            let routes = topics.routes.clone();
            Box::new(move |topic| routes.covers(topic))
        }),
        shutdown: shutdown.clone(),
    });
    let (source, offsets) = joined.map_err(trouble)?;
    sink.with_group(Box::new(offsets.group()));
    Ok(Some(Opened { source: Box::new(source), offsets: Box::new(offsets), sink, notes }))
}

/// The topics that the cluster has, and those that are read.
struct There {
    all: kafka::Topics,
    read: Vec<String>,
    known: Known,
}

/// Asks the cluster until it has all named topics, because brokers do not know a new topic
/// immediately. Returns `None` if a shutdown was requested.
fn there(
    topics: &Topics,
    cluster: &Cluster,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<There>, Trouble> {
    let reporter = &cluster.reporter;
    reporter.member_status.awaits("the brokers to list their topics");
    let mut since = None;
    while !stopped() {
        let all = match kafka::list(cluster, stopped) {
            Ok(all) => all,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(trouble(error)),
        };
        let error = match judged(topics, &all) {
            Ok((read, known)) => return Ok(Some(There { all, read, known })),
            Err(error) => error,
        };
        let begun = *since.get_or_insert_with(Instant::now);
        let missing = error.downcast_ref::<Missing>().map(|Missing(topic)| topic.clone());
        let Some(topic) = missing.filter(|_| begun.elapsed() < MADE_WITHIN) else {
            return Err(Trouble::Failed(error));
        };
        let within = MADE_WITHIN.as_secs();
        let what = format!(
            "topic `{topic}`, which does not exist or is not visible to this user, for at most \
             {within} s"
        );
        if reporter.member_status.awaits(&what) {
            let fields = [("topic", topic.into())];
            reporter.tell_with(Event::TopicAwaited, &format!("kafka: waiting for {what}"), &fields);
        }
        let until = Instant::now() + LOOK_AGAIN;
        while Instant::now() < until && !stopped() {
            sleep(LOOK_AGAIN / 10);
        }
    }
    Ok(None)
}

/// Returns the topics that are read, and what is known of all topics.
fn judged(topics: &Topics, all: &kafka::Topics) -> anyhow::Result<(Vec<String>, Known)> {
    if topics.replays() {
        let letters = topics.letters(all)?;
        let known = topics.check_letters(all, &letters)?;
        return Ok((letters, known));
    }
    let read = topics.source.topics.iter().map(|said| said.value.clone());
    Ok((read.collect(), topics.check(all)?))
}

/// Opens the notes about records that are being judged, if they are configured.
fn notes(topics: &Topics) -> Result<Option<Arc<source::Notes>>, Trouble> {
    let Some(folder) = &topics.data_dir else { return Ok(None) };
    let notes = source::Notes::open(folder, &topics.source.group.value, topics.instance());
    let notes = notes.with_context(|| format!("kafka.data_dir {}", folder.display()));
    notes.map(Some).map_err(Trouble::Failed)
}

/// Returns the check that topics which appear later must pass, too.
fn judge(topics: &Topics) -> source::Judge {
    let fit = topics.fit();
    Arc::new(move |all| fit.judge(all).map_err(|why| io::Error::other(why.to_string())))
}

/// Returns where partitions without a committed offset begin.
fn starts(topics: &Topics) -> source::Starts {
    let said = &topics.source.start;
    let begin = |said: &Option<Said<StartChoice>>, default| match said.as_ref().map(|s| s.value) {
        None => default,
        Some(StartChoice::Earliest) => source::Begin::Earliest,
        Some(StartChoice::Latest) => source::Begin::Latest,
        Some(StartChoice::Stop) => source::Begin::Stop,
    };
    let default = source::Starts::default();
    if topics.replays.is_some() {
        // The other settings are about records that were not read yet.
        return source::Starts {
            out_of_range: begin(&said.out_of_range, default.out_of_range),
            ..default
        };
    }
    source::Starts {
        no_offset: begin(&said.no_offset, default.no_offset),
        new_partition: begin(&said.new_partition, default.new_partition),
        out_of_range: begin(&said.out_of_range, default.out_of_range),
    }
}

/// A property that librdkafka rejects is a configuration error.
fn trouble(error: io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::InvalidInput => Trouble::Usage(anyhow!("kafka: {error}")),
        _ => Trouble::Failed(anyhow!("{error}")),
    }
}
