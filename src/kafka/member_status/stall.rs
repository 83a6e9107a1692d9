//! Assigned partitions that have more to read but do not advance.

use std::time::{Duration, Instant};

use super::{MemberStatus, partition::Partition};

/// How long a partition may not advance although there is more to read, before it counts as stalled
/// and the member as not ready.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Why a partition does not advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stall {
    /// A producer has an open transaction that begins at this offset.
    OpenTransaction {
        /// The first offset that cannot be read yet.
        from: i64,
    },
    /// The group does not return the committed offset, because a transaction that commits it is
    /// open.
    NoOffset,
    /// No records arrive.
    Unread,
    /// Records were read, but are not acknowledged.
    Undelivered,
}

impl Stall {
    /// Describes the stall, and how to find out more.
    fn text(self, topic: &str, partition: i32) -> String {
        let tool = "kafka-transactions.sh --bootstrap-server BROKER";
        match self {
            Self::OpenTransaction { from } => format!(
                "a producer has a transaction open since offset {from}, and records after that \
                 cannot be read until it ends: `{tool} find-hanging --topic {topic} --partition \
                 {partition}` shows whether it hangs, `{tool} abort --topic {topic} --partition \
                 {partition} --start-offset {from}` aborts it"
            ),
            Self::NoOffset => format!(
                "the group does not return its committed offset, perhaps because a transaction \
                 that commits it is open: `{tool} find-hanging --topic __consumer_offsets` shows \
                 whether one hangs, `{tool} abort --topic __consumer_offsets` with its partition \
                 and start offset aborts it"
            ),
            Self::Unread => "no records arrive, although there are more".into(),
            Self::Undelivered => {
                "records were read, but the brokers do not acknowledge their delivery".into()
            }
        }
    }
}

/// A change in the state of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The topic.
    pub topic: String,
    /// The number of the partition in the topic.
    pub partition: i32,
    /// The end of the delivered records, if it is known.
    pub reached: Option<i64>,
    /// Why it does not advance; `None` if it advances again.
    pub why: Option<String>,
}

impl MemberStatus {
    /// Returns a stalled partition whose committed offset the group does not return.
    pub fn without_offset(&self) -> Option<(String, i32)> {
        self.state().without_offset.clone()
    }

    /// Returns the partitions that have stalled, or advance again, since the last call.
    pub fn stalls(&self, now: Instant) -> Vec<Change> {
        let mut state = self.state();
        let busy = state.moved.is_some_and(|at| now.duration_since(at) < PATIENCE);
        let (faults, orders) = (&state.faults, &state.orders);
        let held = |partition: &Partition| {
            faults.contains_key(&*partition.topic)
                || orders.holds(&partition.topic, partition.partition)
        };
        let held: Vec<u64> =
            state.partitions.iter().filter(|(_, p)| held(p)).map(|(id, _)| *id).collect();
        let (mut changes, mut without_offset) = (Vec::new(), None);
        let mut stalled = std::mem::take(&mut state.stalled);
        for (id, partition) in &mut state.partitions {
            let place = (partition.topic.to_string(), partition.partition);
            // A paused partition is reported as paused, not as stalled.
            let stall = match held.contains(id) {
                true => partition.reset_stall(),
                false => partition.look(now, PATIENCE, busy),
            };
            if stall == Some(Stall::NoOffset) {
                without_offset.get_or_insert(place.clone());
            }
            let why = stall.map(|stall| stall.text(&partition.topic, partition.partition));
            if why.as_ref() == stalled.get(&place) {
                continue;
            }
            match &why {
                Some(why) => stalled.insert(place.clone(), why.clone()),
                None => stalled.remove(&place),
            };
            let ((topic, number), reached) = (place, partition.reached);
            changes.push(Change { topic, partition: number, reached, why });
        }
        stalled.retain(|(topic, number), _| {
            state.partitions.values().any(|p| *p.topic == **topic && p.partition == *number)
        });
        (state.stalled, state.without_offset) = (stalled, without_offset);
        changes
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Offset;

    use super::*;
    use crate::kafka::Rebalance;

    #[test]
    fn a_partition_that_does_not_advance_is_named_and_the_member_is_not_ready() {
        let member_status = MemberStatus::default();
        member_status.rebalanced(Rebalance::Assigned);
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        member_status.assigned(7, Partition::new("t".into(), 3, Offset::Offset(10)));
        member_status.ends("t", 3, (0, 30));
        assert_eq!((member_status.stalls(at(0)), member_status.stalls(at(10))), (vec![], vec![]));
        assert_eq!(member_status.ready(), Ok(()));
        let changes = member_status.stalls(at(21));
        assert_eq!((changes.len(), changes[0].reached), (1, Some(10)));
        assert!(
            member_status.ready().unwrap_err().starts_with("`t[3]` is stalled: no records arrive")
        );
        let shown = || {
            let all = member_status.families();
            let gauge = all.iter().find(|family| family.name == "tamis_kafka_partition_stalled");
            let samples = gauge.unwrap().samples.iter();
            samples.map(|sample| sample.labels.join(":")).collect::<Vec<_>>()
        };
        assert_eq!(shown(), ["t:3"]);
        assert_eq!(member_status.stalls(at(22)), []);
        member_status.acknowledged(7, 30);
        let changes = member_status.stalls(at(23));
        assert_eq!((changes.len(), &changes[0].why), (1, &None));
        assert_eq!(member_status.ready(), Ok(()));
        assert!(shown().is_empty());
        // A revoked partition is not reported.
        member_status.assigned(8, Partition::new("u".into(), 0, Offset::Invalid));
        member_status.stalls(at(30));
        assert_eq!(member_status.stalls(at(60)).len(), 1);
        member_status.revoked(8);
        member_status.stalls(at(61));
        assert_eq!(member_status.ready(), Ok(()));
    }
}
