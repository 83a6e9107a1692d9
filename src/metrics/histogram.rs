//! A histogram of durations.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The upper bounds of the buckets in seconds: two or three per power of ten, from 50 µs to a
/// minute.
const BOUNDS: [f64; 18] = [
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 15.0, 60.0,
];

/// The upper bounds for ages, from a hundredth of a second to a week.
const AGES: [f64; BOUNDS.len()] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0,
    14400.0, 86400.0, 604_800.0,
];
/// The unit of the sum, which can hold ages of years.
const NANOSECOND: Duration = Duration::from_nanos(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A histogram of durations.
pub struct Histogram {
    bounds: &'static [f64; BOUNDS.len()],
    /// Not cumulative; the last one is for everything above the bounds.
    counts: [AtomicU64; BOUNDS.len() + 1],
    unit: Duration,
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::with(&BOUNDS, NANOSECOND)
    }
}

impl Histogram {
    /// Creates a histogram for ages of events, up to a week and more.
    pub fn of_ages() -> Self {
        Self::with(&AGES, MILLISECOND)
    }

    fn with(bounds: &'static [f64; BOUNDS.len()], unit: Duration) -> Self {
        let counts = [const { AtomicU64::new(0) }; BOUNDS.len() + 1];
        Self { bounds, counts, unit, sum: AtomicU64::new(0) }
    }

    /// Counts one duration.
    pub fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Relaxed);
        let units = time.as_nanos() / self.unit.as_nanos();
        self.sum.fetch_add(u64::try_from(units).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns how many durations were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Returns the cumulative buckets: an upper bound in seconds, and the count.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let mut sum = 0;
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let cumulative = bounds.zip(&self.counts).map(|(bound, count)| {
            sum += count.load(Relaxed);
            (bound, sum)
        });
        cumulative.collect()
    }

    /// Returns the sum of all durations in seconds.
    pub fn sum(&self) -> f64 {
        self.sum.load(Relaxed) as f64 * self.unit.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for millis in [0, 1, 2, 600, 90_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let buckets = histogram.buckets();
        let at = |bound: f64| buckets.iter().find(|(b, _)| *b == bound).unwrap().1;
        assert_eq!((at(0.00005), at(0.001), at(0.0025), at(1.0)), (1, 2, 3, 4));
        assert_eq!((at(60.0), at(f64::INFINITY), histogram.count()), (4, 5, 5));
        assert!((histogram.sum() - 90.603).abs() < 1e-9);
    }

    #[test]
    fn ages_of_years_have_room() {
        let histogram = Histogram::of_ages();
        let years = Duration::from_secs(20 * 365 * 86_400);
        (0..10_000).for_each(|_| histogram.observe(years));
        histogram.observe(Duration::from_millis(300));
        assert_eq!(histogram.buckets()[5], (0.5, 1));
        assert_eq!(histogram.buckets()[18], (f64::INFINITY, 10_001));
        assert!((histogram.sum() - 1e4 * years.as_secs_f64()).abs() < 1.0);
    }
}
