//! Screenings and watch-lists.

use std::{
    sync::{Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::register::{Labelled, LabelledTimes, add, gauge, labelled, labelled_times};

/// Its metrics.
#[derive(Debug)]
pub struct Screening {
    settled: Family<[(&'static str, &'static str); 3], Counter>,
    durations: LabelledTimes,
    /// Calls of a provider that gave no result, by `outcome`; tried again.
    pub failures: Labelled,
    /// Screenings that are not settled, in the store of all nodes.
    pub pending: Gauge,
    oldest: Gauge<f64, AtomicU64>,
    list_ages: Family<[(&'static str, String); 1], Gauge<f64, AtomicU64>>,
    /// The lists that were seen last.
    lists: Mutex<Vec<String>>,
}

impl Screening {
    pub(super) fn register(to: &mut Registry) -> Self {
        Self {
            settled: add(to, "screenings", "Screenings settled", Family::default()),
            durations: labelled_times(to, "screening_duration_seconds", "From taking a screening up to its result"),
            failures: labelled(
                to,
                "screening_failures",
                "Calls of a provider that gave no result",
                "outcome",
                &["failed", "timed_out"],
            ),
            pending: gauge(to, "screenings_pending", "Screenings that are not settled"),
            oldest: add(to, "screenings_oldest_pending_seconds", "How long the oldest of them is open", Gauge::default()),
            list_ages: add(to, "list_age_seconds", "How long ago a watch-list was current last", Family::default()),
            lists: Mutex::default(),
        }
    }

    /// From now on this provider is asked: what it usually says begins at zero.
    pub fn begin(&self, provider: &'static str) {
        for severity in ["OK", "UNKNOWN", "WARNING", "CRITICAL"] {
            drop(self.settled.get_or_create(&[("status", "done"), ("provider", provider), ("severity", severity)]));
        }
        for status in ["skipped", "failed", "timed_out"] {
            drop(self.settled.get_or_create(&[("status", status), ("provider", provider), ("severity", "UNKNOWN")]));
        }
        drop(self.durations.get_or_create(&[("provider", provider)]));
    }

    /// One was settled.
    pub fn settled(&self, provider: &'static str, status: &'static str, severity: &'static str, after: Duration) {
        self.settled.get_or_create(&[("status", status), ("provider", provider), ("severity", severity)]).inc();
        self.durations.get_or_create(&[("provider", provider)]).observe(after);
    }

    /// How long the oldest that is not settled is open; none where all are.
    pub fn oldest_pending(&self, age: Option<Duration>) {
        self.oldest.set(age.unwrap_or_default().as_secs_f64());
    }

    /// How old each list is. One that is not there any more is forgotten.
    pub fn list_ages(&self, mut ages: Vec<(String, Duration)>) {
        // Of two that have the same name the older one is told.
        ages.sort_by_key(|(_, age)| *age);
        let mut known = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in known.iter().filter(|known| !ages.iter().any(|(list, _)| list == *known)) {
            self.list_ages.remove(&[("list", gone.clone())]);
        }
        for (list, age) in &ages {
            self.list_ages.get_or_create(&[("list", list.clone())]).set(age.as_secs_f64());
        }
        *known = ages.into_iter().map(|(list, _)| list).collect();
    }
}
