//! The members of a consumer group, according to its coordinator.

use std::{collections::BTreeSet, io, time::Duration};

use rdkafka::error::KafkaError;

use super::{
    Cluster,
    fault::about,
    native::describe_group,
    topics::{Topics, admin},
};

/// A consumer group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Whether the group is not rebalancing.
    pub is_stable: bool,
    /// All members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// Its name, if it is a static member.
    pub instance: Option<String>,
    /// The partitions that are assigned to it.
    pub partitions: Vec<(String, i32)>,
}

impl Group {
    /// Asks the coordinator once.
    ///
    /// # Errors
    /// librdkafka rejects the configuration, or there is no answer within `patience`, or an error.
    pub fn ask(cluster: &Cluster, name: &str, patience: Duration) -> io::Result<Self> {
        let admin = admin(cluster)?;
        describe_group(admin.inner(), name, patience)
            .map_err(|code| about(&format!("kafka: group `{name}`"), &KafkaError::AdminOp(code)))
    }

    /// Returns whether the group has a static member of this name.
    pub fn has(&self, instance: &str) -> bool {
        self.members.iter().any(|member| member.instance.as_deref() == Some(instance))
    }

    /// Returns the first partition of the `read` topics that no member has.
    pub fn unread(&self, all: &Topics, read: impl Fn(&str) -> bool) -> Option<(String, i32)> {
        let taken = self.members.iter().flat_map(|member| &member.partitions);
        let taken: BTreeSet<_> = taken.map(|(topic, number)| (topic.as_str(), *number)).collect();
        let read = all.iter().filter(|(topic, _)| read(topic));
        let mut read = read.flat_map(|(topic, partitions)| {
            (0..i32::try_from(*partitions).unwrap_or_default()).map(move |n| (topic.as_str(), n))
        });
        read.find(|place| !taken.contains(place)).map(|(topic, n)| (topic.to_owned(), n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_that_nobody_reads_are_found() {
        let member = |instance: Option<&str>, partitions: &[(&str, i32)]| GroupMember {
            instance: instance.map(str::to_owned),
            partitions: partitions.iter().map(|(topic, n)| ((*topic).to_owned(), *n)).collect(),
        };
        let members = vec![member(Some("a"), &[("t", 0), ("t", 2)]), member(None, &[("t", 1)])];
        let group = Group { is_stable: true, members };
        assert!(group.has("a") && !group.has("b"));
        let all = |n| Topics::from([("t".to_owned(), n), ("other".to_owned(), 1)]);
        assert_eq!(group.unread(&all(3), |topic| topic == "t"), None);
        assert_eq!(group.unread(&all(4), |topic| topic == "t"), Some(("t".to_owned(), 3)));
        assert_eq!(group.unread(&all(3), |_| true), Some(("other".to_owned(), 0)));
    }
}
