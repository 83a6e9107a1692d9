//! What a member waits for before it has records, and since when: at the start, and whenever its group gave
//! its partitions up.

use std::time::{Duration, Instant};

use super::Vitals;

/// What is waited for.
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

impl Vitals {
    /// Waits for this from now on, until partitions are assigned or something else is waited for; whether
    /// that is new.
    pub fn awaits(&self, what: impl Into<String>) -> bool {
        let (what, since) = (what.into(), Instant::now());
        let awaited = &mut self.state().awaited;
        // Who asks for the same again has waited all the time.
        let is_new = awaited.as_ref().is_none_or(|awaited| awaited.what != what);
        if is_new {
            *awaited = Some(Awaited { what, since });
        }
        is_new
    }

    /// What is waited for, and how long it takes so far.
    pub fn awaited(&self) -> Option<(String, Duration)> {
        let state = self.state();
        state.awaited.as_ref().map(|awaited| (awaited.what.clone(), awaited.took()))
    }
}
