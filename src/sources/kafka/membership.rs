//! The name and group of a member, and the messages about it: what it waits for, and which
//! partitions are assigned and revoked.

use std::time::Duration;

use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Map, json};

use super::shared::Position;
use crate::{
    journal::{Event, Value},
    kafka::Reporter,
};

/// The maximum number of partitions that one message names.
const NAMED: usize = 200;

/// Why partitions are no longer assigned to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// The group rebalanced.
    Rebalanced,
    /// The group removed this member.
    Lost,
    /// The run ends.
    Ended,
}

impl Gone {
    fn word(self) -> &'static str {
        match self {
            Self::Rebalanced => "rebalanced",
            Self::Lost => "lost",
            Self::Ended => "ended",
        }
    }
}

/// The group of a member, and its name.
#[derive(Debug, Clone)]
pub(super) struct Membership {
    pub(super) group: String,
    /// Its name in the group, if it is a static member.
    pub(super) instance: Option<String>,
    /// The session timeout.
    pub(super) session: Duration,
}

impl Membership {
    /// Records that the member waits for the group to assign partitions.
    pub(super) fn awaited(&self, reporter: &Reporter) {
        let Self { group, session, .. } = self;
        reporter.member_status.awaits(format!(
            "group `{group}` to assign partitions; it waits until each member has rejoined, or \
             its session has timed out (session.timeout.ms, {} s)",
            session.as_secs_f64()
        ));
    }

    /// Reports that the member is still waiting.
    pub(super) fn waits(&self, reporter: &Reporter, what: &str, so_far: Duration) {
        let message = format!("kafka: waiting for {what}; {} s so far", so_far.as_secs());
        reporter.tell_with(Event::GroupAwaited, &message, &self.fields(Some(so_far)));
    }

    /// Reports assigned partitions.
    pub(super) fn assigned(
        &self,
        reporter: &Reporter,
        starts: &TopicPartitionList,
        waited: Option<Duration>,
    ) {
        if waited.is_some() {
            let name = match &self.instance {
                Some(instance) => format!(" as `{instance}`"),
                None => String::new(),
            };
            let what = format!("kafka: joined group `{}`{name}", self.group);
            reporter.tell_with(Event::GroupJoined, &what, &self.fields(waited));
        }
        let elements = starts.elements();
        let all = elements.iter().map(|element| {
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            (element.topic(), element.partition(), offset)
        });
        if elements.is_empty() {
            return;
        }
        let (names, partitions) = named(all, "from");
        let what = format!("kafka: {} partitions assigned: {names}", elements.len());
        let mut fields = self.fields(None);
        fields.push(("partitions", partitions));
        reporter.tell_with(Event::PartitionsAssigned, &what, &fields);
    }

    /// Reports revoked partitions, and the end of the delivered records of each.
    pub(super) fn revoked(
        &self,
        reporter: &Reporter,
        partitions: &TopicPartitionList,
        positions: &[Position],
        why: Gone,
    ) {
        let elements = partitions.elements();
        if elements.is_empty() {
            return;
        }
        let all = elements.iter().map(|element| {
            let (topic, partition) = (element.topic(), element.partition());
            let known = positions.iter().find(|(t, p, _)| **t == *topic && *p == partition);
            (topic, partition, known.map(|(.., offset)| *offset))
        });
        let (names, partitions) = named(all, "delivered up to");
        let what =
            format!("kafka: {} partitions revoked ({}): {names}", elements.len(), why.word());
        let mut fields = self.fields(None);
        fields.extend([("reason", why.word().into()), ("partitions", partitions)]);
        reporter.tell_with(Event::PartitionsRevoked, &what, &fields);
    }

    /// Reports that the member left the group for good, or that this failed.
    pub(super) fn left(&self, reporter: &Reporter, gone: bool) {
        let (group, name) = (&self.group, self.instance.as_deref().unwrap_or_default());
        if gone {
            let what = format!(
                "kafka: `{name}` left group `{group}`; other members take over its partitions"
            );
            reporter.tell_with(Event::GroupLeft, &what, &self.fields(None));
        } else {
            reporter.say(&format!(
                "kafka: the coordinator did not confirm that `{name}` left group `{group}`: other \
                 members take over its partitions when its session times out, at the latest"
            ));
        }
    }

    fn fields(&self, took: Option<Duration>) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("group", self.group.as_str().into())];
        fields.extend(self.instance.as_deref().map(|name| ("instance", name.into())));
        fields.extend(took.map(|took| ("duration_ms", (took.as_millis() as u64).into())));
        fields
    }
}

/// Formats partitions with offsets, for people and for programs.
fn named<'a>(
    all: impl ExactSizeIterator<Item = (&'a str, i32, Option<i64>)>,
    verb: &str,
) -> (String, Value) {
    let more = all.len().saturating_sub(NAMED);
    let (mut names, mut objects) = (Vec::new(), Vec::new());
    for (topic, partition, offset) in all.take(NAMED) {
        let mut object = Map::new();
        object.insert("topic".into(), topic.into());
        object.insert("partition".into(), partition.into());
        let at = offset.map(|offset| format!(" {verb} {offset}")).unwrap_or_default();
        names.push(format!("{topic}[{partition}]{at}"));
        object.extend(offset.map(|offset| ("offset".to_owned(), json!(offset))));
        objects.push(Value::Object(object));
    }
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    (names.join(", "), Value::Array(objects))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_named_up_to_a_limit() {
        let all = (0..NAMED as i32 + 3).map(|n| ("t", n, (n > 0).then_some(7)));
        let (names, objects) = named(all, "from");
        assert!(names.starts_with("t[0], t[1] from 7, "), "{names}");
        assert!(names.ends_with(", and 3 more"), "{names}");
        assert_eq!(objects.as_array().unwrap().len(), NAMED);
        assert_eq!(objects[0], json!({"topic": "t", "partition": 0}));
        assert_eq!(objects[1], json!({"topic": "t", "partition": 1, "offset": 7}));
    }
}
