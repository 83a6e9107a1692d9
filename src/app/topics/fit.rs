//! Checks that the topics of a cluster match the configuration, at the start and whenever topics
//! appear.

use anyhow::{Result, bail};

use super::Topics;
use crate::kafka::{self, Routes};

/// The conditions that topics must meet.
pub(crate) struct Fit {
    routes: Routes,
    /// Whether source and sink topics must have the same number of partitions.
    same: bool,
}

impl Topics {
    /// Returns the conditions.
    pub(crate) fn fit(&self) -> Fit {
        Fit { routes: self.routes.clone(), same: self.same_partition }
    }
}

impl Fit {
    /// Checks the existing topics. Missing topics are not an error here.
    pub(crate) fn judge(&self, all: &kafka::Topics) -> Result<()> {
        for (topic, has) in all.iter().filter(|(topic, _)| self.routes.covers(topic)) {
            if let Some(fault) = self.routes.fault(topic) {
                bail!("kafka: {fault}");
            }
            for sink in self.routes.all_of(topic).map(|written| written.sink) {
                match all.get(&sink) {
                    Some(wanted) if self.same && has != wanted => bail!(
                        "kafka: partition = \"same\" needs equal numbers of partitions: `{topic}` \
                         has {has}, `{sink}` has {wanted}"
                    ),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_and_partitions_that_do_not_match_are_found_and_what_is_gone_is_not_judged() {
        let fit = |sink: &str, same| {
            let routes = Routes::new(["^logs"].into_iter(), [].into_iter(), sink, Some("dead"));
            Fit { routes: routes.unwrap(), same }
        };
        let all = [("logs.a", 2), ("clean", 2)].map(|(name, n)| (name.to_owned(), n)).into();
        assert!(fit("clean", true).judge(&all).is_ok());
        assert!(fit("gone", true).judge(&all).is_ok());
        let why = fit("{topic}.clean", false).judge(&all).unwrap_err().to_string();
        assert!(why.contains("`logs.a.clean` would be read again"), "{why}");
        let more = [("logs.a", 2), ("logs.b", 3), ("clean", 2)];
        let more = more.map(|(name, n)| (name.to_owned(), n)).into();
        let why = fit("clean", true).judge(&more).unwrap_err().to_string();
        assert!(why.ends_with("`logs.b` has 3, `clean` has 2"), "{why}");
        assert!(fit("clean", false).judge(&more).is_ok());
    }
}
