//! A histogram that many threads may observe at once without a lock: the crate's own holds one over each observation.

use std::{
    fmt::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;

/// Bounds for what an actor or a store does, 10 µs to 10 s.
pub const QUICK: &[u64] =
    &[10 * US, 30 * US, 100 * US, 300 * US, MS, 3 * MS, 10 * MS, 30 * MS, 100 * MS, 300 * MS, S, 3 * S, 10 * S];
/// Bounds for what somebody waits for, 1 ms to 5 min.
pub const PATIENT: &[u64] = &[MS, 5 * MS, 10 * MS, 50 * MS, 100 * MS, 500 * MS, S, 5 * S, 10 * S, 30 * S, 60 * S, 300 * S];
/// Bounds for how long a stream lives, 1 s to a day.
pub const LONG: &[u64] = &[S, 10 * S, 60 * S, 300 * S, 900 * S, 3_600 * S, 14_400 * S, 86_400 * S];
/// Bounds for numbers of things.
pub const NUMBERS: &[u64] = &[0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000];

/// Times or numbers by size. Clones share their counts.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: &'static [u64],
    /// Observations in one unit of the text form: times are kept in nanoseconds and told in seconds.
    unit: f64,
    /// One for each bound, and one for what is beyond the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram held at one moment. Observations made while it is read may be in it in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    bounds: &'static [u64],
    counts: Vec<u64>,
    sum: u64,
}

impl Histogram {
    /// Of times; the bounds are nanoseconds, the text form has seconds.
    pub fn of_times(bounds: &'static [u64]) -> Self {
        Self::new(bounds, S as f64)
    }

    /// Of numbers.
    pub fn of_numbers(bounds: &'static [u64]) -> Self {
        Self::new(bounds, 1.0)
    }

    fn new(bounds: &'static [u64], unit: f64) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Inner { bounds, unit, counts, sum: AtomicU64::new(0) }))
    }

    /// One more time.
    pub fn observe(&self, time: Duration) {
        self.observe_number(nanos(time));
    }

    /// One more number.
    pub fn observe_number(&self, number: u64) {
        let Inner { bounds, counts, sum, .. } = &*self.0;
        let bucket = bounds.partition_point(|bound| *bound < number);
        counts[bucket].fetch_add(1, Relaxed);
        sum.fetch_add(number, Relaxed);
    }

    /// What it holds now.
    pub fn snapshot(&self) -> Snapshot {
        let Inner { bounds, counts, sum, .. } = &*self.0;
        Snapshot { bounds, counts: counts.iter().map(|count| count.load(Relaxed)).collect(), sum: sum.load(Relaxed) }
    }
}

impl Snapshot {
    /// What has come since an earlier one of the same histogram.
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.saturating_sub(*then)).collect();
        Self { bounds: self.bounds, counts, sum: self.sum.saturating_sub(earlier.sum) }
    }

    /// How many observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum, of times.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }

    /// Their mean; zero where there are none.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.sum.checked_div(self.count()).unwrap_or(0))
    }

    /// The time under which this part of them stayed, as exact as the bounds are; zero where there are none. What is beyond the
    /// last bound counts as that.
    pub fn quantile(&self, part: f64) -> Duration {
        let rank = part * self.count() as f64;
        let (mut below, mut lower) = (0.0, 0.0);
        for (count, bound) in self.counts.iter().zip(self.bounds) {
            let (count, bound) = (*count as f64, *bound as f64);
            if count > 0.0 && below + count >= rank {
                return Duration::from_nanos((lower + (bound - lower) * (rank - below) / count) as u64);
            }
            (below, lower) = (below + count, bound);
        }
        Duration::from_nanos(if self.count() == 0 { 0 } else { lower as u64 })
    }
}

/// As nanoseconds.
pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), Error> {
        let Snapshot { bounds, counts, sum } = self.snapshot();
        let unit = self.0.unit;
        let bounds = bounds.iter().map(|bound| *bound as f64 / unit).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        encoder.encode_histogram::<NoLabelSet>(sum as f64 / unit, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_means_are_as_exact_as_the_bounds() {
        let histogram = Histogram::of_times(QUICK);
        assert_eq!((histogram.snapshot().mean(), histogram.snapshot().quantile(0.99)), (Duration::ZERO, Duration::ZERO));
        let before = histogram.snapshot();
        for _ in 0..90 {
            histogram.observe(Duration::from_micros(20));
        }
        for _ in 0..10 {
            histogram.observe(Duration::from_millis(20));
        }
        let now = histogram.snapshot();
        assert_eq!(now.count(), 100);
        assert_eq!(now.mean(), Duration::from_nanos((90 * 20_000 + 10 * 20_000_000) / 100));
        let (median, high) = (now.quantile(0.5), now.quantile(0.99));
        assert!((Duration::from_micros(10)..=Duration::from_micros(30)).contains(&median), "{median:?}");
        assert!((Duration::from_millis(10)..=Duration::from_millis(30)).contains(&high), "{high:?}");
        assert_eq!(now.since(&before), now);
        assert_eq!(now.since(&now).count(), 0);
        histogram.observe(Duration::from_secs(100));
        assert_eq!(histogram.snapshot().quantile(1.0), Duration::from_secs(10), "beyond the last bound");
    }
}
