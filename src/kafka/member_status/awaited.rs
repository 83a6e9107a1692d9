//! What a member waits for before it has partitions, and since when: at the start, and after its
//! group has given its partitions to others.

use std::time::{Duration, Instant};

use super::MemberStatus;

/// What the member waits for.
#[derive(Debug)]
pub(super) struct Awaited {
    what: String,
    since: Instant,
}

impl Awaited {
    pub(super) fn took(&self) -> Duration {
        self.since.elapsed()
    }
}

impl MemberStatus {
    /// Records what the member waits for, until partitions are assigned or it waits for something
    /// else. Returns whether that is new.
    pub fn awaits(&self, what: impl Into<String>) -> bool {
        let (what, since) = (what.into(), Instant::now());
        let awaited = &mut self.state().awaited;
        // Waiting for the same again does not restart the time.
        let is_new = awaited.as_ref().is_none_or(|awaited| awaited.what != what);
        if is_new {
            *awaited = Some(Awaited { what, since });
        }
        is_new
    }

    /// Returns what the member waits for, and for how long it has waited.
    pub fn awaited(&self) -> Option<(String, Duration)> {
        let state = self.state();
        state.awaited.as_ref().map(|awaited| (awaited.what.clone(), awaited.took()))
    }
}
