//! Webhooks, from their first byte to their answer.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::register::{Labelled, LabelledTimes, counter, gauge, labelled, labelled_times};

/// Every status that the webhook answers with.
pub const STATUSES: [&str; 7] = ["200", "400", "401", "408", "413", "503", "other"];

/// Its metrics.
#[derive(Debug)]
pub struct Webhooks {
    /// Webhooks between their first body byte and their commit, set when it is asked for.
    pub webhooks_in_flight: Gauge,
    answers: Labelled,
    durations: LabelledTimes,
    /// Events that were there before.
    pub duplicates: Counter,
    /// Bodies and items that could not be used.
    pub dead_letters: Counter,
    /// Notifications that name nobody.
    pub unrouted: Counter,
    /// Keys dropped by sanitising, because another key had the same clean name or because it is reserved.
    pub dropped_keys: Counter,
}

impl Webhooks {
    pub(super) fn register(to: &mut Registry) -> Self {
        let durations = labelled_times(to, "webhook_duration_seconds", "From a webhook's head to its answer");
        for status in STATUSES {
            drop(durations.get_or_create(&[("status", status)]));
        }
        Self {
            webhooks_in_flight: gauge(to, "webhooks_in_flight", "Webhooks between their first byte and their commit"),
            answers: labelled(to, "webhook_answers", "Webhook answers", "status", &STATUSES),
            durations,
            duplicates: counter(to, "duplicates", "Events that were there before"),
            dead_letters: counter(to, "dead_letters", "Bodies and items that could not be used"),
            unrouted: counter(to, "unrouted", "Notifications that name nobody"),
            dropped_keys: counter(to, "dropped_keys", "Keys dropped by sanitising"),
        }
    }

    /// One was answered with this status, after so long.
    pub fn answered(&self, status: u16, after: Duration) {
        let status = status.to_string();
        let status = STATUSES.into_iter().find(|known| *known == status).unwrap_or("other");
        self.answers.get_or_create(&[("status", status)]).inc();
        self.durations.get_or_create(&[("status", status)]).observe(after);
    }
}
