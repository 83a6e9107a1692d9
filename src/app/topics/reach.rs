//! Checks whether a cluster is reachable, and has the topics that are written.

use std::{collections::BTreeSet, fmt, time::Duration};

use super::Topics;
use crate::kafka::{self, Cluster, Reporter, Routes, Written};

/// How long a cluster may take to respond; a probe waits for five seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// A cluster, and the topics that are written.
pub(crate) struct Reach {
    cluster: Cluster,
    routes: Routes,
}

impl Topics {
    /// Returns the check for these topics.
    pub(crate) fn reach(&self) -> Reach {
        let reporter = Reporter::quiet().with_login(self.login.clone());
        let cluster = Cluster::new(self.properties.clone(), self.tls.clone(), reporter);
        Reach { cluster, routes: self.routes.clone() }
    }
}

impl Reach {
    /// Checks the cluster and the topics that are written. Each topic is reported with the key that
    /// names it.
    pub(crate) fn reach(&self) -> Vec<(String, Result<(), String>)> {
        let all = match kafka::ask(&self.cluster, PATIENCE) {
            Err(error) => return vec![("kafka".to_owned(), Err(error.to_string()))],
            Ok(all) => all,
        };
        let mut written: BTreeSet<_> =
            self.routes.fixed_sinks().map(|topic| ("sink", topic.to_owned())).collect();
        let letters = self.routes.fixed_letters();
        written.extend(letters.map(|topic| ("dead_letter", topic.to_owned())));
        for topic in all.keys().filter(|topic| self.routes.covers(topic)) {
            for Written { sink, dead_letter } in self.routes.all_of(topic) {
                written.insert(("sink", sink));
                written.extend(dead_letter.map(|topic| ("dead_letter", topic)));
            }
        }
        let there = |(key, topic): (&str, String)| {
            let missing = || "no such topic, or no permission to see it".to_owned();
            let there = all.contains_key(&topic).then_some(()).ok_or_else(missing);
            (format!("{key} {topic}"), there)
        };
        let cluster = [("kafka".to_owned(), Ok(()))].into_iter();
        cluster.chain(written.into_iter().rev().map(there)).collect()
    }
}

impl fmt::Debug for Reach {
    /// Omits the properties, because they contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").field("routes", &self.routes).finish_non_exhaustive()
    }
}
