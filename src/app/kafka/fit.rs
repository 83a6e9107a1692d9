//! Whether what a cluster has fits what a configuration says: at the start, and whenever topics come.

use anyhow::{Result, bail};

use super::Topics;
use crate::{config::kafka::SourceEntry, kafka};

/// What must hold of topics.
pub(super) struct Fit {
    source: SourceEntry,
    written: Vec<String>,
    /// The sink, where partitions of both sides must match.
    same: Option<String>,
}

impl Topics {
    /// What must hold.
    pub(super) fn fit(&self) -> Fit {
        Fit {
            source: self.source.clone(),
            written: [Some(&self.sink), self.dead_letter.as_ref()]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            same: self.same_partition.then(|| self.sink.clone()),
        }
    }
}

impl Fit {
    /// Judges what there is. What is not there is another matter.
    pub(super) fn judge(&self, all: &kafka::Topics) -> Result<()> {
        for topic in self.written.iter().filter(|topic| all.contains_key(*topic)) {
            if self.source.covers(topic) {
                bail!("kafka: `{topic}` is written, and would be read again: [source] has it");
            }
        }
        let Some((sink, wanted)) = self.same.as_ref().and_then(|sink| all.get_key_value(sink))
        else {
            return Ok(());
        };
        let read = all.iter().filter(|(topic, _)| self.source.covers(topic));
        for (topic, has) in read {
            if has != wanted {
                bail!(
                    "kafka: partition = \"same\" needs as many partitions on both sides: \
                     `{topic}` has {has}, `{sink}` has {wanted}"
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Said, kafka::StartEntry};

    #[test]
    fn circles_and_partitions_that_do_not_match_are_found_and_what_is_gone_is_not_judged() {
        let said = |text: &str| Said::elsewhere(text.to_owned());
        let source = SourceEntry {
            spot: said("").spot,
            topics: vec![said("^logs")],
            group: said("g"),
            start: StartEntry::default(),
        };
        let fit = |written: &[&str], same: Option<&str>| Fit {
            source: source.clone(),
            written: written.iter().map(ToString::to_string).collect(),
            same: same.map(str::to_owned),
        };
        let all = [("logs.a", 2), ("clean", 2)].map(|(name, n)| (name.to_owned(), n)).into();
        assert!(fit(&["clean", "dead"], Some("clean")).judge(&all).is_ok());
        assert!(fit(&["clean"], Some("gone")).judge(&all).is_ok());
        let why = fit(&["clean", "logs.a"], None).judge(&all).unwrap_err().to_string();
        assert!(why.contains("`logs.a` is written, and would be read again"), "{why}");
        let more = [("logs.a", 2), ("logs.b", 3), ("clean", 2)];
        let more = more.map(|(name, n)| (name.to_owned(), n)).into();
        let why = fit(&["clean"], Some("clean")).judge(&more).unwrap_err().to_string();
        assert!(why.ends_with("`logs.b` has 3, `clean` has 2"), "{why}");
        assert!(fit(&["clean"], None).judge(&more).is_ok());
    }
}
