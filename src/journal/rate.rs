//! Limits the rate of log lines, so that a frequent event does not fill a disk.

use std::{collections::HashMap, time::Duration};

use super::Event;

/// The maximum number of lines of one name in a window.
const MOST: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// Recent lines, by name.
#[derive(Default)]
pub(super) struct Rates(HashMap<&'static str, Rate>);

#[derive(Default)]
struct Rate {
    since: Duration,
    told: u32,
    passed_over: u64,
}

impl Rates {
    /// Returns whether the line may be written, `now` after the start, with the number of lines
    /// that were suppressed since the last.
    pub(super) fn pass(&mut self, event: Event, now: Duration) -> Option<u64> {
        let rate = self.0.entry(event.name()).or_default();
        if now.saturating_sub(rate.since) >= WINDOW {
            (rate.since, rate.told) = (now, 0);
        }
        if rate.told == MOST {
            rate.passed_over += 1;
            return None;
        }
        rate.told += 1;
        Some(std::mem::take(&mut rate.passed_over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_a_minute_and_what_was_passed_over_is_told() {
        let mut rates = Rates::default();
        let second = Duration::from_secs(1);
        let passed = (0..30).filter(|_| rates.pass(Event::InputFailed, second).is_some()).count();
        assert_eq!(passed, 20);
        assert_eq!(rates.pass(Event::ConfigReloaded, second), Some(0), "each name by itself");
        assert_eq!(rates.pass(Event::InputFailed, 61 * second), Some(10));
        assert_eq!(rates.pass(Event::InputFailed, 61 * second), Some(0));
    }
}
