//! Partitions that are this member's, have more to read, and do not advance.

use std::time::{Duration, Instant};

use super::{Vitals, partition::Partition};

/// So long a partition may stand still while there is more; then it is stalled, and the member is not ready.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Why a partition does not advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stall {
    /// Somebody who writes to it has a transaction open, which begins there.
    OpenTransaction {
        /// The first offset that may not be read yet.
        from: i64,
    },
    /// The group does not say where it begins: a transaction that commits its offset is open.
    NoOffset,
    /// Nothing of it arrives.
    Unread,
    /// What was read of it is not acknowledged.
    Undelivered,
}

impl Stall {
    /// What it is, and how to find out more.
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

/// What changed about a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The topic.
    pub topic: String,
    /// The partition's number in it.
    pub partition: i32,
    /// Up to where it is delivered, if that is known.
    pub reached: Option<i64>,
    /// Why it does not advance; `None`: it does again.
    pub why: Option<String>,
}

impl Vitals {
    /// A partition that has stalled because the group does not say where it begins.
    pub fn without_offset(&self) -> Option<(String, i32)> {
        self.state().untold.clone()
    }

    /// Which partitions have stalled, or advance again, since this was asked.
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
        let (mut changes, mut untold) = (Vec::new(), None);
        let mut stalled = std::mem::take(&mut state.stalled);
        for (id, partition) in &mut state.partitions {
            let place = (partition.topic.to_string(), partition.partition);
            // That one has a name of its own already.
            let stall = match held.contains(id) {
                true => partition.rests(),
                false => partition.look(now, PATIENCE, busy),
            };
            if stall == Some(Stall::NoOffset) {
                untold.get_or_insert(place.clone());
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
        (state.stalled, state.untold) = (stalled, untold);
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
        let vitals = Vitals::default();
        vitals.rebalanced(Rebalance::Assigned);
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        vitals.assigned(7, Partition::new("t".into(), 3, Offset::Offset(10)));
        vitals.ends("t", 3, (0, 30));
        assert_eq!((vitals.stalls(at(0)), vitals.stalls(at(10))), (vec![], vec![]));
        assert_eq!(vitals.ready(), Ok(()));
        let changes = vitals.stalls(at(21));
        assert_eq!((changes.len(), changes[0].reached), (1, Some(10)));
        assert!(vitals.ready().unwrap_err().starts_with("`t[3]` is stalled: no records arrive"));
        let shown = || {
            let all = vitals.families();
            let gauge = all.iter().find(|family| family.name == "tamis_kafka_partition_stalled");
            let samples = gauge.unwrap().samples.iter();
            samples.map(|sample| sample.labels.join(":")).collect::<Vec<_>>()
        };
        assert_eq!(shown(), ["t:3"]);
        assert_eq!(vitals.stalls(at(22)), []);
        vitals.acknowledged(7, 30);
        let changes = vitals.stalls(at(23));
        assert_eq!((changes.len(), &changes[0].why), (1, &None));
        assert_eq!(vitals.ready(), Ok(()));
        assert!(shown().is_empty());
        // What goes is another's concern.
        vitals.assigned(8, Partition::new("u".into(), 0, Offset::Invalid));
        vitals.stalls(at(30));
        assert_eq!(vitals.stalls(at(60)).len(), 1);
        vitals.revoked(8);
        vitals.stalls(at(61));
        assert_eq!(vitals.ready(), Ok(()));
    }
}
