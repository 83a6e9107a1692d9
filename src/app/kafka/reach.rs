//! Whether a cluster can be reached, and has the topics that are written.

use std::{fmt, time::Duration};

use super::Topics;
use crate::kafka::{self, Cluster, Voice};

/// How long a cluster has for an answer; a probe waits five seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// A cluster, and the topics that are written, by their keys.
pub(crate) struct Reach {
    cluster: Cluster,
    topics: Vec<(&'static str, String)>,
}

impl Topics {
    /// What must be reached.
    pub(crate) fn reach(&self) -> Reach {
        let cluster = Cluster::new(self.properties.clone(), Voice::quiet());
        let letters = self.dead_letter.iter().map(|topic| ("dead_letter", topic.clone()));
        let topics = [("sink", self.sink.clone())].into_iter().chain(letters).collect();
        Reach { cluster, topics }
    }
}

impl Reach {
    /// Reaches it; why not, where it cannot be.
    pub(crate) fn reach(&self) -> Vec<(String, Result<(), String>)> {
        match kafka::ask(&self.cluster, PATIENCE) {
            Err(error) => vec![("kafka".to_owned(), Err(error.to_string()))],
            Ok(all) => {
                let there = |(key, topic): &(&str, String)| {
                    let missing = || "no such topic, or none that this user may see".to_owned();
                    let there = all.contains_key(topic).then_some(()).ok_or_else(missing);
                    (format!("{key} {topic}"), there)
                };
                let cluster = [("kafka".to_owned(), Ok(()))].into_iter();
                cluster.chain(self.topics.iter().map(there)).collect()
            }
        }
    }
}

impl fmt::Debug for Reach {
    /// Without the properties, where secrets are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").field("topics", &self.topics).finish_non_exhaustive()
    }
}
