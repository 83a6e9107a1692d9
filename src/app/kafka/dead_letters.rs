//! Dead letter topics, which a replay reads in place of the source topics.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use anyhow::{Result, bail};

use crate::{
    app::topics::{Known, Topics, has},
    dead_letter::ReplayTerms,
    kafka::{self, Cluster, Prober},
    records::log_records,
    sources::kafka::{DeadLetters, Narrow},
};

/// How long a broker may take to return the end offset of a partition.
const PATIENCE: Duration = Duration::from_secs(5);

impl Topics {
    /// Returns the existing dead letter topics of the source topics.
    pub(super) fn letters(&self, all: &kafka::Topics) -> Result<Vec<String>> {
        let wanted = self.routes.letters(all.keys().map(String::as_str));
        let there: Vec<_> = wanted.iter().filter(|topic| all.contains_key(*topic)).collect();
        if let (Some(missing), true) = (wanted.first(), there.is_empty()) {
            has(all, missing)?;
        }
        if there.is_empty() {
            bail!("kafka: no dead letter topic exists: check `topic` in [dead_letter]");
        }
        Ok(there.into_iter().cloned().collect())
    }

    /// Checks that the cluster has the topics that a replay writes.
    pub(super) fn check_letters(&self, all: &kafka::Topics, letters: &[String]) -> Result<Known> {
        let known = self.check_written(all, letters)?;
        let partitions = letters.iter().filter_map(|topic| all.get(topic)).sum();
        Ok(Known { partitions, ..known })
    }
}

/// Returns the current end offsets of the dead letter topics, or `None` if a shutdown was
/// requested.
pub(super) fn ends(
    cluster: &Cluster,
    all: &kafka::Topics,
    letters: &[String],
    stopped: &dyn Fn() -> bool,
) -> io::Result<Option<BTreeMap<(String, i32), i64>>> {
    let (prober, mut ends) = (Prober::open(cluster)?, BTreeMap::new());
    for topic in letters {
        for partition in 0..all.get(topic).map_or(0, |partitions| *partitions as i32) {
            let end = loop {
                if stopped() {
                    return Ok(None);
                }
                if let Some(end) = prober.end(topic, partition, PATIENCE) {
                    break end;
                }
                let what =
                    format!("kafka: {topic}[{partition}]: no broker returned the end offset");
                cluster.reporter.say(&format!("{what}; retrying"));
            };
            ends.insert((topic.clone(), partition), end);
        }
    }
    Ok(Some(ends))
}

impl Topics {
    /// Returns the replay settings of the source, with the end offsets.
    pub(super) fn replayed(
        &self,
        terms: &ReplayTerms,
        ends: BTreeMap<(String, i32), i64>,
    ) -> DeadLetters {
        let narrow: Narrow = Arc::new(|text, keeps| log_records(text, keeps));
        DeadLetters { terms: terms.clone(), routes: self.routes.clone(), narrow, ends }
    }
}
