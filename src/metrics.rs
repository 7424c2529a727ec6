//! What Lookout counts about itself, as Prometheus reads it.
//!
//! One value, cloned by reference into every actor: no registry look-up on any path.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// A family with one label whose values are all known in the source, so that its size is bounded.
pub type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// Every counter. Names in the text form carry the prefix `lookout_`, counters the suffix `_total`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Open streams.
    pub connections: Gauge,
    /// Streams opened.
    pub connections_opened: Counter,
    /// Streams refused, by `cause`.
    pub connections_refused: Labelled,
    /// Streams ended, by `cause`.
    pub connections_closed: Labelled,
    /// Live frames that found a full queue: the session went on from the log.
    pub queue_overflows: Counter,
    /// Reads by which a session caught up, from memory or the store.
    pub catch_ups: Counter,
    /// Entries sent from memory or the store instead of live.
    pub replayed_entries: Counter,
    /// Broadcasts that found a relay's mailbox full: the sessions of its thread went on from the log.
    pub relay_full: Counter,
    /// Limits met, by `limit`.
    pub limited: Labelled,
    /// Webhooks between their first body byte and their commit, set when it is asked for.
    pub webhooks_in_flight: Gauge,
    /// Since the last canary that came through was sent, set when it is asked for; 0 where none are sent.
    pub canary_age_seconds: Gauge<f64, AtomicU64>,
    /// Webhook answers, by `status`.
    pub webhook_answers: Labelled,
    /// Webhooks that did not prove whose they are, by `cause`.
    pub signature_failures: Labelled,
    /// Events that were there before.
    pub duplicates: Counter,
    /// Bodies and items that could not be used.
    pub dead_letters: Counter,
    /// Dead letters dropped because there were too many.
    pub dead_letters_dropped: Counter,
    /// Notifications that name nobody.
    pub unrouted: Counter,
    /// Keys dropped by sanitising, because another key had the same clean name or because it is reserved.
    pub dropped_keys: Counter,
    /// Commits that failed.
    pub store_failures: Counter,
    /// Entries broadcast from the store because nobody had told of them in time.
    pub refilled_entries: Counter,
    /// 1 while the bus to other nodes carries in both directions; 0 also where there is none.
    pub bus_connected: Gauge,
    /// Entries sent to other nodes.
    pub bus_published: Counter,
    /// Entries heard over the bus, those of this node included.
    pub bus_received: Counter,
    /// Entries not sent or not passed on, by `cause`; read from the store instead.
    pub bus_dropped: Labelled,
    /// Screenings settled, by `status`.
    pub screenings: Labelled,
    /// Actors rebuilt after their death, by `actor`.
    pub actor_restarts: Labelled,
    /// Messages whose handling panicked, by `actor`.
    pub actor_panics: Labelled,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("lookout");
        macro_rules! register {
            ($name:literal, $help:literal, $kind:ty) => {{
                let metric = <$kind>::default();
                registry.register($name, $help, metric.clone());
                metric
            }};
        }
        Self {
            connections: register!("connections", "Open streams", Gauge),
            connections_opened: register!("connections_opened", "Streams opened", Counter),
            connections_refused: register!("connections_refused", "Streams refused", Labelled),
            connections_closed: register!("connections_closed", "Streams ended", Labelled),
            queue_overflows: register!("queue_overflows", "Live frames that found a full queue", Counter),
            catch_ups: register!("catch_ups", "Reads by which sessions caught up, from memory or the store", Counter),
            replayed_entries: register!("replayed_entries", "Entries sent from memory or the store instead of live", Counter),
            relay_full: register!("relay_full", "Broadcasts that found a relay's mailbox full", Counter),
            limited: register!("limited", "Requests and connections that met a limit", Labelled),
            webhooks_in_flight: register!("webhooks_in_flight", "Webhooks between their first byte and their commit", Gauge),
            canary_age_seconds: register!(
                "canary_age_seconds",
                "Since the last canary that came through was sent",
                Gauge<f64, AtomicU64>
            ),
            webhook_answers: register!("webhook_answers", "Webhook answers", Labelled),
            signature_failures: register!("signature_failures", "Webhooks that did not prove whose they are", Labelled),
            duplicates: register!("duplicates", "Events that were there before", Counter),
            dead_letters: register!("dead_letters", "Bodies and items that could not be used", Counter),
            dead_letters_dropped: register!("dead_letters_dropped", "Dead letters dropped because there were too many", Counter),
            unrouted: register!("unrouted", "Notifications that name nobody", Counter),
            dropped_keys: register!("dropped_keys", "Keys dropped by sanitising", Counter),
            store_failures: register!("store_failures", "Commits that failed", Counter),
            refilled_entries: register!(
                "refilled_entries",
                "Entries broadcast from the store because nobody had told of them in time",
                Counter
            ),
            bus_connected: register!("bus_connected", "Whether the bus to other nodes carries in both directions", Gauge),
            bus_published: register!("bus_published", "Entries sent to other nodes", Counter),
            bus_received: register!("bus_received", "Entries heard over the bus, those of this node included", Counter),
            bus_dropped: register!("bus_dropped", "Entries of the bus not sent or not passed on", Labelled),
            screenings: register!("screenings", "Screenings settled", Labelled),
            actor_restarts: register!("actor_restarts", "Actors rebuilt after their death", Labelled),
            actor_panics: register!("actor_panics", "Messages whose handling panicked", Labelled),
            registry,
        }
    }

    /// The OpenMetrics text of everything.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
