//! Looks at the cluster's topics again and again, on a thread of its own: what comes later must fit, too.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{shared::Shared, unread::Unread};
use crate::{
    journal::Event,
    kafka::{self, Change, Cluster, Prober, Topics},
};

/// Judges all topics of a cluster, and how many partitions each has.
pub type Judge = Arc<dyn Fn(&Topics) -> io::Result<()> + Send + Sync>;

/// How long the cluster has for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look whether the run is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often to look whether partitions advance.
const STALLS_EVERY: Duration = Duration::from_secs(1);
/// How often to ask for ends.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How often to ask whether topics are still the same.
const IDENTIFY_EVERY: Duration = Duration::from_secs(2);
/// How often to look at the files of certificates and keys.
const FILES_EVERY: Duration = Duration::from_secs(2);
/// librdkafka's own default for its look at the topics.
const EVERY: Duration = Duration::from_secs(300);

/// Has topics judged as often as librdkafka refreshes what it knows of them, asks whether they are still the
/// same and for the ends of partitions that are not read, looks whether partitions advance, and looks at certificates and keys.
pub(super) fn start(
    cluster: Cluster,
    judge: Judge,
    shared: Arc<Shared>,
    mut unread: Option<Unread>,
) -> io::Result<()> {
    let said = cluster.client(&[]).get("topic.metadata.refresh.interval.ms").map(str::to_owned);
    let every = said.and_then(|ms| ms.parse().ok()).map_or(EVERY, Duration::from_millis);
    let work = move || {
        let [mut judged, mut asked, mut looked, mut stalls] = [Instant::now(); 4];
        let (mut prober, mut identifier, mut identified) = (None, None, Instant::now());
        while !shared.is_over() {
            thread::sleep(LOOK_EVERY);
            if looked.elapsed() >= FILES_EVERY {
                cluster.tls.look();
                looked = Instant::now();
            }
            if judged.elapsed() >= every {
                // Who has no answer now has one the next time.
                if let Ok(all) = kafka::ask(&cluster, PATIENCE)
                    && let Err(why) = judge(&all)
                {
                    return shared.refuse(why);
                }
                judged = Instant::now();
            }
            if let Some(unread) = &mut unread {
                unread.look(&cluster, &shared);
            }
            if asked.elapsed() >= ASK_EVERY {
                ends(&cluster, &shared, &mut prober);
                asked = Instant::now();
            }
            if shared.is_to_look() || identified.elapsed() >= IDENTIFY_EVERY {
                identify(&cluster, &shared, &mut identifier);
                identified = Instant::now();
            }
            if stalls.elapsed() >= STALLS_EVERY {
                tell_stalls(&cluster);
                stalls = Instant::now();
            }
        }
    };
    thread::Builder::new().name("survey".into()).spawn(work).map(drop)
}

/// Tells which partitions do not advance although there is more, and which do again.
fn tell_stalls(cluster: &Cluster) {
    for Change { topic, partition, reached, why } in cluster.voice.vitals.stalls(Instant::now()) {
        let mut fields = vec![("topic", topic.as_str().into()), ("partition", partition.into())];
        fields.extend(reached.map(|offset| ("offset", offset.into())));
        fields.extend(why.as_deref().map(|why| ("reason", why.into())));
        let reached = reached.map(|offset| format!(":{offset}")).unwrap_or_default();
        let (event, what) = match &why {
            Some(why) => (Event::PartitionStalled, format!("is stalled: {why}")),
            None => (Event::PartitionAdvances, "advances again".to_owned()),
        };
        let what = format!("{topic}[{partition}]{reached} {what}");
        cluster.voice.tell_with(event, &what, &fields);
    }
}

/// Asks which topics are there under the names of those that are read.
fn identify(cluster: &Cluster, shared: &Shared, prober: &mut Option<Prober>) {
    if prober.is_none() {
        *prober = Prober::open(cluster).ok();
    }
    let ask = |topics: &[&str]| prober.as_ref()?.ids(topics, PATIENCE);
    if !shared.identify(&shared.topics(), ask) {
        // The next client may be known by another password.
        *prober = None;
    }
}

/// Asks for the ends of partitions that are not read.
fn ends(cluster: &Cluster, shared: &Shared, prober: &mut Option<Prober>) {
    let untold = shared.vitals.untold();
    if untold.is_empty() {
        *prober = None;
        return;
    }
    if prober.is_none() {
        *prober = Prober::of_logs(cluster).ok();
    }
    for (topic, partition) in untold {
        let ends = prober.as_ref().and_then(|prober| prober.ends(&topic, partition, PATIENCE));
        match ends {
            Some(ends) => shared.vitals.ends(&topic, partition, ends),
            // Others would not be answered either. The next client may be known by another password.
            None => {
                *prober = None;
                return;
            }
        }
    }
}
