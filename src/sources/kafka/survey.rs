//! Looks at the cluster's topics again and again, on a thread of its own: what comes later must fit, too.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::shared::Shared;
use crate::kafka::{self, Cluster, Prober, Topics};

/// Judges all topics of a cluster, and how many partitions each has.
pub type Judge = Arc<dyn Fn(&Topics) -> io::Result<()> + Send + Sync>;

/// How long the cluster has for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look whether the run is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often to ask for ends.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How often to look at the files of certificates and keys.
const FILES_EVERY: Duration = Duration::from_secs(2);
/// librdkafka's own default for its look at the topics.
const EVERY: Duration = Duration::from_secs(300);

/// Has topics judged as often as librdkafka refreshes what it knows of them, asks for the ends of partitions
/// that are not read, and looks at certificates and keys.
pub(super) fn start(cluster: Cluster, judge: Judge, shared: Arc<Shared>) -> io::Result<()> {
    let said = cluster.client(&[]).get("topic.metadata.refresh.interval.ms").map(str::to_owned);
    let every = said.and_then(|ms| ms.parse().ok()).map_or(EVERY, Duration::from_millis);
    let work = move || {
        let [mut judged, mut asked, mut looked] = [Instant::now(); 3];
        let mut prober = None;
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
            if asked.elapsed() >= ASK_EVERY {
                ends(&cluster, &shared, &mut prober);
                asked = Instant::now();
            }
        }
    };
    thread::Builder::new().name("survey".into()).spawn(work).map(drop)
}

/// Asks for the ends of partitions that are not read.
fn ends(cluster: &Cluster, shared: &Shared, prober: &mut Option<Prober>) {
    let held = shared.vitals.held();
    if held.is_empty() {
        *prober = None;
        return;
    }
    if prober.is_none() {
        *prober = Prober::open(cluster).ok();
    }
    for (topic, partition) in held {
        let end = prober.as_ref().and_then(|prober| prober.end(&topic, partition, PATIENCE));
        match end {
            Some(end) => shared.vitals.ends(&topic, partition, end),
            // Others would not be answered either. The next client may be known by another password.
            None => {
                *prober = None;
                return;
            }
        }
    }
}
