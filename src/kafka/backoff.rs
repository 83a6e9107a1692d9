//! How long to wait before a retry.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

/// A limit that doubles with each retry, up to a maximum. The delay is a random part of it ("full
/// jitter"), so that many waiting clients do not retry at the same time.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    /// Starts with a delay of at most `first`, which grows to at most `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, tries: 0 }
    }

    /// Returns the next delay.
    pub fn next_wait(&mut self) -> Duration {
        let limit = self.limit();
        self.tries = self.tries.saturating_add(1);
        // The hasher's keys are random.
        let random = RandomState::new().hash_one(self.tries) as f64 / u64::MAX as f64;
        limit.mul_f64(random)
    }

    /// Starts again after a success.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    fn limit(&self) -> Duration {
        self.first.saturating_mul(1 << self.tries.min(20)).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_limit_and_jitters_below() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 60 * second);
        let mut limits = Vec::new();
        for _ in 0..40 {
            let limit = backoff.limit();
            limits.push(limit.as_secs());
            assert!(backoff.next_wait() <= limit);
        }
        assert_eq!(limits[..7], [1, 2, 4, 8, 16, 32, 60]);
        assert_eq!(limits[39], 60);
        backoff.reset();
        assert_eq!(backoff.limit(), second);
        let some: std::collections::BTreeSet<_> =
            (0..10).map(|_| Backoff::new(second, second).next_wait()).collect();
        assert!(some.len() > 1, "{some:?}");
    }
}
