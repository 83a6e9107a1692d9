//! Checks whether all partitions are assigned. A static member that returns gets its old partitions
//! without a rebalance, so the group would not notice new partitions, or that the member reads more
//! topics. In that case the member leaves and rejoins.

use std::time::{Duration, Instant};

use super::shared::Shared;
use crate::kafka::{self, Cluster, Group};

/// How long the cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to check while the result is not known.
const EVERY: Duration = Duration::from_secs(1);
/// How long a partition may be unassigned if the group has one member.
const ALONE: Duration = Duration::from_secs(3);
/// How long other members may take to give up partitions.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(15);

/// Returns whether a topic is read.
pub type Reads = Box<dyn Fn(&str) -> bool + Send>;

/// Detects partitions that no member reads.
pub(super) struct Unread {
    group: String,
    reads: Reads,
    /// The number of assignments after which all partitions were assigned.
    known_at: Option<u64>,
    looked: Instant,
    /// Since when some are unassigned, and the number of assignments then.
    since: Option<(u64, Instant)>,
    /// The last partition for which the group was rejoined; once is enough.
    tried: Option<(String, i32)>,
}

impl Unread {
    pub(super) fn new(group: String, reads: Reads) -> Self {
        Self { group, reads, known_at: None, looked: Instant::now(), since: None, tried: None }
    }

    /// Checks after each assignment, and requests that the group is rejoined if needed. Later
    /// changes are noticed by the members themselves.
    pub(super) fn look(&mut self, cluster: &Cluster, shared: &Shared) {
        let member_status = &shared.member_status;
        let times = member_status.assignments();
        let is_known = times == 0 || self.known_at == Some(times);
        if is_known || member_status.awaited().is_some() || self.looked.elapsed() < EVERY {
            return;
        }
        self.looked = Instant::now();
        // Without an answer, the next check asks again.
        let Ok(group) = Group::ask(cluster, &self.group, PATIENCE) else { return };
        let Ok(all) = kafka::ask(cluster, PATIENCE) else { return };
        if !group.is_stable {
            return;
        }
        let unread = group.unread(&all, &self.reads);
        let Some(place) = unread.filter(|place| self.tried.as_ref() != Some(place)) else {
            (self.known_at, self.since) = (Some(times), None);
            return;
        };
        let (then, since) = self.since.unwrap_or((times, self.looked));
        self.since = Some((times, if then == times { since } else { self.looked }));
        let patience = if group.members.len() == 1 { ALONE } else { GIVEN_UP_WITHIN };
        if then == times && since.elapsed() >= patience {
            // The next assignment starts a new check.
            (self.known_at, self.since) = (Some(times), None);
            shared.rejoin(format!("no member reads {}[{}]", place.0, place.1));
            self.tried = Some(place);
        }
    }
}
