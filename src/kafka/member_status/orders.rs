//! Commands of an operator. They are remembered until the process ends.

use std::collections::BTreeSet;

use super::MemberStatus;

/// A topic, or one partition of it.
type Target = (String, Option<i32>);
/// A record.
type Spot = (String, i32, i64);

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderError {
    /// The command cannot be parsed.
    Malformed(String),
    /// The command cannot be executed in the current state.
    Refused(String),
}

/// The commands in effect.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) paused: BTreeSet<Target>,
    skips: BTreeSet<Spot>,
    /// Skips that the source was not told yet.
    new: Vec<Spot>,
}

impl Orders {
    /// Returns whether an operator paused a partition.
    pub(super) fn holds(&self, topic: &str, partition: i32) -> bool {
        self.paused.iter().any(|(known, number)| {
            known == topic && number.is_none_or(|number| number == partition)
        })
    }
}

impl MemberStatus {
    /// Executes a command: `pause` or `resume` of a topic or a partition, or `skip` of a record.
    /// Returns what was done, for people.
    ///
    /// # Errors
    /// The command is refused, and why.
    pub fn order(&self, verb: &str, target: &str) -> Result<String, OrderError> {
        match verb {
            "pause" | "resume" => {
                let (topic, partition) =
                    parsed(target).ok_or_else(|| malformed("TOPIC[:PARTITION]"))?;
                if verb == "pause" {
                    self.pause(topic, partition)
                } else {
                    self.resume(topic, partition)
                }
            }
            "skip" => {
                let wanted = || malformed("TOPIC:PARTITION@OFFSET");
                let (place, offset) = target.rsplit_once('@').ok_or_else(wanted)?;
                let offset =
                    offset.parse().ok().filter(|offset| *offset >= 0).ok_or_else(wanted)?;
                match parsed(place) {
                    Some((topic, Some(partition))) => self.skip(topic, partition, offset),
                    _ => Err(wanted()),
                }
            }
            _ => Err(OrderError::Malformed("unknown command: use pause, resume or skip".into())),
        }
    }

    fn pause(&self, topic: String, partition: Option<i32>) -> Result<String, OrderError> {
        let mut state = self.state();
        let here = state.partitions.values();
        let here =
            here.filter(|p| *p.topic == *topic && partition.is_none_or(|n| n == p.partition));
        let here = here.count();
        if here == 0 {
            return Err(OrderError::Refused(format!(
                "{} is not assigned to this member: ask another member of the group",
                shown(&topic, partition)
            )));
        }
        let what = shown(&topic, partition);
        state.orders.paused.insert((topic, partition));
        Ok(format!(
            "{what} is paused ({here} partitions of this member) until it is resumed or this \
             process ends"
        ))
    }

    fn resume(&self, topic: String, partition: Option<i32>) -> Result<String, OrderError> {
        let what = shown(&topic, partition);
        let orders = &mut self.state().orders;
        let before = orders.paused.len();
        // Resuming a topic resumes all of its partitions.
        orders.paused.retain(|(known, number)| {
            *known != topic || partition.is_some() && *number != partition
        });
        if orders.paused.len() < before {
            Ok(format!("{what} is resumed"))
        } else if partition.is_some() && orders.paused.contains(&(topic, None)) {
            Err(OrderError::Refused(format!(
                "{what} is paused together with its topic: resume the topic"
            )))
        } else {
            Err(OrderError::Refused(format!("{what} was not paused by an operator")))
        }
    }

    fn skip(&self, topic: String, partition: i32, offset: i64) -> Result<String, OrderError> {
        let what = format!("{topic}[{partition}]:{offset}");
        let mut state = self.state();
        let mut here = state.partitions.values();
        let Some(here) = here.find(|p| *p.topic == *topic && p.partition == partition) else {
            let why = "is not assigned to this member: ask another member of the group";
            return Err(OrderError::Refused(format!("{what} {why}")));
        };
        if here.reached.is_some_and(|reached| reached > offset) {
            return Err(OrderError::Refused(format!("{what} was already delivered")));
        }
        let spot = (topic, partition, offset);
        if state.orders.skips.insert(spot.clone()) {
            state.orders.new.push(spot);
        }
        Ok(format!(
            "{what} will be skipped when it is read; its dead letter names only its topic, \
             partition and offset"
        ))
    }

    /// Returns the topics and partitions that an operator paused.
    pub fn paused_by_hand(&self) -> BTreeSet<(String, Option<i32>)> {
        self.state().orders.paused.clone()
    }

    /// Returns the records to skip that were added since the last call.
    pub fn new_skips(&self) -> Vec<(String, i32, i64)> {
        std::mem::take(&mut self.state().orders.new)
    }

    /// Forgets a skip: the record was skipped or delivered.
    pub fn skip_is_over(&self, spot: &(String, i32, i64)) {
        self.state().orders.skips.remove(spot);
    }
}

fn malformed(wanted: &str) -> OrderError {
    OrderError::Malformed(format!("expected {wanted}"))
}

fn parsed(target: &str) -> Option<Target> {
    let (topic, partition) = match target.split_once(':') {
        None => (target, None),
        Some((topic, number)) => (topic, Some(number.parse().ok().filter(|n| *n >= 0)?)),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (!topic.is_empty() && topic.chars().all(plain)).then(|| (topic.to_owned(), partition))
}

fn shown(topic: &str, partition: Option<i32>) -> String {
    partition.map_or_else(|| format!("`{topic}`"), |number| format!("`{topic}:{number}`"))
}

#[cfg(test)]
mod tests {
    use rdkafka::Offset;

    use super::super::Partition;
    use super::*;

    #[test]
    fn orders_are_judged_before_they_are_followed() {
        let member_status = MemberStatus::default();
        member_status.assigned(1, Partition::new("t".into(), 0, Offset::Offset(10)));
        member_status.assigned(2, Partition::new("t".into(), 1, Offset::Beginning));
        let said = |verb: &str, target: &str| match member_status.order(verb, target) {
            Ok(said) => said,
            Err(OrderError::Refused(why)) => format!("no: {why}"),
            Err(OrderError::Malformed(why)) => format!("what: {why}"),
        };
        assert!(said("pause", "t").starts_with("`t` is paused (2 partitions"));
        assert!(said("pause", "t:1").starts_with("`t:1` is paused (1 partitions"));
        assert!(said("pause", "t:2").starts_with("no: `t:2` is not assigned to this member"));
        assert!(said("resume", "t:0").starts_with("no: `t:0` is paused together with its topic"));
        assert_eq!(said("resume", "t"), "`t` is resumed");
        assert!(member_status.paused_by_hand().is_empty());
        assert!(said("resume", "t").starts_with("no: `t` was not paused"));
        assert!(said("skip", "t:0@9").starts_with("no: t[0]:9 was already delivered"));
        assert!(said("skip", "u:0@9").starts_with("no: u[0]:9 is not assigned to this member"));
        assert!(said("skip", "t:0@10").starts_with("t[0]:10 will be skipped when"));
        assert!(said("skip", "t:0@10").starts_with("t[0]:10 will be skipped when"));
        assert_eq!(member_status.new_skips(), [("t".to_owned(), 0, 10)]);
        for (verb, target) in [
            ("skip", "t:0"),
            ("skip", "t@1"),
            ("skip", "t:0@-1"),
            ("pause", "t:x"),
            ("pause", "a b"),
            ("x", "t"),
        ] {
            assert!(said(verb, target).starts_with("what: "), "{verb} {target}");
        }
    }
}
