//! Checks the topics of the cluster periodically, on a thread of its own, because topics that
//! appear later must match the configuration, too.

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

/// Checks all topics of a cluster and their partition counts.
pub type Judge = Arc<dyn Fn(&Topics) -> io::Result<()> + Send + Sync>;

/// How long the cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to check whether the run has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often to check whether partitions advance.
const STALLS_EVERY: Duration = Duration::from_secs(1);
/// How often to ask for end offsets.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How often to ask whether topics were recreated.
const IDENTIFY_EVERY: Duration = Duration::from_secs(2);
/// How often to check the files of certificates and keys.
const FILES_EVERY: Duration = Duration::from_secs(2);
/// librdkafka's default interval for refreshing topic metadata.
const EVERY: Duration = Duration::from_secs(300);

/// Checks topics as often as librdkafka refreshes its metadata. Also checks periodically whether
/// topics were recreated, whether partitions advance and whether certificates changed, and asks for
/// the end offsets of partitions that are not being read.
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
                // Without an answer, the next check asks again.
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

/// Reports partitions that do not advance although there is more to read, and those that advance
/// again.
fn tell_stalls(cluster: &Cluster) {
    for Change { topic, partition, reached, why } in
        cluster.reporter.member_status.stalls(Instant::now())
    {
        let mut fields = vec![("topic", topic.as_str().into()), ("partition", partition.into())];
        fields.extend(reached.map(|offset| ("offset", offset.into())));
        fields.extend(why.as_deref().map(|why| ("reason", why.into())));
        let reached = reached.map(|offset| format!(":{offset}")).unwrap_or_default();
        let (event, what) = match &why {
            Some(why) => (Event::PartitionStalled, format!("is stalled: {why}")),
            None => (Event::PartitionAdvances, "advances again".to_owned()),
        };
        let what = format!("{topic}[{partition}]{reached} {what}");
        cluster.reporter.tell_with(event, &what, &fields);
    }
}

/// Asks for the ids of the topics that are read.
fn identify(cluster: &Cluster, shared: &Shared, prober: &mut Option<Prober>) {
    if prober.is_none() {
        *prober = Prober::open(cluster).ok();
    }
    let ask = |topics: &[&str]| prober.as_ref()?.ids(topics, PATIENCE);
    if !shared.identify(&shared.topics(), ask) {
        // A new client uses the current password.
        *prober = None;
    }
}

/// Asks for the end offsets of partitions that are not being read.
fn ends(cluster: &Cluster, shared: &Shared, prober: &mut Option<Prober>) {
    let unknown = shared.member_status.partitions_without_end();
    if unknown.is_empty() {
        *prober = None;
        return;
    }
    if prober.is_none() {
        *prober = Prober::of_logs(cluster).ok();
    }
    for (topic, partition) in unknown {
        let ends = prober.as_ref().and_then(|prober| prober.ends(&topic, partition, PATIENCE));
        match ends {
            Some(ends) => shared.member_status.ends(&topic, partition, ends),
            // Further requests would fail, too. A new client uses the current password.
            None => {
                *prober = None;
                return;
            }
        }
    }
}
