//! Commits, and what the store drops to stay within its bounds.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::{
    histogram::{Histogram, NUMBERS, QUICK},
    register::{counter, histogram},
};

/// Its metrics.
#[derive(Debug)]
pub struct Store {
    /// How long commits took, failed ones included.
    pub commit_duration: Histogram,
    /// Writes made durable by one commit.
    pub commit_writes: Histogram,
    /// Commits that failed.
    pub store_failures: Counter,
    /// Dead letters dropped because there were too many.
    pub dead_letters_dropped: Counter,
    /// Laps of the audit that could not be written; each is tried again.
    pub audit_failures: Counter,
    /// Ends of streams that the audit has lost because too many waited to be written.
    pub audit_dropped: Counter,
}

impl Store {
    pub(super) fn register(to: &mut Registry) -> Self {
        Self {
            commit_duration: histogram(
                to,
                "commit_duration_seconds",
                "How long commits took, failed ones included",
                Histogram::of_times(QUICK),
            ),
            commit_writes: histogram(to, "commit_writes", "Writes in one commit", Histogram::of_numbers(NUMBERS)),
            store_failures: counter(to, "store_failures", "Commits that failed"),
            dead_letters_dropped: counter(to, "dead_letters_dropped", "Dead letters dropped because there were too many"),
            audit_failures: counter(to, "audit_failures", "Laps of the audit that could not be written, each tried again"),
            audit_dropped: counter(to, "audit_dropped", "Ends of streams that the audit lost, too many of them waited"),
        }
    }
}
