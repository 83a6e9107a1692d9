//! Whether all partitions are somebody's. A static member that is back gets what it had, and the group does not
//! share anything out again for its sake: it would not notice that there are more partitions since, or that
//! the member reads more topics. Then that member leaves, and joins anew.

use std::time::{Duration, Instant};

use super::shared::Shared;
use crate::kafka::{self, Cluster, Group};

/// How long the cluster has for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look, while something is not known.
const EVERY: Duration = Duration::from_secs(1);
/// A member that is alone may be just about to have it.
const ALONE: Duration = Duration::from_secs(3);
/// Another member may take so long to give partitions up that are to be somebody else's.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(15);

/// Which topics are read.
pub type Reads = Box<dyn Fn(&str) -> bool + Send>;

/// Looks for partitions that nobody reads.
pub(super) struct Unread {
    group: String,
    reads: Reads,
    /// All were somebody's when partitions had come for so many times.
    known_at: Option<u64>,
    looked: Instant,
    /// Since when some are nobody's, and how often partitions had come then.
    since: Option<(u64, Instant)>,
    /// The last one for whose sake the group was joined anew: once is enough.
    tried: Option<(String, i32)>,
}

impl Unread {
    pub(super) fn new(group: String, reads: Reads) -> Self {
        Self { group, reads, known_at: None, looked: Instant::now(), since: None, tried: None }
    }

    /// Looks, once partitions have come; has the group joined anew, where that is needed. What comes later
    /// the members notice themselves.
    pub(super) fn look(&mut self, cluster: &Cluster, shared: &Shared) {
        let vitals = &shared.vitals;
        let times = vitals.assignments();
        let is_known = times == 0 || self.known_at == Some(times);
        if is_known || vitals.awaited().is_some() || self.looked.elapsed() < EVERY {
            return;
        }
        self.looked = Instant::now();
        // Who has no answer now has one the next time.
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
            // With what comes of that it is looked at again.
            (self.known_at, self.since) = (Some(times), None);
            shared.join_anew(format!("no member reads {}[{}]", place.0, place.1));
            self.tried = Some(place);
        }
    }
}
