//! Durations, counted in buckets.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The buckets' upper bounds in seconds: two or three to each power of ten, from 50 µs to a minute.
const BOUNDS: [f64; 18] = [
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 15.0, 60.0,
];

/// How long something took, again and again.
#[derive(Default)]
pub struct Histogram {
    /// Not cumulative; the last is for all beyond the bounds.
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// The buckets, cumulative: a bound in seconds, and how many took no longer.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let mut sum = 0;
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let cumulative = bounds.zip(&self.counts).map(|(bound, count)| {
            sum += count.load(Relaxed);
            (bound, sum)
        });
        cumulative.collect()
    }

    /// All durations together, in seconds.
    pub fn sum(&self) -> f64 {
        self.nanoseconds.load(Relaxed) as f64 / 1e9
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
}
